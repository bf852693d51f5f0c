/*
 * What every part of the tunnel does to a connection: make it, change its state, put it in lists,
 * log it, end it. See connection.h for the states and for who owns what.
 *
 * The order of the states is lifecycle.c's matter; moving bytes is relay.c's.
 */
#include "connection.h"

#include "gate.h"
#include "socks.h"
#include "udp.h"

#include <stdlib.h>
#include <string.h>

/* ---- Settings ---- */

struct generation *
generation_new(struct settings *settings)
{
    struct generation *generation = calloc(1, sizeof *generation);

    if (generation != NULL)
        *generation = (struct generation){settings, 1};
    return generation;
}

void
generation_release(struct generation *generation)
{
    if (generation == NULL || --generation->holders > 0)
        return;
    settings_free(generation->settings);
    free(generation);
}

int
connection_is_retired(const struct connection *c)
{
    return c->tunnel->retired;
}

static int
admits(const struct tunnel *tunnel, const struct connection *c, const duet_info *info)
{
    return !tunnel->retired && settings_admit(tunnel->settings, c->settings, info);
}

struct tunnel *
connection_find_tunnel(const struct connection *c)
{
    struct tunnel *tunnel;
    duet_info info;

    duet_session_info(duet_channel_session(c->channel), &info);
    if (admits(c->tunnel, c, &info))
        return c->tunnel;
    TAILQ_FOREACH (tunnel, &c->service->tunnels, entry)
        if (settings_share(c->tunnel->settings, tunnel->settings) && admits(tunnel, c, &info))
            return tunnel;
    return NULL;
}

int
connection_is_withdrawn(const struct connection *c)
{
    if (connection_is_retired(c))
        return 1;
    return c->generation != c->tunnel->generation && connection_find_tunnel(c) == NULL;
}

void
connection_adopt(struct connection *c, int keys)
{
    struct generation *current = c->tunnel->generation;

    current->holders++;
    generation_release(c->generation);
    c->generation = current;
    c->settings = c->tunnel->settings;
    if (!keys)
        return;
    current->holders++;
    generation_release(c->keys);
    c->keys = current;
}

/* ---- Making ---- */

struct connection *
connection_new(struct tunnel *tunnel, enum connection_kind kind, const struct sockaddr *from)
{
    struct service *service = tunnel->service;
    struct connection *c = calloc(1, sizeof *c);
    int is_client = tunnel->settings->side == TUNNEL_CLIENT;
    int has_header = (tunnel->settings->proxy & PROXY_IN) &&
                     kind == (is_client ? CONNECTION_PLAIN_CAME : CONNECTION_PEER_CAME);

    if (c != NULL && has_header)
        c->header = proxy_header_new();
    if (c == NULL || (has_header && c->header == NULL)) {
        free(c);
        return NULL;
    }
    c->service = service;
    c->tunnel = tunnel;
    c->generation = c->keys = tunnel->generation;
    c->generation->holders += 2;
    c->settings = tunnel->settings;
    c->took_peer = kind == CONNECTION_PEER_CAME;
    c->is_undecided = tunnel->is_shared && c->took_peer;
    c->dials_plain = c->took_peer && !is_client;
    source_address_set(&c->from, from);
    c->since_ms = c->moved_ms = c->heard_ms = uv_now(&service->loop);
    c->id = ((uint64_t)service->view.worker << 48) | ++service->last_id;
    uv_timer_init(&service->loop, &c->timer);
    c->timer.data = c;
    service->descriptors += CONNECTION_DESCRIPTORS;
    TAILQ_INSERT_TAIL(&service->connections, c, entry);
    return c;
}

int
connection_attach(struct connection *c, int fd, int is_plain)
{
    struct endpoint *endpoint =
        endpoint_new(&c->service->loop, c, fd, is_plain, c->service->hooks->on_event);

    if (is_plain)
        c->plain = endpoint;
    else
        c->duet = endpoint;
    return endpoint != NULL ? 0 : -1;
}

