/*
 * What the tries give away. Times are compared by ranks and medians, so that a few that a busy
 * machine delayed decide nothing, and only differences that someone far away could measure count.
 *
 * The chance of a finding where there is nothing to find is below one in a thousand for a run.
 */
#include "log.h"
#include "probe.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Milliseconds; what is closer together than APART is not told from the way's own delays. */
static const double APART = 60, CLOSE_BY = 50, AT_ONCE = 250, ROUND_BEFORE = 1, ROUND_AFTER = 4;
static const double KIND_SIGMA = 4.2, KIND_SIGMA_FEW = 3.9, OFFSET_SIGMA = 5, CLOSE_SHARE = 0.01;
enum { JUDGED_LEAST = 10, TEXT_MOST = 600, ENTRY_MOST = 160, RESETS_LEAST = 2, REPLAYS_LEAST = 2 };

/* ---- Texts that grow: a few entries, as the table has all ---- */

static void __attribute__((format(printf, 2, 3))) add_text(char **text, const char *format, ...)
{
    size_t used = *text != NULL ? strlen(*text) : 0;
    va_list arguments;

    if (*text == NULL)
        *text = calloc(1, TEXT_MOST);
    if (*text == NULL || used + ENTRY_MOST >= TEXT_MOST) {
        if (*text != NULL && (*text)[used - 1] != '.')
            (void)snprintf(*text + used, TEXT_MOST - used, "; ...");
        return;
    }
    if (used > 0)
        used += (size_t)snprintf(*text + used, TEXT_MOST - used, "; ");
    va_start(arguments, format);
    (void)vsnprintf(*text + used, TEXT_MOST - used, format, arguments);
    va_end(arguments);
}

/* ---- Samples ---- */

/** A connection's time, as the tests take it. */
struct sample {
    double ms;
    uint32_t length;
    unsigned kind;
    double rank;
};

static int
compare_ms(const void *a, const void *b)
{
    double x = ((const struct sample *)a)->ms, y = ((const struct sample *)b)->ms;
    return (x > y) - (x < y);
}

static int
compare_length(const void *a, const void *b)
{
    uint32_t x = ((const struct sample *)a)->length, y = ((const struct sample *)b)->length;
    return (x > y) - (x < y);
}

/** Give each sample its rank; equal ones share theirs. They are in the order of time then. Returns
 * the sum over all ties of t^3 - t, by which a variance is smaller. */
static double
rank_samples(struct sample *samples, size_t count)
{
    double ties = 0;

    qsort(samples, count, sizeof *samples, compare_ms);
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && samples[next].ms <= samples[i].ms;)
            next++;
        double tied = (double)(next - i);
        ties += tied * tied * tied - tied;
        for (size_t j = i; j < next; j++)
            samples[j].rank = (double)(i + next + 1) / 2;
    }
    return ties;
}

/** By how many standard deviations the sum of ranks of m among n is off (Mann and Whitney). */
static double
rank_sigma(double sum, double m, double n, double ties)
{
    double variance = m * (n - m) / 12 * (n + 1 - ties / (n * (n - 1)));

    return variance > 0 ? (sum - m * (n + 1) / 2) / sqrt(variance) : 0;
}

/** The value at a share of sorted samples. */
static double
quantile(const struct sample *sorted, size_t count, double share)
{
    return count > 0 ? sorted[(size_t)(share * (double)(count - 1) + 0.5)].ms : 0;
}

/** Collect the samples of the groups in a set, or of one kind alone. NULL: no memory. */
static struct sample *
collect(const struct probe *probe, unsigned groups, int only, size_t *count)
{
    struct sample *samples = calloc(probe->try_count + 1, sizeof *samples);

    *count = 0;
    for (size_t i = 0; samples != NULL && i < probe->try_count; i++) {
        const struct probe_try *try = &probe->tries[i];
        int taken = (groups >> probe->kinds[try->kind].group & 1) != 0 &&
                    (only < 0 || (unsigned)only == try->kind);
        if (!taken || try->end < PROBE_FIN)
            continue;
        double ms = try->end == PROBE_OPEN ? probe->timeout_ms : (double)try->took_us / 1000;
        samples[(*count)++] = (struct sample){.ms = ms, .length = try->length, .kind = try->kind};
    }
    return samples;
}

