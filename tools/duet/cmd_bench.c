/*
 * duet bench: what this machine does with kernels, frames and handshakes, beside libssl where the
 * command was built with it.
 *
 * The measuring is bench/'s; this keeps the figures and shows them, a table for each case with the
 * contenders as columns. Channels, memory and other libraries are for scripts/bench.
 */
#include "bench/bench.h"
#include "commands.h"
#include "log.h"

#include <duet/duet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 11, QUICK_ROUNDS = 3, ROWS_MOST = 1024, WIDTH_LEAST = 8 };
static const uint64_t SLICE_NS = 2000000, QUICK_SLICE_NS = 100000;

static const struct peer *const frame_peers[] = {
    &peer_duet,   &peer_duet_two,
#if BENCH_LIBSSL
    &peer_libssl, &peer_libssl_chacha20,
#endif
    NULL,
};

static const struct peer *const handshake_peers[] = {
    &peer_duet,   &peer_duet_identity, &peer_duet_secret,
#if BENCH_LIBSSL
    &peer_libssl, &peer_libssl_psk,
#endif
    NULL,
};

/** The figures; more than ROWS_MOST would be a benchmark that grew. */
struct figures {
    struct bench_row rows[ROWS_MOST];
    size_t count;
};

static void
keep(void *context, const struct bench_row *row)
{
    struct figures *figures = context;
    if (figures->count < ROWS_MOST)
        figures->rows[figures->count++] = *row;
}

static int
measure(struct figures *figures, int quick)
{
    struct bench bench = {.rounds = quick ? QUICK_ROUNDS : ROUNDS,
                          .slice_ns = quick ? QUICK_SLICE_NS : SLICE_NS,
                          .take = keep,
                          .context = figures};
    if (bench_kernel(&bench) != 0 || bench_frame(&bench, frame_peers) != 0)
        return -1;
    return bench_handshake(&bench, handshake_peers);
}

/* ---- For people ---- */

static int
same_case(const struct bench_row *a, const struct bench_row *b)
{
    return strcmp(a->bench, b->bench) == 0 && strcmp(a->what, b->what) == 0 &&
           strcmp(a->unit, b->unit) == 0;
}

/** Three digits that count, and a unit that suits. */
static void
show_value(const struct bench_row *row, int width)
{
    char text[32];
    double value = row->median;
    int counted = strcmp(row->unit, "bytes") == 0 || strcmp(row->unit, "flights") == 0;
    const char *unit = strcmp(row->unit, "ns") == 0 ? " ns" : "";
    if (*unit != 0 && value >= 1e6) {
        value /= 1e6;
        unit = " ms";
    } else if (*unit != 0 && value >= 1e4) {
        value /= 1e3;
        unit = log_ascii ? " us" : " µs";
        width += !log_ascii; /* µ has two bytes */
    }
    int digits = counted || value >= 100 ? 0 : value >= 10 ? 1 : 2;
    snprintf(text, sizeof text, "%.*f%s", digits, value, unit);
    printf("  %*s", width, text);
}

/** The widest that a column must be: its name, or a value. */
static int
column_width(const struct bench_row *row)
{
    int name = (int)strlen(row->contender);
    return name > WIDTH_LEAST ? name : WIDTH_LEAST;
}

/** One line: all figures of a case and a size, which stand behind each other. */
static size_t
show_line(const struct bench_row *rows, size_t count)
{
    size_t n = 0;
    if (rows->size > 0)
        printf("%10" PRIu64, rows->size);
    else
        printf("%10s", "");
    for (; n < count && same_case(rows, &rows[n]) && rows[n].size == rows->size; n++)
        show_value(&rows[n], column_width(&rows[n]));
    putchar('\n');
    return n;
}

static void
show_heading(const struct bench_row *rows, size_t count)
{
    const char *unit = rows->unit;
    if (strcmp(unit, "ratio") == 0)
        unit = "the first's time to the second's";
    else if (strcmp(unit, "ns") == 0)
        unit = "time";
    printf("\n%s, %s: %s\n%10s", rows->bench, rows->what, unit, rows->size > 0 ? "bytes" : "");
    for (size_t n = 0; n < count && same_case(rows, &rows[n]) && rows[n].size == rows->size; n++)
        printf("  %*s", column_width(&rows[n]), rows[n].contender);
    putchar('\n');
}

/** All lines of the case that the first row is of, wherever they stand. */
static void
show_case(const struct bench_row *rows, size_t count)
{
    show_heading(rows, count);
    for (size_t i = 0; i < count;)
        i += same_case(rows, &rows[i]) ? show_line(&rows[i], count - i) : 1;
}

static int
is_first_of_case(const struct bench_row *rows, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (same_case(&rows[k], &rows[i]))
            return 0;
    return 1;
}

static void
show(const struct figures *figures)
{
    printf("duet %s, kernel %s\n", duet_version(), duet_kernel_name());
    for (size_t i = 0; i < figures->count; i++)
        if (is_first_of_case(figures->rows, i))
            show_case(&figures->rows[i], figures->count - i);
}

/* ---- For programs ---- */

static void
show_json(const struct figures *figures)
{
    printf("{\"version\": \"%s\", \"kernel\": \"%s\", \"figures\": [", duet_version(),
           duet_kernel_name());
    for (size_t i = 0; i < figures->count; i++) {
        const struct bench_row *row = &figures->rows[i];
        printf("%s\n  {\"bench\": \"%s\", \"case\": \"%s\", \"bytes\": %" PRIu64
               ", \"contender\": \"%s\", \"unit\": \"%s\", \"median\": %.4g, \"low\": %.4g, "
               "\"high\": %.4g, \"rounds\": %u}",
               i > 0 ? "," : "", row->bench, row->what, row->size, row->contender, row->unit,
               row->median, row->low, row->high, row->rounds);
    }
    puts("\n]}");
}

static int
run(struct options *o)
{
    static struct figures figures;

    if (duet_init() != DUET_OK)
        return log_error(EXIT_FAILED, "libcrypto has no AES-256-CTR or AES-256-GCM");
    if (measure(&figures, o->quick) != 0)
        return log_error(EXIT_FAILED, "a benchmark failed");
    if (o->json)
        show_json(&figures);
    else
        show(&figures);
    return finish_output(EXIT_DONE);
}

static const struct poptOption own[] = {
    {"quick", 0, POPT_ARG_NONE, &options.quick, 0, "In a second, too short to be believed", NULL},
    POPT_TABLEEND};

const struct command cmd_bench = {
    .name = "bench",
    .usage = "[--quick] [--json]",
    .about = "This machine: kernels, frames, handshakes, beside libssl.",
    .groups = OPTIONS_JSON,
    .own = own,
    .run = run,
};
