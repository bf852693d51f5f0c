/*
 * Metrics (see metrics.h): one table of what is counted for a tunnel, one for a process. Names and
 * labels are an interface; what is counted is in counters.h.
 */
#include "metrics.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_MOST = 4096 };

struct metric {
    const char *name, *kind, *help;
    const char *label; /* another label of this one, or "" */
    size_t at;         /* in struct counters, or in struct process_counters */
};

#define ROW(field) offsetof(struct counters, field)
#define OWN(field) offsetof(struct process_counters, field)

/* Lines of one name stand together. */
static const struct metric of_tunnels[] = {
    {"duet_connections_accepted_total", "counter", "Connections accepted.", "", ROW(accepted)},
    {"duet_handshakes_total", "counter", "Peers that authenticated.", "", ROW(handshakes)},
    {"duet_connections_finished_total", "counter", "Connections that both ends closed.", "",
     ROW(finished)},
    {"duet_connections_failed_total", "counter",
     "Connections that ended otherwise once they were open.", "", ROW(failed)},
    {"duet_connections_refused_total", "counter", "Connections refused by a limit or a policy.", "",
     ROW(refused)},
    {"duet_connections_unreached_total", "counter", "Connections for which no target was reached.",
     "", ROW(unreached)},
    {"duet_strangers_total", "counter", "Unauthenticated peers.", "", ROW(unauthenticated)},
    {"duet_dial_failures_total", "counter", "Attempts at an address of a target that failed.", "",
     ROW(dial_failures)},
    {"duet_plain_bytes_total", "counter", "Bytes of the plain side.", ",direction=\"in\"",
     ROW(bytes_in)},
    {"duet_plain_bytes_total", NULL, NULL, ",direction=\"out\"", ROW(bytes_out)},
    {"duet_connections_open", "gauge", "Connections now.", "", ROW(open)},
    {"duet_connections_half_open", "gauge", "Half-open connections now.", "", ROW(half_open)},
    {"duet_connections_waiting", "gauge", "Connections of a reversed tunnel that wait to be used.",
     "", ROW(waiting)},
    {"duet_limit_reached_total", "counter", "How often a limit was reached.",
     ",limit=\"max-connections\"", ROW(limit_reached[LIMIT_CONNECTIONS])},
    {"duet_limit_reached_total", NULL, NULL, ",limit=\"max-from-source\"",
     ROW(limit_reached[LIMIT_SOURCE])},
    {"duet_limit_reached_total", NULL, NULL, ",limit=\"max-half-open\"",
     ROW(limit_reached[LIMIT_HALF_OPEN])},
    {"duet_limit_reached_total", NULL, NULL, ",limit=\"max-from-secret\"",
     ROW(limit_reached[LIMIT_SECRET])},
    {"duet_limit_reached_total", NULL, NULL, ",limit=\"trial-rate\"",
     ROW(limit_reached[LIMIT_TRIALS])},
    {"duet_datagrams_total", "counter", "Datagrams of UDP on the plain side.", ",direction=\"in\"",
     ROW(datagrams_in)},
    {"duet_datagrams_total", NULL, NULL, ",direction=\"out\"", ROW(datagrams_out)},
    {"duet_datagrams_dropped_total", "counter",
     "Datagrams dropped by a full queue, a limit or a socket that took none.", "",
     ROW(datagrams_dropped)},
    {"duet_datagrams_refused_total", "counter",
     "How often ICMP told that a target's port of UDP is closed.", "", ROW(datagrams_refused)}};

static const struct metric of_processes[] = {
    {"duet_reloads_total", "counter", "Configurations loaded by a reload.", "", OWN(reloads)},
    {"duet_reload_failures_total", "counter", "Reloads that failed; the old configuration stayed.",
     "", OWN(reload_failures)},
    {"duet_accept_pauses_total", "counter",
     "How often accepting stopped for the lack of descriptors or memory.", "", OWN(accept_pauses)},
    {"duet_accept_paused", "gauge", "1 while it is stopped.", "", OWN(accept_paused)}};

/* ---- The text ---- */

static uint64_t
number_at(const void *counters, size_t at)
{
    uint64_t number;

    memcpy(&number, (const char *)counters + at, sizeof number);
    return number;
}

static void
put_head(FILE *out, const struct metric *metric)
{
    if (metric->kind != NULL)
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
                metric->kind);
}

/** A row in which a worker counts for a tunnel. */
struct row {
    const struct counters *counters;
    size_t first; /* among all rows: the first one of its name, which has the sum */
    uint64_t sum; /* of one metric */
};

/** The first of some rows that has a name; count: there is none. likely: where it may be. */
static size_t
find_row(const struct row *rows, size_t count, const char *name, size_t likely)
{
    if (likely < count && strcmp(rows[likely].counters->name, name) == 0)
        return rows[likely].first;
    for (size_t i = 0; i < count; i++)
        if (rows[i].first == i && strcmp(rows[i].counters->name, name) == 0)
            return i;
    return count;
}

/** List the rows that are in use. Workers count for a tunnel in the same row, unless reloads came
 * between, so that few names are searched for. Returns how many there are. */