/* ---- Answers, recorded flights, resets ---- */

int
probe_sum_up(const struct probe *probe, unsigned kind, struct probe_sum *sum)
{
    size_t count;
    struct sample *samples = collect(probe, ~0u, (int)kind, &count);

    memset(sum, 0, sizeof *sum);
    if (samples == NULL)
        return -1;
    for (size_t i = 0; i < probe->try_count; i++) {
        const struct probe_try *try = &probe->tries[i];
        if (try->kind != kind || try->end == PROBE_PENDING)
            continue;
        sum->tries++;
        sum->failed += try->end == PROBE_FAILED;
        sum->fin += try->end == PROBE_FIN;
        sum->rst += try->end == PROBE_RST;
        sum->open += try->end == PROBE_OPEN;
        sum->answered += try->back > 0;
        sum->back += try->back;
        if (try->back > 0 && sum->first == NULL)
            sum->first = try->first;
    }
    qsort(samples, count, sizeof *samples, compare_ms);
    sum->median_ms = quantile(samples, count, 0.5);
    sum->low_ms = quantile(samples, count, 0.1);
    sum->high_ms = quantile(samples, count, 0.9);
    free(samples);
    return 0;
}

static void
judge_kind(const struct probe *probe, struct probe_verdict *verdict, unsigned kind,
           unsigned *replays)
{
    const struct probe_kind *what = &probe->kinds[kind];
    struct probe_sum sum;
    char first[2 * PROBE_FIRST + 1] = "";

    if (probe_sum_up(probe, kind, &sum) != 0)
        return;
    if (sum.first != NULL)
        to_hex(first, sum.first, PROBE_FIRST);
    if (what->group == PROBE_REPLAYED)
        *replays += sum.answered;
    else if (what->group != PROBE_LIVE && sum.answered > (what->group == PROBE_ANSWER))
        add_text(&verdict->text[FIND_ANSWER], "%s: %u of %u, first %s", what->name, sum.answered,
                 sum.tries - sum.failed, first);
    if (sum.rst >= RESETS_LEAST && 4 * sum.rst >= sum.tries)
        add_text(&verdict->text[FIND_RESET], "%s: %u of %u", what->name, sum.rst,
                 sum.tries - sum.failed);
    if (sum.tries == sum.failed && what->group != PROBE_LIVE) {
        add_text(&verdict->note, "%s: never tried, as no connection came about", what->name);
        verdict->unjudged = 1;
    }
}

/** Live sessions that did not come about: all of them, or those after the first of a listener that
 * takes one peer. */
static void
judge_missing(const struct probe *probe, struct probe_verdict *verdict)
{
    size_t all = probe->try_count - probe->live_first, came = 0;

    for (size_t i = probe->live_first; i < probe->try_count; i++)
        came += probe->tries[i].end >= PROBE_FIN;
    if (2 * came >= all)
        return;
    add_text(&verdict->note, "%zu of %zu live sessions came about: %s", came, all,
             came > 0 ? "the listener ended, as a pipe or recv does with its first peer"
                      : "compare secret, profile and pattern");
    verdict->unjudged |= came == 0;
}

/** Tries that were never made: who listened or dialled has gone, perhaps because of one of them. */
static void
judge_gone(const struct probe *probe, struct probe_verdict *verdict)
{
    size_t pending = 0;

    for (size_t i = 0; i < probe->live_first; i++)
        pending += probe->tries[i].end == PROBE_PENDING;
    if (pending == 0)
        return;
    add_text(&verdict->note, "%zu of %zu tries were not made: the other end went away", pending,
             probe->live_first);
    verdict->unjudged = 1;
}

static void
judge_answers(const struct probe *probe, struct probe_verdict *verdict)
{
    unsigned replays = 0;

    judge_gone(probe, verdict); /* first: a note has an end */
    for (unsigned kind = 0; kind < probe->kind_count; kind++)
        judge_kind(probe, verdict, kind, &replays);
    judge_missing(probe, verdict);
    if (replays >= REPLAYS_LEAST)
        add_text(&verdict->text[FIND_REPLAY], "the recorded flight was answered %u times", replays);
    else if (replays > 0)
        add_text(&verdict->note, "the recorded flight was new to this listener: it was answered "
                                 "once, and not again");
}

