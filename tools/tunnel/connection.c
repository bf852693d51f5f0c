/*
 * A connection's life (see connection.h): accepted, opened, ended and recorded.
 */
#include "connection.h"

#include "log.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOLD_FIRST = 20, TOLD_EVERY_MS = 60000 }; /* strangers told one by one, then now and then */

/* ---- Beginning ---- */

static struct connection *
make(struct tunnel *tunnel, const struct sockaddr_storage *from)
{
    struct service *service = tunnel->service;
    struct connection *c = calloc(1, sizeof *c);

    if (c != NULL && (tunnel->settings->proxy & PROXY_IN))
        c->header = proxy_header_new();
    if (c == NULL || (c->header == NULL && (tunnel->settings->proxy & PROXY_IN))) {
        free(c);
        return NULL;
    }
    c->service = service;
    c->tunnel = tunnel;
    c->generation = c->keys = tunnel->generation;
    c->settings = tunnel->settings;
    c->from = *from;
    c->since_ms = c->moved_ms = c->heard_ms = uv_now(&service->loop);
    c->id = ((uint64_t)service->worker << 48) | ++service->last_id;
    uv_timer_init(&service->loop, &c->timer);
    c->timer.data = c;
    return c;
}

static void
refuse_header(struct connection *c, const char *reason)
{
    connection_end(c, END_REFUSED, reason);
}

static int
accept_plain(struct connection *c, int fd)
{
    static const struct proxy_header_ways ways = {dial_start, refuse_header};

    c->plain = endpoint_open(&c->service->loop, c, fd, NULL);
    if (c->plain == NULL)
        return -1;
    endpoint_is_plain(c->plain);
    c->tunnel->counters->open = ++c->tunnel->open_count;
    if (c->header != NULL)
        proxy_header_await(c, &ways);
    else
        dial_start(c);
    return 0;
}

static int
accept_peer(struct connection *c, int fd)
{
    c->duet = endpoint_open(&c->service->loop, c, fd, NULL);
    if (c->duet == NULL || duet_channel_open(&c->channel, c->settings->config, c->service->replay,
                                             DUET_BOTTOM, fd, fd) != DUET_OK)
        return -1;
    stranger_meet(c);
    return 0;
}

static void
release(uv_handle_t *handle)
{
    free(handle->data);
}

int
connection_accept(struct tunnel *tunnel, int fd, const struct sockaddr_storage *from)
{
    struct connection *c = make(tunnel, from);

    if (c == NULL) {
        close(fd);
        return -1;
    }
    c->generation->holders += 2;
    c->service->descriptors += CONNECTION_DESCRIPTORS;
    TAILQ_INSERT_TAIL(&c->service->connections, c, entry);
    int result = c->settings->side == TUNNEL_CLIENT ? accept_plain(c, fd) : accept_peer(c, fd);
    if (result == 0)
        return 0;
    TAILQ_REMOVE(&c->service->connections, c, entry);
    c->service->descriptors -= CONNECTION_DESCRIPTORS;
    generation_release(c->generation);
    generation_release(c->keys);
    endpoint_close(c->duet, 0);
    free(c->header);
    uv_close((uv_handle_t *)&c->timer, release);
    return -1;
}

/* ---- Time ---- */

static void
time_is_up(uv_timer_t *timer)
{
    struct connection *c = timer->data;
    c->timed(c);
}

void
connection_time(struct connection *c, int ms, void (*timed)(struct connection *))
{
    c->timed = timed;
    if (ms < 0)
        uv_timer_stop(&c->timer);
    else
        uv_timer_start(&c->timer, time_is_up, (uint64_t)ms, 0);
}

/* ---- Greeting: a client's peer proves itself ---- */

static void
greet(struct connection *c, int events)
{
    (void)events;
    int result = duet_handshake(c->channel, 0);
    if (result == DUET_AGAIN) {
        unsigned state = duet_channel_state(c->channel);
        endpoint_watch(c->duet, UV_READABLE | (state & DUET_WANT_WRITE ? UV_WRITABLE : 0));
        return;
    }
    if (result == DUET_OK) {
        c->tunnel->counters->handshakes++;
        relay_start(c);
        return;
    }
    if (result == DUET_E_UNTRUSTED)
        connection_end(c, END_REFUSED, channel_error(c->channel));
    else
        dial_failed(c, channel_error(c->channel));
}

