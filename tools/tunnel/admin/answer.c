/*
 * Answers to requests (see answer.h): a function for each, in a table. The words are in request.h.
 */
#include "answer.h"

#include "log.h"
#include "metrics.h"
#include "os/os.h"
#include "record.h"
#include "sockets.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_SHOWN_MS = 60000 };

/** What a request did: an exit code, and a reason unless it is EXIT_DONE. */
struct outcome {
    int code;
    const char *reason;
};

static const struct outcome done;

/* ---- Texts ---- */

/** Print an object as a line. */
static void
put_json(FILE *out, json_t *object)
{
    if (object == NULL || json_dumpf(object, out, JSON_COMPACT | JSON_REAL_PRECISION(12)) != 0)
        fprintf(out, "{\"error\":\"no memory\"}");
    fputc('\n', out);
    json_decref(object);
}

static json_t *
json_text(const char *text)
{
    char room[1024];

    return text != NULL ? json_string(printable_copy(room, sizeof room, text)) : json_null();
}

static json_t *
json_words(const struct strlist *words)
{
    json_t *list = json_array();

    for (size_t i = 0; i < words->count; i++)
        (void)json_array_append_new(list, json_text(words->at[i]));
    return list;
}

/* ---- Status and health ---- */

static const char *
process_state(const struct admin_view *view)
{
    if (view->draining)
        return "draining";
    return view->counted[view->worker].process.accept_paused ? "paused" : "serving";
}

/** What is counted for a tunnel in this process. */
static const struct counters *
counters_of(const struct admin_view *view, const struct tunnel_settings *t)
{
    static const struct counters none;
    const struct counters *rows = view->counted[view->worker].tunnels;

    for (size_t row = 0; row < TUNNEL_ROWS; row++)
        if (strcmp(rows[row].name, t->name) == 0)
            return &rows[row];
    return &none;
}

static void
add_bound(const char *address, void *list)
{
    (void)json_array_append_new(list, json_text(address));
}

/** Where a tunnel listens, with the ports that the system chose. */
static json_t *
json_bound(const struct admin_view *view, const struct tunnel_settings *t)
{
    json_t *list = json_array();

    if (view->each_bound != NULL)
        view->each_bound(view->service, t, add_bound, list);
    return list;
}

/** 1 when a limit holds connections back now, or did in the last minute. */
static int
is_limited(const struct counters *c, const struct tunnel_settings *t, enum limit_kind kind)
{
    if (kind == LIMIT_CONNECTIONS)
        return t->most_connections > 0 && c->open >= t->most_connections;
    return duet__os_unix_ms() < c->limit_unix_ms[kind] + LIMIT_SHOWN_MS;
}

/** The limits that hold connections back. */
static json_t *
json_limits(const struct counters *c, const struct tunnel_settings *t)
{
    json_t *list = json_array();

    for (int kind = 0; kind < LIMITS; kind++)
        if (is_limited(c, t, (enum limit_kind)kind))
            (void)json_array_append_new(list,
                                        json_string(counters_limit_name((enum limit_kind)kind)));
    return list;
}

static void
put_process(FILE *out, const struct admin_view *view)
{
    const struct process_counters *p = &view->counted[view->worker].process;
    uint64_t now = duet__os_unix_ms();
    double uptime = now > p->started_unix_ms ? (double)(now - p->started_unix_ms) / 1000 : 0.0;

    put_json(out, json_pack("{ss, si, si, sI, ss, sf, sI, sI, sI, sb}", "version", DUET_VERSION,
                            "worker", (int)view->worker, "workers", (int)view->workers, "pid",
                            (json_int_t)p->pid, "state", process_state(view), "uptime", uptime,
                            "reloads", (json_int_t)p->reloads, "reload_failures",
                            (json_int_t)p->reload_failures, "accept_pauses",
                            (json_int_t)p->accept_pauses, "accept_paused", p->accept_paused != 0));
}