/* ---- Times of kinds ---- */

/** Is one kind's time another than that of the rest, or of the reference alone? Adds a finding. */
static int
judge_against(const struct probe *probe, struct probe_verdict *verdict, unsigned groups,
              unsigned kind, int reference)
{
    size_t count, mine = 0;
    double sum = 0, medians[2] = {0, 0};
    struct sample *samples = collect(probe, groups, -1, &count);

    if (samples == NULL)
        return 0;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (reference < 0 || samples[i].kind == kind || samples[i].kind == (unsigned)reference)
            samples[kept++] = samples[i];
    double ties = rank_samples(samples, kept);
    for (int side = 0; side < 2; side++) {
        size_t all = 0, seen = 0;
        for (size_t i = 0; i < kept; i++)
            all += (samples[i].kind == kind) == side;
        for (size_t i = 0; i < kept; i++) {
            if ((samples[i].kind == kind) != side)
                continue;
            sum += side ? samples[i].rank : 0;
            if (seen++ == all / 2)
                medians[side] = samples[i].ms;
        }
        mine = all;
    }
    double z = mine > 0 ? rank_sigma(sum, (double)mine, (double)kept, ties) : 0;
    free(samples);
    if (fabs(z) < (mine < 16 ? KIND_SIGMA_FEW : KIND_SIGMA) ||
        fabs(medians[1] - medians[0]) < APART)
        return 0;
    add_text(&verdict->text[FIND_TELLS], "%s: closed after %.3f s, %s after %.3f s",
             probe->kinds[kind].name, medians[1] / 1000,
             reference < 0 ? "all others" : probe->kinds[reference].name, medians[0] / 1000);
    return 1;
}

static void
judge_kinds(const struct probe *probe, struct probe_verdict *verdict, unsigned groups)
{
    int reference = -1;

    for (unsigned kind = 0; kind < probe->kind_count && reference < 0; kind++)
        if (probe->kinds[kind].group == PROBE_NOTHING && !probe->kinds[kind].fin)
            reference = (int)kind;
    for (unsigned kind = 0; kind < probe->kind_count; kind++) {
        if ((groups >> probe->kinds[kind].group & 1) == 0)
            continue;
        if ((groups >> PROBE_NOTHING & 1) == 0)
            (void)judge_against(probe, verdict, groups, kind, -1);
        else if ((int)kind != reference)
            (void)(judge_against(probe, verdict, groups, kind, reference) ||
                   judge_against(probe, verdict, groups, kind, -1));
    }
}

/** Is there an offset from which on the close comes sooner, or later? */
static void
judge_offset(const struct probe *probe, struct probe_verdict *verdict, enum probe_group group)
{
    size_t count, best = 0;
    struct sample *samples = collect(probe, 1u << group, -1, &count);
    double sum = 0, most = 0;

    if (samples == NULL || count < JUDGED_LEAST) {
        free(samples);
        return;
    }
    double ties = rank_samples(samples, count);
    qsort(samples, count, sizeof *samples, compare_length);
    for (size_t i = 0; i + 1 < count; i++) {
        sum += samples[i].rank;
        if (samples[i].length == samples[i + 1].length)
            continue;
        double z = fabs(rank_sigma(sum, (double)(i + 1), (double)count, ties));
        if (z > most) {
            most = z;
            best = i + 1;
        }
    }
    if (most >= OFFSET_SIGMA) {
        uint32_t from = samples[best].length;
        qsort(samples, best, sizeof *samples, compare_ms);
        qsort(samples + best, count - best, sizeof *samples, compare_ms);
        double below = quantile(samples, best, 0.5);
        double above = quantile(samples + best, count - best, 0.5);
        if (fabs(below - above) >= APART)
            add_text(&verdict->text[FIND_TELLS],
                     "offset, %s: from %u bytes on closed after %.3f s, below after %.3f s",
                     group == PROBE_CUT ? "first flight" : "random bytes", from, above / 1000,
                     below / 1000);
    }
    free(samples);
}

/* ---- Constants ---- */

/** The length of the shortest interval that holds half of the sorted samples: late ones do not
 * count. */
static double
shortest_half(const struct sample *sorted, size_t count)
{
    size_t half = count / 2;
    double least = INFINITY;

    for (size_t i = 0; i + half < count; i++)
        least = fmin(least, sorted[i + half].ms - sorted[i].ms);
    return least;
}