static void
greeting_is_late(struct connection *c)
{
    dial_failed(c, "the peer stayed silent: " SILENCE_CAUSES);
}

static void
begin_greeting(struct connection *c)
{
    int fd = c->duet->fd;
    int result =
        duet_channel_open(&c->channel, c->settings->config, c->service->replay, DUET_TOP, fd, fd);

    if (result != DUET_OK) {
        connection_end(c, END_REFUSED, duet_explain(result)->sentence);
        return;
    }
    c->state = CONNECTION_GREETING;
    c->duet->event = greet;
    connection_time(c, c->settings->handshake_ms, greeting_is_late);
    greet(c, 0);
}

void
connection_dialled(struct connection *c)
{
    if (c->settings->side == TUNNEL_CLIENT) {
        begin_greeting(c);
        return;
    }
    endpoint_is_plain(c->plain);
    relay_start(c);
}

/* ---- Ending ---- */

static void
count_end(struct connection *c, enum connection_end how)
{
    struct counters *counters = c->tunnel->counters;

    counters->finished += how == END_DONE;
    counters->failed += how == END_CUT;
    counters->refused += how == END_REFUSED || how == END_UNREACHED;
    counters->strangers += how == END_STRANGER;
}

/** May one more stranger be told of? A flood of them is told now and then. */
static int
may_tell_stranger(struct service *service)
{
    uint64_t now = uv_now(&service->loop);

    if (++service->strangers > TOLD_FIRST && now < service->told_stranger_ms + TOLD_EVERY_MS)
        return 0;
    service->told_stranger_ms = now;
    return 1;
}

void
connection_record(struct connection *c, enum connection_end how, const char *reason)
{
    static const enum record_outcome outcomes[] = {RECORD_DONE, RECORD_CUT, RECORD_REFUSED,
                                                   RECORD_STRANGER, RECORD_UNREACHED};
    uint64_t now = uv_now(&c->service->loop);
    duet_info info = {0};
    struct record record = {.tunnel = c->settings->name,
                            .id = c->id,
                            .from = &c->from,
                            .via = proxy_header_via(c),
                            .target = c->target,
                            .bytes_in = c->in.bytes,
                            .bytes_out = c->out.bytes,
                            .duration_ms = now - c->since_ms,
                            .setup_ms = c->setup_ms,
                            .outcome = outcomes[how],
                            .reason = reason};

    if (c->is_recorded)
        return;
    c->is_recorded = 1;
    count_end(c, how);
    if (how == END_STRANGER && !may_tell_stranger(c->service))
        return;
    if (c->channel != NULL)
        duet_session_info(duet_channel_session(c->channel), &info);
    if (info.ready)
        record.secret_id = info.secret_id;
    if (info.has_peer_key) {
        record.peer_key = info.peer_key;
        record.peer_name = settings_peer_name(c->settings, info.peer_key);
    }
    record_write(&record);
}

/** Take it out of every list and number that it stands in. */
static void
unlink_connection(struct connection *c)
{
    TAILQ_REMOVE(&c->service->connections, c, entry);
    relay_forget(c);
    if (c->is_half_open)
        stranger_leave(c);
    else
        c->tunnel->counters->open = --c->tunnel->open_count;
    c->service->descriptors -= CONNECTION_DESCRIPTORS;
    sources_give(c->tunnel->sources, &c->from);
}

static void
drop_buffer(struct connection *c, struct flow *flow)
{
    if (flow->buffer != NULL)
        buffers_return(&c->service->buffers, flow->buffer);
    flow->buffer = NULL;
}

void
connection_end(struct connection *c, enum connection_end how, const char *reason)
{
    struct tunnel *tunnel = c->tunnel;

    connection_record(c, how, reason);
    unlink_connection(c);
    drop_buffer(c, &c->out);
    drop_buffer(c, &c->in);
    dial_free(c->dial);
    duet_channel_free(c->channel);
    /* A cut is told as a cut: the plain side by a reset, the peer by an end without CLOSE. */
    endpoint_close(c->plain, how != END_DONE);
    endpoint_close(c->duet, 0);
    generation_release(c->generation);
    generation_release(c->keys);
    free(c->header);
    uv_close((uv_handle_t *)&c->timer, release);
    tunnel_left(tunnel);
}

const char *
connection_state_name(const struct connection *c)
{
    static const char *const names[] = {"handshake", "stranger", "dialling",
                                        "greeting",  "open",     "ending"};
    return names[c->state];
}