static size_t
list_rows(struct row *rows, const struct admin_view *view)
{
    size_t before[TUNNEL_ROWS] = {0}, count = 0;

    for (unsigned w = 0; w < view->workers; w++)
        for (size_t r = 0; r < TUNNEL_ROWS; r++) {
            const struct counters *counters = &view->counted[w].tunnels[r];
            if (counters->name[0] == 0)
                continue;
            size_t first = find_row(rows, count, counters->name, w > 0 ? before[r] : SIZE_MAX);
            rows[count] = (struct row){counters, first, 0};
            before[r] = count++;
        }
    return count;
}

static void
put_tunnels(FILE *out, const struct metric *metric, struct row *rows, size_t count)
{
    put_head(out, metric);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].first == i)
            rows[i].sum = 0;
        rows[rows[i].first].sum += number_at(rows[i].counters, metric->at);
    }
    for (size_t i = 0; i < count; i++)
        if (rows[i].first == i)
            fprintf(out, "%s{tunnel=\"%s\"%s} %llu\n", metric->name, rows[i].counters->name,
                    metric->label, (unsigned long long)rows[i].sum);
}

static void
put_processes(FILE *out, const struct admin_view *view)
{
    for (size_t i = 0; i < sizeof of_processes / sizeof of_processes[0]; i++) {
        put_head(out, &of_processes[i]);
        for (unsigned w = 0; w < view->workers; w++)
            fprintf(out, "%s{worker=\"%u\"} %llu\n", of_processes[i].name, w,
                    (unsigned long long)number_at(&view->counted[w].process, of_processes[i].at));
    }
    fprintf(out, "# HELP duet_worker_up 1 while the process runs.\n# TYPE duet_worker_up gauge\n");
    for (unsigned w = 0; w < view->workers; w++)
        fprintf(out, "duet_worker_up{worker=\"%u\"} %d\n", w, view->counted[w].process.pid != 0);
    fprintf(out, "# HELP duet_start_time_seconds When the process began, in Unix time.\n"
                 "# TYPE duet_start_time_seconds gauge\n");
    for (unsigned w = 0; w < view->workers; w++)
        fprintf(out, "duet_start_time_seconds{worker=\"%u\"} %.3f\n", w,
                (double)view->counted[w].process.started_unix_ms / 1000);
}

void
metrics_put(FILE *out, const struct admin_view *view)
{
    struct row *rows = calloc((size_t)view->workers * TUNNEL_ROWS, sizeof *rows);
    size_t count = rows != NULL ? list_rows(rows, view) : 0;

    fprintf(out, "# HELP duet_build_info The program.\n# TYPE duet_build_info gauge\n"
                 "duet_build_info{version=\"" DUET_VERSION "\"} 1\n");
    if (rows == NULL)
        fprintf(out, "# no memory for the tunnels\n");
    for (size_t i = 0; i < sizeof of_tunnels / sizeof of_tunnels[0]; i++)
        put_tunnels(out, &of_tunnels[i], rows, count);
    free(rows);
    put_processes(out, view);
}

/* ---- The file ---- */

/** Write a new file, which nobody made before. Returns 0, or -1. */
static int
write_new(const char *path, const struct admin_view *view)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (file == NULL) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    metrics_put(file, view);
    int bad = ferror(file);
    return fclose(file) != 0 || bad ? -1 : 0;
}

int
metrics_write(const char *path, const struct admin_view *view)
{
    char other[PATH_MOST];
    struct stat status;

    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        errno = EEXIST; /* a device or a pipe: rename() would replace it */
        return -1;
    }
    int n = snprintf(other, sizeof other, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof other) {
        errno = ENAMETOOLONG;
        return -1;
    }
    unlink(other); /* what a process that died left */
    if (write_new(other, view) == 0 && rename(other, path) == 0)
        return 0;
    int error = errno;
    unlink(other);
    errno = error;
    return -1;
}

struct metrics {
    uv_timer_t timer;
    const struct admin_view *view;
    char *path;
    int failing; /* 1: it was logged */
};

static void
on_refresh_timer(uv_timer_t *timer)
{
    struct metrics *metrics = timer->data;
    int bad = metrics_write(metrics->path, metrics->view) != 0;
    const char *what = bad && errno == EEXIST ? "something else than a file is there" : NULL;

    if (bad && !metrics->failing)
        log_warning("metrics file %s: %s; it is tried again", printable(metrics->path),
                    what != NULL ? what : errno_text());
    metrics->failing = bad;
}

int
metrics_start(struct metrics **metrics, struct admin_view *view, const char *path, int interval_ms)
{
    struct metrics *made = calloc(1, sizeof *made);
    char *copy = strdup(path);

    *metrics = NULL;
    if (made == NULL || copy == NULL) {
        free(made);
        free(copy);
        return log_error(EXIT_LIMIT, "no memory");
    }
    made->view = view;
    made->path = copy;
    made->timer.data = made;
    uv_timer_init(view->loop, &made->timer);
    uv_timer_start(&made->timer, on_refresh_timer, 0, (uint64_t)interval_ms);
    uv_unref((uv_handle_t *)&made->timer); /* does not keep the service running */
    *metrics = made;
    return EXIT_DONE;
}

static void
free_metrics(uv_handle_t *handle)
{
    struct metrics *metrics = handle->data;

    free(metrics->path);
    free(metrics);
}

void
metrics_leave(struct metrics *metrics)
{
    if (metrics != NULL)
        uv_close((uv_handle_t *)&metrics->timer, free_metrics);
}

void
metrics_stop(struct metrics *metrics)
{
    if (metrics != NULL)
        on_refresh_timer(&metrics->timer);
    metrics_leave(metrics);
}
