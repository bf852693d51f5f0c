/*
 * Answers to requests (see answer.h).
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

/* ---- Texts ---- */

/** A line; what could not be made is told as that. */
static void
put_json(FILE *out, json_t *object)
{
    if (object == NULL || json_dumpf(object, out, JSON_COMPACT | JSON_REAL_PRECISION(12)) != 0)
        fprintf(out, "{\"error\":\"no memory\"}");
    fputc('\n', out);
    json_decref(object);
}

static json_t *
json_of(const char *text)
{
    char room[1024];

    return text != NULL ? json_string(printable_copy(room, sizeof room, text)) : json_null();
}

static json_t *
json_list(const struct strlist *words)
{
    json_t *list = json_array();

    for (size_t i = 0; i < words->count; i++)
        (void)json_array_append_new(list, json_of(words->at[i]));
    return list;
}

/* ---- Status ---- */

static const char *
state_of(const struct service *service)
{
    const struct process_counters *process = service_process(service, service_worker(service));

    return service_draining(service) ? "draining" : process->paused ? "paused" : "serving";
}

static void
put_process(FILE *out, const struct service *service)
{
    unsigned worker = service_worker(service);
    const struct process_counters *p = service_process(service, worker);
    uint64_t now = duet__os_unix_ms();

    put_json(out,
             json_pack("{ss, si, si, sI, ss, sf, sI, sI, sI, sb}", "version", DUET_VERSION,
                       "worker", (int)worker, "workers", (int)service_workers(service), "pid",
                       (json_int_t)p->pid, "state", state_of(service), "uptime",
                       now > p->started_unix_ms ? (double)(now - p->started_unix_ms) / 1000 : 0.0,
                       "reloads", (json_int_t)p->reloads, "reload_failures",
                       (json_int_t)p->reload_failures, "accept_pauses",
                       (json_int_t)p->out_of_descriptors, "accept_paused", p->paused != 0));
}

static const struct counters *
counters_of(const struct service *service, const char *name)
{
    static const struct counters none;

    for (size_t row = 0; row < TUNNEL_ROWS; row++) {
        const struct counters *c = service_counters(service, service_worker(service), row);
        if (c != NULL && strcmp(c->name, name) == 0)
            return c;
    }
    return &none;
}

static void
put_tunnel(FILE *out, const struct service *service, const struct tunnel_settings *t)
{
    const struct counters *c = counters_of(service, t->name);

    put_json(out,
             json_pack("{ss, ss, so, so, sI, sI, sI, sI, sI, sI, sI, sI, sI, sI, sI, sI, sI}",
                       "tunnel", t->name, "side", t->side == TUNNEL_CLIENT ? "client" : "server",
                       "listen", json_list(&t->listen), "target", json_list(&t->targets), "open",
                       (json_int_t)c->open, "half_open", (json_int_t)c->half_open, "accepted",
                       (json_int_t)c->accepted, "handshakes", (json_int_t)c->handshakes, "finished",
                       (json_int_t)c->finished, "failed", (json_int_t)c->failed, "refused",
                       (json_int_t)c->refused, "strangers", (json_int_t)c->strangers,
                       "dial_failures", (json_int_t)c->dial_failures, "bytes_in",
                       (json_int_t)c->bytes_in, "bytes_out", (json_int_t)c->bytes_out, "octets_in",
                       (json_int_t)c->bytes_in, "octets_out", (json_int_t)c->bytes_out));
}

static void
put_status(FILE *out, const struct service *service)
{
    const struct settings *settings = service_settings(service);

    put_process(out, service);
    for (size_t i = 0; i < settings->tunnel_count; i++)
        put_tunnel(out, service, &settings->tunnels[i]);
}

static void
put_health(FILE *out, const struct service *service)
{
    if (service_workers(service) > 1)
        fprintf(out, "worker %u of %u: ", service_worker(service), service_workers(service));
    fprintf(out, "%s\n", state_of(service));
}