int
connection_make_channel(struct connection *c)
{
    enum duet_role role = c->took_peer ? DUET_BOTTOM : DUET_TOP;

    return duet_channel_open(&c->channel, c->settings->config, c->service->replay, role,
                             c->duet->fd, c->duet->fd);
}

void
connection_watch_handshake(struct connection *c)
{
    int writes = (duet_channel_state(c->channel) & DUET_WANT_WRITE) != 0;

    endpoint_watch(c->duet, UV_READABLE | (writes ? UV_WRITABLE : 0));
}

/* ---- States ---- */

static void
timer_fired(uv_timer_t *timer)
{
    struct connection *c = timer->data;

    c->service->hooks->on_timer(c);
}

void
connection_timer(struct connection *c, int ms)
{
    if (ms == NO_TIMER)
        uv_timer_stop(&c->timer);
    else
        uv_timer_start(&c->timer, timer_fired, (uint64_t)ms, 0);
}

void
connection_enter(struct connection *c, enum connection_state state, int ms)
{
    c->state = (uint8_t)state;
    if (ms != KEEP_TIMER)
        connection_timer(c, ms);
}

const char *
connection_state_name(const struct connection *c)
{
    static const char *const names[] = {
        [CONNECTION_PROXY_HEADER] = "handshake", [CONNECTION_PROXY_LOCAL] = "handshake",
        [CONNECTION_SOCKS] = "handshake",        [CONNECTION_ACCEPTED] = "handshake",
        [CONNECTION_HANDSHAKE] = "handshake",    [CONNECTION_UNAUTHENTICATED] = "stranger",
        [CONNECTION_RESOLVING] = "dialling",     [CONNECTION_CONNECTING] = "dialling",
        [CONNECTION_RETRY_PAUSE] = "dialling",   [CONNECTION_QUEUED] = "queued",
        [CONNECTION_WAITING] = "waiting",        [CONNECTION_STARTING] = "queued",
        [CONNECTION_ROUTING] = "dialling",       [CONNECTION_PEER_HANDSHAKE] = "greeting",
        [CONNECTION_ASKING] = "dialling",        [CONNECTION_ASKED] = "handshake",
        [CONNECTION_UNCONFIRMED] = "open",       [CONNECTION_OPEN] = "open",
        [CONNECTION_VIOLATION] = "ending",       [CONNECTION_ENDED] = "ended"};
    return names[c->state];
}

/* ---- Lists ---- */

static void
keep_awake(uv_idle_t *idle)
{
    (void)idle; /* only so that the loop does not sleep */
}

void
connection_make_ready(struct connection *c)
{
    if (c->is_ready)
        return;
    c->is_ready = 1;
    TAILQ_INSERT_TAIL(&c->service->ready, c, ready);
    c->service->ready_count++;
    uv_idle_start(&c->service->more_work, keep_awake);
}

void
connection_unready(struct connection *c)
{
    if (!c->is_ready)
        return;
    c->is_ready = 0;
    TAILQ_REMOVE(&c->service->ready, c, ready);
    c->service->ready_count--;
}

int
connection_is_half_open(const struct connection *c)
{
    return c->took_peer && c->state <= CONNECTION_UNAUTHENTICATED;
}

void
connection_half_open(struct connection *c)
{
    TAILQ_INSERT_TAIL(&c->tunnel->half_open, c, half_open);
    c->tunnel->counters->half_open = ++c->tunnel->half_open_count;
}

void
connection_not_half_open(struct connection *c)
{
    TAILQ_REMOVE(&c->tunnel->half_open, c, half_open);
    c->tunnel->counters->half_open = --c->tunnel->half_open_count;
}