static void
put_tunnel(FILE *out, const struct admin_view *view, const struct tunnel_settings *t)
{
    const struct counters *c = counters_of(view, t);

    put_json(out,
             json_pack("{ss, ss, so, so, sI, sI, sI, sI, sI, sI, sI, sI, sI, sI, sI, sI, sI, sI, "
                       "sI, sI, sI, sI, sI, so, so, so}",
                       "tunnel", t->name, "side", t->side == TUNNEL_CLIENT ? "client" : "server",
                       "listen", json_words(&t->listen), "target", json_words(&t->targets), "open",
                       (json_int_t)c->open, "half_open", (json_int_t)c->half_open, "waiting",
                       (json_int_t)c->waiting, "accepted", (json_int_t)c->accepted, "handshakes",
                       (json_int_t)c->handshakes, "finished", (json_int_t)c->finished, "failed",
                       (json_int_t)c->failed, "refused", (json_int_t)c->refused, "unreached",
                       (json_int_t)c->unreached, "strangers", (json_int_t)c->unauthenticated,
                       "dial_failures", (json_int_t)c->dial_failures, "bytes_in",
                       (json_int_t)c->bytes_in, "bytes_out", (json_int_t)c->bytes_out, "octets_in",
                       (json_int_t)c->bytes_in, "octets_out", (json_int_t)c->bytes_out,
                       "datagrams_in", (json_int_t)c->datagrams_in, "datagrams_out",
                       (json_int_t)c->datagrams_out, "datagrams_dropped",
                       (json_int_t)c->datagrams_dropped, "datagrams_refused",
                       (json_int_t)c->datagrams_refused, "limited", json_limits(c, t), "bound",
                       json_bound(view, t), "allow_target", json_words(&t->allow_targets)));
}

static struct outcome
answer_status(FILE *out, struct admin_view *view, const struct kill_request *kill)
{
    (void)kill;
    put_process(out, view);
    for (size_t i = 0; i < view->settings->tunnel_count; i++)
        put_tunnel(out, view, &view->settings->tunnels[i]);
    return done;
}

/** Begin a line of the health of this process. */
static void
put_worker(FILE *out, const struct admin_view *view)
{
    if (view->workers > 1)
        fprintf(out, "worker %u of %u: ", view->worker, view->workers);
}

/** The state, and a line for each limit that holds connections back. */
static struct outcome
answer_health(FILE *out, struct admin_view *view, const struct kill_request *kill)
{
    (void)kill;
    put_worker(out, view);
    fprintf(out, "%s\n", process_state(view));
    for (size_t i = 0; i < view->settings->tunnel_count; i++) {
        const struct tunnel_settings *t = &view->settings->tunnels[i];
        for (int kind = 0; kind < LIMITS; kind++) {
            if (!is_limited(counters_of(view, t), t, (enum limit_kind)kind))
                continue;
            put_worker(out, view);
            fprintf(out, "limited: the tunnel %s has reached %s\n", t->name,
                    counters_limit_name((enum limit_kind)kind));
        }
    }
    return done;
}

static struct outcome
answer_metrics(FILE *out, struct admin_view *view, const struct kill_request *kill)
{
    (void)kill;
    metrics_put(out, view);
    return done;
}

/* ---- Sessions ---- */

/** Add what a flow of UDP has carried. */
static void
add_datagrams(json_t *row, const struct session_datagrams *d)
{
    if (row == NULL || d == NULL)
        return;
    (void)json_object_set_new(row, "datagrams_in", json_integer((json_int_t)d->in));
    (void)json_object_set_new(row, "datagrams_out", json_integer((json_int_t)d->out));
    (void)json_object_set_new(row, "datagrams_dropped", json_integer((json_int_t)d->dropped));
    (void)json_object_set_new(row, "datagrams_queued", json_integer((json_int_t)d->queued));
}

static void
put_session(const struct session_row *s, void *out)
{
    char from[RECORD_ADDRESS], secret[2 * DUET_SECRET_ID_SIZE + 1], key[DUET_KEY_TEXT_SIZE];
    const char *secret_text = NULL, *key_text = NULL;

    if (s->secret_id != NULL) {
        to_hex(secret, s->secret_id, DUET_SECRET_ID_SIZE);
        secret_text = secret;
    }
    if (s->peer_key != NULL) {
        duet_key_text(key, s->peer_key);
        key_text = key;
    }
    json_t *row = json_pack(
        "{sI, ss, ss, so, so, so, so, sb, sI, sI, sI, sI, sI, sf, sf}", "id", (json_int_t)s->id,
        "tunnel", s->tunnel, "state", s->state, "from", json_text(record_address(from, s->from)),
        "target", json_text(s->target), "secret", json_text(secret_text), "identity",
        json_text(key_text), "hybrid", s->is_hybrid, "refreshes", (json_int_t)s->refreshes,
        "bytes_in", (json_int_t)s->bytes_in, "bytes_out", (json_int_t)s->bytes_out, "octets_in",
        (json_int_t)s->bytes_in, "octets_out", (json_int_t)s->bytes_out, "age",
        (double)s->age_ms / 1000, "idle", (double)s->idle_ms / 1000);
    add_datagrams(row, s->datagrams);
    put_json(out, row);
}