/* ---- Sessions ---- */

static void
put_session(const struct service_session *s, void *context)
{
    char from[RECORD_ADDRESS], id[2 * DUET_SECRET_ID_SIZE + 1] = "", key[DUET_KEY_TEXT_SIZE] = "";

    if (s->secret_id != NULL)
        to_hex(id, s->secret_id, DUET_SECRET_ID_SIZE);
    if (s->peer_key != NULL)
        duet_key_text(key, s->peer_key);
    put_json(context,
             json_pack("{sI, ss, ss, so, so, so, so, sI, sI, sI, sI, sf, sf}", "id",
                       (json_int_t)s->id, "tunnel", s->tunnel, "state", s->state, "from",
                       json_of(record_address(from, s->from)), "target", json_of(s->target),
                       "secret", json_of(id[0] != 0 ? id : NULL), "identity",
                       json_of(key[0] != 0 ? key : NULL), "bytes_in", (json_int_t)s->bytes_in,
                       "bytes_out", (json_int_t)s->bytes_out, "octets_in", (json_int_t)s->bytes_in,
                       "octets_out", (json_int_t)s->bytes_out, "age", (double)s->age_ms / 1000,
                       "idle", (double)s->idle_ms / 1000));
}

/* ---- Answers ---- */

static void
put_error(FILE *out, int code, const char *reason)
{
    fprintf(out, "error %d %s\n", code, reason);
}

/** Signal who rules: the supervisor, or else this process. Nobody is signalled in the place of a
 * supervisor that is gone: the parent would be init. Returns 0, or -1. */
static int
signal_ruler(const struct service *service, int number)
{
    pid_t supervisor = service_supervisor(service);

    if (supervisor == 0)
        return kill(getpid(), number);
    return getppid() == supervisor ? kill(supervisor, number) : -1;
}

/** Read all anew. Among workers it is the supervisor who does so, for all of them; whether it will
 * work is found out here, so that it can be told. Returns an exit code. */
static int
reload(struct service *service)
{
    struct settings *settings;

    if (service_workers(service) == 1)
        return service_reload(service);
    int code = settings_reload(&settings, service_settings(service));
    if (code == EXIT_DONE)
        code = sockets_check(settings, service_settings(service));
    settings_free(settings);
    if (code == EXIT_DONE && signal_ruler(service, SIGHUP) != 0)
        code = log_error(EXIT_FAILED, "reload: the supervisor is not there");
    return code;
}

static void
put_answer(FILE *out, struct service *service, const struct request *request)
{
    int code = EXIT_DONE;

    switch (request->kind) {
    case REQUEST_RELOAD:
        code = reload(service);
        if (code != EXIT_DONE) {
            put_error(out, code, "the old configuration stays; the log tells why");
            return;
        }
        break;
    case REQUEST_KILL:
        if (service_kill(service, request->id) != 0) {
            put_error(out, EXIT_FAILED, "there is no connection of this number");
            return;
        }
        break;
    case REQUEST_DRAIN:
        if (signal_ruler(service, SIGTERM) != 0) { /* all workers end, once the answer has gone */
            put_error(out, EXIT_FAILED, "the supervisor is not there");
            return;
        }
        break;
    default:
        break;
    }
    fprintf(out, "ok\n");
    if (request->kind == REQUEST_STATUS)
        put_status(out, service);
    if (request->kind == REQUEST_SESSIONS)
        service_each(service, put_session, out);
    if (request->kind == REQUEST_METRICS)
        metrics_put(out, service);
    if (request->kind == REQUEST_HEALTH)
        put_health(out, service);
}

void
answer(struct service *service, const struct request *request, char **text, size_t *size)
{
    *text = NULL;
    *size = 0;
    FILE *out = open_memstream(text, size);
    if (out == NULL)
        return;
    put_answer(out, service, request);
    int bad = ferror(out);
    if (fclose(out) == 0 && !bad)
        return;
    free(*text);
    *text = NULL;
}
