/*
 * How far a transfer is (see progress.h).
 */
#include "progress.h"

#include "log.h"
#include "os/os.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LINE_MS = 200, PLAIN_MS = 10000, SLOW_MS = 3000 };
enum { NAME_SHOWN = 40, COLUMNS = 80 }; /* bytes of a name; of a terminal whose width is unknown */

/** A line that is written anew takes a terminal that can go back and erase. */
static int
can_erase(void)
{
    const char *kind = getenv("TERM");
    return kind != NULL && strcmp(kind, "dumb") != 0;
}

void
progress_begin(struct progress *p, const struct options *o)
{
    memset(p, 0, sizeof *p);
    p->begun_ms = p->shown_ms = p->moved_ms = duet__os_now_ms();
    p->style = (enum progress_style)o->progress;
    if (p->style == PROGRESS_AUTO)
        p->style = isatty(2) && can_erase() ? PROGRESS_LINE : PROGRESS_PLAIN;
    if (log_level < 0)
        p->style = PROGRESS_NONE;
}

/** Bytes in the unit that a reader likes. */
static const char *
size_text(char out[32], double bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;

    for (; bytes >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        bytes /= 1024;
    snprintf(out, 32, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return out;
}

static double
bytes_per_second(uint64_t bytes, uint64_t since_ms, uint64_t now)
{
    return now > since_ms ? (double)bytes * 1000 / (double)(now - since_ms) : 0;
}

/** The end of a name, which says more than its beginning, in so many bytes. */
static const char *
end_of(const char *name, size_t room)
{
    size_t size = strlen(name);
    size_t cut = size > room ? size - room : 0;

    while (((unsigned char)name[cut] >> 6) == 2) /* in the middle of a character */
        cut++;
    return name + cut;
}

/** A line that a terminal breaks could not be written anew. */
static size_t
terminal_columns(void)
{
    struct winsize size;

    return ioctl(2, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS;
}

static void
show_line(struct progress *p, const char *rest)
{
    size_t width = terminal_columns() - 1, size = strlen(rest);
    size_t room = width > size ? width - size : 0;

    fprintf(stderr, "\r%s%.*s\033[K", end_of(p->name, room), (int)width, rest);
    p->open = 1;
}

static void
show_progress(struct progress *p, uint64_t now)
{
    char verified[32], total[32] = "?", speed[32], left[48] = "", rest[192];
    double per_second = bytes_per_second(p->verified - p->skipped, p->file_ms, now);
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
    snprintf(rest, sizeof rest, "  %s/%s  %s/s%s%s", size_text(verified, (double)p->verified),
             total, size_text(speed, per_second), left, slow ? ", peer is slow" : "");
    if (p->style == PROGRESS_LINE)
        show_line(p, rest);
    else
        fprintf(stderr, "duet: %s%s\n", p->name, rest);
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
    show_progress(p, now);
}

void
progress_file(struct progress *p, const char *name, uint64_t total, uint64_t skipped)
{
    const char *safe = printable(name);
    const char *end = end_of(safe, NAME_SHOWN);

    snprintf(p->name, sizeof p->name, "%s%s", end > safe ? "..." : "", end);
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
    p->bytes += verified - p->verified;
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
        printf("{\"files\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"octets\": %" PRIu64
               ", \"there\": %" PRIu64 ", \"seconds\": %.3f, \"receipt\": \"%s\"}\n",
               p->files, p->bytes, p->bytes, p->there, seconds, receipt);
        return;
    }
    if (p->there > 0)
        snprintf(there, sizeof there, "%s more were there already and are equal, ",
                 size_text(equal, (double)p->there));
    if (log_level >= 0)
        fprintf(stderr, "duet: %" PRIu64 " %s, %s in %.1f s, %s/s, %sreceipt %s\n", p->files,
                p->files == 1 ? "file" : "files", size_text(size, (double)p->bytes), seconds,
                size_text(speed, bytes_per_second(p->bytes, p->begun_ms, now)), there, receipt);
}