static struct outcome
answer_sessions(FILE *out, struct admin_view *view, const struct kill_request *kill)
{
    (void)kill;
    view->each_session(view->service, put_session, out);
    return done;
}

static struct outcome
answer_kill(FILE *out, struct admin_view *view, const struct kill_request *kill)
{
    (void)out;
    if (view->kill(view->service, kill) > 0)
        return done;
    return (struct outcome){EXIT_FAILED, kill->by == KILL_ID
                                             ? "there is no connection of this number"
                                             : "there is no connection of that kind"};
}

/* ---- The whole service ---- */

/** Signal the supervisor, or else this process. Nothing is signalled in the place of a supervisor
 * that is gone: the parent would be init. Returns 0, or -1. */
static int
signal_service(const struct admin_view *view, int number)
{
    if (view->supervisor == 0)
        return kill(getpid(), number);
    return getppid() == view->supervisor ? kill(view->supervisor, number) : -1;
}

/** Among workers the supervisor reloads, for all of them; whether it will work is found out here
 * first, so that the answer can say so. */
static int
reload_by_supervisor(struct admin_view *view)
{
    struct settings *settings;
    int code = settings_reload(&settings, view->settings);

    if (code == EXIT_DONE)
        code = sockets_check(settings, view->settings);
    settings_free(settings);
    if (code == EXIT_DONE && signal_service(view, SIGHUP) != 0)
        code = log_error(EXIT_FAILED, "not reloaded: the supervisor is gone");
    return code;
}

static struct outcome
answer_reload(FILE *out, struct admin_view *view, const struct kill_request *kill)
{
    int code = view->workers == 1 ? view->reload(view->service) : reload_by_supervisor(view);

    (void)out;
    (void)kill;
    return (struct outcome){code, "the old configuration stays; the log says why"};
}

static struct outcome
answer_upgrade(FILE *out, struct admin_view *view, const struct kill_request *kill)
{
    (void)out;
    (void)kill;
    if (view->draining)
        return (struct outcome){EXIT_FAILED, "this process is ending"};
    if (signal_service(view, SIGUSR2) == 0)
        return done; /* it is begun; the log says how it ended */
    return (struct outcome){EXIT_FAILED, "the supervisor is gone"};
}

static struct outcome
answer_drain(FILE *out, struct admin_view *view, const struct kill_request *kill)
{
    (void)out;
    (void)kill;
    if (signal_service(view, SIGTERM) == 0) /* it ends once the answer has gone */
        return done;
    return (struct outcome){EXIT_FAILED, "the supervisor is gone"};
}

/* ---- Answers ---- */

static struct outcome (*const answers[REQUESTS])(FILE *, struct admin_view *,
                                                 const struct kill_request *) = {
    [REQUEST_STATUS] = answer_status,   [REQUEST_SESSIONS] = answer_sessions,
    [REQUEST_RELOAD] = answer_reload,   [REQUEST_DRAIN] = answer_drain,
    [REQUEST_UPGRADE] = answer_upgrade, [REQUEST_KILL] = answer_kill,
    [REQUEST_METRICS] = answer_metrics, [REQUEST_HEALTH] = answer_health};

char *
answer(struct admin_view *view, const char *line, size_t line_size, size_t *size)
{
    struct outcome outcome = {.code = EXIT_USAGE};
    struct request request;
    char *text = NULL;
    FILE *out = open_memstream(&text, size);

    if (out == NULL)
        return NULL;
    fprintf(out, "ok\n");
    if (request_parse(&request, line, line_size, &outcome.reason) == 0)
        outcome = answers[request.kind](out, view, &request.kill);
    if (outcome.code != EXIT_DONE) {
        rewind(out); /* it printed nothing else */
        fprintf(out, "error %d %s\n", outcome.code, outcome.reason);
    }
    int bad = ferror(out);
    if (fclose(out) == 0 && !bad)
        return text;
    free(text);
    return NULL;
}