void
connection_unlist(struct connection *c)
{
    struct tunnel *tunnel = c->tunnel;

    if (c->state == CONNECTION_QUEUED)
        TAILQ_REMOVE(&tunnel->queued, c, half_open);
    if (c->state != CONNECTION_WAITING || !c->took_peer || !c->is_confirmed)
        return;
    TAILQ_REMOVE(&tunnel->waiting, c, half_open);
    tunnel->counters->waiting--;
    c->is_confirmed = 0;
}

/* ---- Ending ---- */

static void
count_end(struct counters *counters, enum record_outcome how)
{
    counters->finished += how == END_DONE;
    counters->failed += how == END_CUT;
    counters->refused += how == END_REFUSED;
    counters->unreached += how == END_UNREACHED;
    counters->unauthenticated += how == END_UNAUTHENTICATED;
}

void
connection_record(struct connection *c, enum record_outcome how, const char *reason)
{
    uint64_t now = uv_now(&c->service->loop);
    duet_info info = {0};
    struct record record = {.tunnel = c->settings->name,
                            .id = c->id,
                            .from = &c->from.any,
                            .via = proxy_header_via(c),
                            .target = c->target,
                            .bytes_in = c->in.bytes,
                            .bytes_out = c->out.bytes,
                            .duration_ms = now - c->since_ms,
                            .setup_ms = c->setup_ms,
                            .outcome = how,
                            .reason = reason};

    if (c->is_recorded)
        return;
    c->is_recorded = 1;
    if (c->is_pooled) {
        c->service->hooks->on_unused(c, reason);
        return;
    }
    count_end(c->tunnel->counters, how);
    int proven = how != END_UNAUTHENTICATED && c->state > CONNECTION_UNAUTHENTICATED;
    if (!proven && !limit_may_log(c->service))
        return;
    if (c->channel != NULL)
        duet_session_info(duet_channel_session(c->channel), &info);
    if (info.ready)
        record.secret_id = info.secret_id;
    record.is_hybrid = info.ready && info.hybrid;
    if (info.has_peer_key) {
        record.peer_key = info.peer_key;
        record.peer_name = settings_peer_name(c->settings, info.peer_key);
    }
    record_write(&record);
}

static void
connection_freed(uv_handle_t *handle)
{
    free(handle->data);
}

void
connection_free_dial(struct connection *c)
{
    if (c->dial == NULL)
        return;
    lookup_cancel(c->dial->lookup);
    race_free(c);
    free(c->dial->tried);
    route_free(c->dial->route);
    free(c->dial);
    c->dial = NULL;
}

/** Release what it holds; a reset shows the plain side that it was cut. */
static void
connection_release(struct connection *c, int reset)
{
    TAILQ_REMOVE(&c->service->connections, c, entry);
    c->service->descriptors -= CONNECTION_DESCRIPTORS;
    buffers_return(&c->service->buffers, &c->out.buffer);
    buffers_return(&c->service->buffers, &c->in.buffer);
    connection_free_dial(c);
    socks_request_free(c->socks);
    duet_channel_free(c->channel);
    endpoint_close(c->plain, reset);
    endpoint_close(c->duet, 0);
    generation_release(c->generation);
    generation_release(c->keys);
    udp_flow_free(c);
    free(c->header);
    c->state = CONNECTION_ENDED;
    uv_close((uv_handle_t *)&c->timer, connection_freed);
}

void
connection_discard(struct connection *c)
{
    connection_release(c, 1);
}

void
connection_end(struct connection *c, enum record_outcome how, const char *reason)
{
    connection_record(c, how, reason);
    socks_answer_end(c);
    connection_unready(c);
    connection_unlist(c);
    if (connection_is_half_open(c))
        connection_not_half_open(c);
    else if (c->is_pooled)
        c->tunnel->pooled_count--;
    else
        c->tunnel->counters->open = --c->tunnel->open_count;
    source_limit_give(connection_sources(c), &c->from.any);
    secret_limit_give(c);
    /* A cut shows as a cut: the plain side gets a reset, the peer an end without CLOSE. */
    connection_release(c, how != END_DONE);
    c->service->hooks->on_left(c->tunnel);
}
