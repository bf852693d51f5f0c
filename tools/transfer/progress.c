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
    pthread_mutex_init(&p->lock, NULL);
    p->begun_ms = p->shown_ms = p->moved_ms = duet__os_now_ms();
    p->style = (enum progress_style)o->progress;
    if (p->style == PROGRESS_AUTO)
        p->style = isatty(2) && can_erase() ? PROGRESS_LINE : PROGRESS_PLAIN;
    if (log_level < 0)
        p->style = PROGRESS_NONE;
}

void
progress_silent(struct progress *p)
{
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
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

/** A time as 1:02:03, or 2:03. */
static const char *
time_text(char out[32], double seconds)
{
    unsigned s = seconds < 359999 ? (unsigned)seconds : 359999;

    if (s >= 3600)
        snprintf(out, 32, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, 32, "%u:%02u", s / 60, s % 60);
    return out;
}

/** What comes after the name; its first 39 columns say all that matters. */
static void
rest_text(char out[192], const struct progress *p, uint64_t now)
{
    uint64_t verified = p->running + p->there;
    double per_second = bytes_per_second(p->running, p->begun_ms, now);
    char files[64] = "", size[32], total[48] = "", speed[32], left[48] = "";

    if (p->total_files > 1)
        snprintf(files, sizeof files, "  %" PRIu64 "/%" PRIu64, p->files, p->total_files);
    if (p->total_bytes > 0) {
        uint64_t part = verified < p->total_bytes ? verified : p->total_bytes;
        snprintf(total, sizeof total, " %.0f%%", 100.0 * (double)part / (double)p->total_bytes);
        char text[32];
        if (per_second > 0)
            snprintf(left, sizeof left, " %s left",
                     time_text(text, (double)(p->total_bytes - part) / per_second));
    }
    int slow = now - p->moved_ms >= SLOW_MS;
    snprintf(out, 192, "%s  %s%s  %s/s%s", files, size_text(size, (double)verified), total,
             size_text(speed, per_second), slow ? ", peer is slow" : left);
}

static void
show_progress(struct progress *p, uint64_t now)
{
    char rest[192];

    if (p->style == PROGRESS_JSON) {
        fprintf(stderr,
                "{\"verified\": %" PRIu64 ", \"total\": %" PRIu64 ", \"rate\": %.0f, "
                "\"files\": %" PRIu64 ", \"files_total\": %" PRIu64 "}\n",
                p->running + p->there, p->total_bytes,
                bytes_per_second(p->running, p->begun_ms, now), p->files, p->total_files);
        return;
    }
    rest_text(rest, p, now);
    if (p->style == PROGRESS_LINE)
        show_line(p, rest);
    else
        fprintf(stderr, "duet: %s%s\n", p->name, rest);
}

void
progress_tick(struct progress *p)
{
    uint64_t now = duet__os_now_ms();

    if (p->style == PROGRESS_NONE)
        return;
    pthread_mutex_lock(&p->lock);
    if (p->name[0] != 0 && now - p->shown_ms >= (p->style == PROGRESS_PLAIN ? PLAIN_MS : LINE_MS)) {
        p->shown_ms = now;
        show_progress(p, now);
    }
    pthread_mutex_unlock(&p->lock);
}

void
progress_total(struct progress *p, uint64_t files, uint64_t bytes)
{
    pthread_mutex_lock(&p->lock);
    p->total_files = files;
    p->total_bytes = bytes;
    pthread_mutex_unlock(&p->lock);
}

void
progress_name(struct progress *p, const char *name)
{
    if (p->style == PROGRESS_NONE)
        return;
    const char *safe = printable(name);
    const char *end = end_of(safe, NAME_SHOWN);

    pthread_mutex_lock(&p->lock);
    snprintf(p->name, sizeof p->name, "%s%s", end > safe ? "..." : "", end);
    pthread_mutex_unlock(&p->lock);
}

void
progress_moved(struct progress *p, uint64_t running)
{
    pthread_mutex_lock(&p->lock);
    if (running + p->beside > p->running) {
        p->running = running + p->beside;
        p->moved_ms = duet__os_now_ms();
    }
    pthread_mutex_unlock(&p->lock);
}

void
progress_beside(struct progress *p, uint64_t bytes)
{
    pthread_mutex_lock(&p->lock);
    p->beside += bytes;
    p->running += bytes;
    p->moved_ms = duet__os_now_ms();
    pthread_mutex_unlock(&p->lock);
}

void
progress_stored(struct progress *p, uint64_t bytes, uint64_t there)
{
    pthread_mutex_lock(&p->lock);
    p->files++;
    p->bytes += bytes;
    p->there += there;
    pthread_mutex_unlock(&p->lock);
}

void
progress_break(struct progress *p)
{
    pthread_mutex_lock(&p->lock);
    if (p->open)
        fputc('\n', stderr);
    p->open = 0;
    pthread_mutex_unlock(&p->lock);
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
        fprintf(stderr,
                "duet: %" PRIu64 " %s, %s in %.1f s, %s/s, %sboth ends hold the same receipt %s\n",
                p->files, p->files == 1 ? "file" : "files", size_text(size, (double)p->bytes),
                seconds, size_text(speed, bytes_per_second(p->bytes, p->begun_ms, now)), there,
                receipt);
}