/** Closes after a time that is drawn anew for each must lie apart. */
static void
judge_drawn(const struct probe *probe, struct probe_verdict *verdict, unsigned groups)
{
    size_t count;
    struct sample *samples = collect(probe, groups, -1, &count);

    if (samples != NULL && count >= JUDGED_LEAST) {
        qsort(samples, count, sizeof *samples, compare_ms);
        double middle = quantile(samples, count, 0.5), half = shortest_half(samples, count);
        if (middle < probe->timeout_ms && half < fmax(CLOSE_BY, CLOSE_SHARE * middle))
            add_text(&verdict->text[FIND_CONSTANT],
                     "%s: half of all close within %.0f ms of each other, after %.3f s",
                     groups == 1u << PROBE_LIVE ? "after a changed frame" : "after an answer", half,
                     middle / 1000);
    }
    free(samples);
}

/** The way there and back: what the fastest connect took, in milliseconds. */
static double
least_connect(const struct probe *probe)
{
    double least = INFINITY;

    for (size_t i = 0; i < probe->try_count; i++)
        if (probe->tries[i].end >= PROBE_FIN && probe->tries[i].connect_us > 0)
            least = fmin(least, (double)probe->tries[i].connect_us / 1000);
    return isfinite(least) ? least : 0;
}

/** A listener draws one time when it starts: that is no whole number of seconds, and not at once.
 */
static void
judge_round(const struct probe *probe, struct probe_verdict *verdict, unsigned groups)
{
    size_t count;
    struct sample *samples = collect(probe, groups, -1, &count);

    if (samples == NULL || count < JUDGED_LEAST) {
        free(samples);
        return;
    }
    qsort(samples, count, sizeof *samples, compare_ms);
    /* A busy machine only adds: the least is the nearest to what the listener meant. */
    double least = samples[0].ms, middle = quantile(samples, count, 0.5);
    double meant = least - least_connect(probe);
    double off = meant - 1000 * floor((meant + ROUND_BEFORE) / 1000);
    int is_one = quantile(samples, count, 0.25) - least < CLOSE_BY;
    if (middle >= probe->timeout_ms)
        add_text(&verdict->note,
                 "half of the connections were still open after %g s: their times "
                 "could not be judged; give a longer --timeout",
                 probe->timeout_ms / 1000.0);
    else if (middle < AT_ONCE)
        add_text(&verdict->text[FIND_CONSTANT], "unproven peers are closed at once, after %.3f s",
                 middle / 1000);
    else if (is_one && off >= -ROUND_BEFORE && off < ROUND_AFTER)
        add_text(&verdict->text[FIND_CONSTANT],
                 "unproven peers are closed after a whole number of seconds, %.3f s", meant / 1000);
    verdict->unjudged |= middle >= probe->timeout_ms;
    free(samples);
}

int
probe_judge(const struct probe *probe, struct probe_verdict *verdict)
{
    const unsigned live = 1u << PROBE_LIVE, answer = 1u << PROBE_ANSWER,
                   unproven = ~(live | answer);
    static const int codes[FINDINGS] = {EXIT_ANSWERS, EXIT_REPLAYS, EXIT_RESETS, EXIT_TELLS,
                                        EXIT_CONSTANT};

    memset(verdict, 0, sizeof *verdict);
    judge_answers(probe, verdict);
    if (!probe->is_client) {
        judge_offset(probe, verdict, PROBE_CUT);
        judge_offset(probe, verdict, PROBE_NOISE);
        judge_kinds(probe, verdict, unproven);
        judge_round(probe, verdict, unproven);
    }
    judge_kinds(probe, verdict, probe->is_client ? answer : live);
    judge_drawn(probe, verdict, probe->is_client ? answer : live);
    for (unsigned i = 0; i < FINDINGS; i++)
        if (verdict->text[i] != NULL)
            return codes[i];
    return verdict->unjudged ? EXIT_SLOW : EXIT_DONE;
}

void
probe_verdict_free(struct probe_verdict *verdict)
{
    for (unsigned i = 0; i < FINDINGS; i++)
        free(verdict->text[i]);
    free(verdict->note);
    memset(verdict, 0, sizeof *verdict);
}
