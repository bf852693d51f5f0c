/*
 * How far a transfer is (see progress.h).
 */
#include "progress.h"

#include "os/os.h"
#include "say.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MS = 200, PLAIN_MS = 10000, SLOW_MS = 3000 };

/** A line that is written anew takes a terminal that can go back and erase. */
static int
can_erase(void)
{
    const char *kind = getenv("TERM");
    return kind != NULL && strcmp(kind, "dumb") != 0;
}

int
progress_begin(struct progress *p, const struct options *o)
{
    static const char *const names[] = {"auto", "plain", "json", "none"};
    static const enum progress_style styles[] = {PROGRESS_LINE, PROGRESS_PLAIN, PROGRESS_JSON,
                                                 PROGRESS_NONE};

    memset(p, 0, sizeof *p);
    p->begun_ms = p->shown_ms = p->moved_ms = duet__os_now_ms();
    p->style = isatty(2) && can_erase() ? PROGRESS_LINE : PROGRESS_PLAIN;
    for (size_t i = 0; o->progress != NULL && i <= 4; i++) {
        if (i == 4)
            return fail(EXIT_USAGE, "--progress %s: not auto, plain, json or none",
                        shown(o->progress));
        if (strcmp(o->progress, names[i]) != 0)
            continue;
        if (i > 0)
            p->style = styles[i];
        break;
    }
    if (say_level < 0)
        p->style = PROGRESS_NONE;
    return EXIT_DONE;
}

/** Octets in the unit that a reader likes. */
static const char *
size_text(char out[32], double octets)
{
    static const char *const units[] = {"octets", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;

    for (; octets >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        octets /= 1024;
    snprintf(out, 32, unit == 0 ? "%.0f %s" : "%.1f %s", octets, units[unit]);
    return out;
}

static double
rate(uint64_t octets, uint64_t since_ms, uint64_t now)
{
    return now > since_ms ? (double)octets * 1000 / (double)(now - since_ms) : 0;
}

static void
show(struct progress *p, uint64_t now)
{
    char verified[32], total[32] = "?", speed[32], left[48] = "";
    double per_second = rate(p->verified - p->skipped, p->file_ms, now);
    int slow = now - p->moved_ms >= SLOW_MS;

    if (p->style == PROGRESS_JSON) {
        fprintf(stderr, "{\"verified\": %" PRIu64 ", \"total\": %" PRIu64 ", \"rate\": %.0f}\n",
                p->verified, p->total, per_second);
        return;
    }
    if (p->total != UINT64_MAX)
        size_text(total, (double)p->total);
    if (p->total != UINT64_MAX && per_second > 0 && !slow)
        snprintf(left, sizeof left, ", %.0f s left", (double)(p->total - p->verified) / per_second);
    fprintf(stderr, "%s%s  %s/%s  %s/s%s%s%s", p->style == PROGRESS_LINE ? "\r" : "duet: ", p->name,
            size_text(verified, (double)p->verified), total, size_text(speed, per_second), left,
            slow ? ", peer is slow" : "", p->style == PROGRESS_LINE ? "\033[K" : "\n");
    p->open = p->style == PROGRESS_LINE;
}

void
progress_tick(struct progress *p)
{
    uint64_t now = duet__os_now_ms();

    if (p->style == PROGRESS_NONE || p->name[0] == 0)
        return;
    if (now - p->shown_ms < (p->style == PROGRESS_PLAIN ? PLAIN_MS : LINE_MS))
        return;
    p->shown_ms = now;
    show(p, now);
}

void
progress_file(struct progress *p, const char *name, uint64_t total, uint64_t skipped)
{
    /* The end of a long name says more than its beginning. */
    const char *safe = shown(name);
    size_t size = strlen(safe);
    size_t cut = size > 40 ? size - 40 : 0;

    while (cut > 0 && cut < size && ((unsigned char)safe[cut] >> 6) == 2)
        cut++;
    snprintf(p->name, sizeof p->name, "%s%s", cut > 0 ? "..." : "", safe + cut);
    p->total = total;
    p->verified = p->skipped = skipped;
    p->there += skipped;
    p->file_ms = p->moved_ms = duet__os_now_ms();
}

void
progress_move(struct progress *p, uint64_t verified)
{
    if (verified <= p->verified)
        return;
    p->octets += verified - p->verified;
    p->verified = verified;
    p->moved_ms = duet__os_now_ms();
}

void
progress_break(struct progress *p)
{
    if (p->open)
        fputc('\n', stderr);
    p->open = 0;
}

void
progress_end(struct progress *p, const char *receipt, const struct options *o)
{
    uint64_t now = duet__os_now_ms();
    char size[32], speed[32], equal[32], there[96] = "";
    double seconds = (double)(now - p->begun_ms) / 1000;

    progress_break(p);
    if (o->json) {
        printf("{\"files\": %" PRIu64 ", \"octets\": %" PRIu64 ", \"there\": %" PRIu64
               ", \"seconds\": %.3f, \"receipt\": \"%s\"}\n",
               p->files, p->octets, p->there, seconds, receipt);
        return;
    }
    if (p->there > 0)
        snprintf(there, sizeof there, "%s more were there already and are equal, ",
                 size_text(equal, (double)p->there));
    if (say_level >= 0)
        fprintf(stderr, "duet: %" PRIu64 " %s, %s in %.1f s, %s/s, %sreceipt %s\n", p->files,
                p->files == 1 ? "file" : "files", size_text(size, (double)p->octets), seconds,
                size_text(speed, rate(p->octets, p->begun_ms, now)), there, receipt);
}
