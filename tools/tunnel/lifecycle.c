/*
 * A connection's life from accept(2) to its end, the one file that knows the order:
 *
 *   server: accept → PROXY header → handshake → dial the target → relay
 *   client: accept → PROXY header → dial the peer → handshake → relay
 *
 * How each step works is in the file that bears its name; the states are drawn in connection.h.
 */
#include "connection.h"

#include "gate.h"
#include "keys.h"
#include "log.h"
#include "socks.h"
#include "source_admit.h"
#include "udp.h"

#include <unistd.h>

static int
is_client(const struct connection *c)
{
    return c->settings->side == TUNNEL_CLIENT;
}

void
lifecycle_reach_peer(struct connection *c)
{
    if (c->settings->await.count > 0)
        reverse_queue(c);
    else
        connect_start(c);
}

/* ---- PROXY header: first where the tunnel asks for one ---- */

static void
header_done(struct connection *c)
{
    if (!c->took_peer && c->settings->socks) {
        socks_open(c);
    } else if (!c->took_peer && c->settings->dial_on == DIAL_ON_DATA &&
               c->state == CONNECTION_PROXY_HEADER) {
        connection_enter(c, CONNECTION_PROXY_LOCAL, c->settings->idle_ms);
    } else if (!c->took_peer) {
        endpoint_watch(c->plain, 0); /* what follows waits until the peer is reached */
        lifecycle_reach_peer(c);
    } else {
        half_open_handshake(c);
    }
}

static void
header_refused(struct connection *c, const char *why)
{
    if (!c->took_peer)
        connection_end(c, END_REFUSED, why);
    else
        half_open_reject(c, why);
}

/** How long a connection may be without a byte once no header tells its source. */
static int
local_wait(const struct connection *c)
{
    if (c->took_peer)
        return KEEP_TIMER;
    return c->settings->dial_on == DIAL_ON_DATA ? c->settings->idle_ms : PROXY_LOCAL_MS;
}

/** Read what has come of it. May end the connection. */
static void
header_event(struct connection *c)
{
    const char *why = "";

    switch (c->state == CONNECTION_PROXY_LOCAL ? proxy_header_look(c)
                                               : proxy_header_read(c, &why)) {
    case PROXY_HEADER_DONE:
        header_done(c);
        break;
    case PROXY_HEADER_LOCAL:
        connection_enter(c, CONNECTION_PROXY_LOCAL, local_wait(c));
        break;
    case PROXY_HEADER_BAD:
        header_refused(c, why);
        break;
    case PROXY_HEADER_LIMIT:
        limit_reached(c->tunnel, LIMIT_SOURCE);
        /* fall through */
    case PROXY_HEADER_REFUSED:
        connection_end(c, END_REFUSED, why);
        break;
    case PROXY_HEADER_HEALTH_CHECK:
        c->is_recorded = 1; /* health checks are not logged */
        connection_end(c, END_UNAUTHENTICATED, "");
        break;
    default:
        break;
    }
}

/* ---- A SOCKS5 request: first where programs ask for their targets ---- */

/** Read what has come of it. May end the connection. */
static void
request_event(struct connection *c)
{
    const char *why = "";

    switch (socks_opening_read(c->socks, c->plain->fd, &why)) {
    case SOCKS_WHOLE:
        endpoint_watch(c->plain, 0); /* what follows waits until the target is reached */
        lifecycle_reach_peer(c);
        break;
    case SOCKS_BAD:
        connection_end(c, END_REFUSED, why);
        break;
    case SOCKS_GONE:
        c->is_recorded = 1; /* health checks are not logged */
        connection_end(c, END_REFUSED, "");
        break;
    default:
        break;
    }
}

/* ---- Accept ---- */

static int
accept_plain(struct connection *c, int fd)
{
    if (connection_attach(c, fd, 1) != 0)
        return -1;
    c->tunnel->counters->open = ++c->tunnel->open_count;
    if (c->tunnel->open_count > c->settings->most_connections) {
        limit_reached(c->tunnel, LIMIT_CONNECTIONS);
        connection_end(c, END_REFUSED, "max-connections is reached");
        return 0;
    }
    if (c->header == NULL && c->settings->socks) {
        socks_open(c);
        return 0;
    }
    if (c->header == NULL && c->settings->dial_on == DIAL_ON_CONNECT) {
        lifecycle_reach_peer(c);
        return 0;
    }
    if (c->header == NULL)
        connection_enter(c, CONNECTION_PROXY_LOCAL, c->settings->idle_ms);
    else
        connection_enter(c, CONNECTION_PROXY_HEADER, c->settings->handshake_ms);
    endpoint_watch(c->plain, UV_READABLE);
    return 0;
}

static int
accept_peer(struct connection *c, int fd)
{
    if (connection_attach(c, fd, 0) != 0 || connection_make_channel(c) != DUET_OK)
        return -1;
    half_open_start(c);
    if (c->header != NULL)
        connection_enter(c, CONNECTION_PROXY_HEADER, KEEP_TIMER);
    return 0;
}

int
lifecycle_accept(const struct port *port, int fd, const struct sockaddr *from)
{
    enum connection_kind kind = port->is_plain ? CONNECTION_PLAIN_CAME : CONNECTION_PEER_CAME;
    struct connection *c = connection_new(port->tunnel, kind, from);

    if (c == NULL) {
        close(fd);
        return -1;
    }
    if ((port->is_plain ? accept_plain(c, fd) : accept_peer(c, fd)) == 0)
        return 0;
    connection_discard(c);
    return -1;
}

void
lifecycle_authenticated(struct connection *c)
{
    int rejected = 0;
    const char *why = shared_decide(c, &rejected);

    if (rejected) {
        half_open_reject(c, why);
        return;
    }
    struct tunnel *tunnel = c->tunnel;
    connection_adopt(c, 0);
    connection_not_half_open(c);
    tunnel->counters->handshakes++;
    if (is_client(c)) {
        if (why == NULL && !source_admitted(c->settings, &c->from.any))
            why = SOURCE_NOT_ADMITTED;
        c->is_pooled = 1;
        tunnel->pooled_count++;
        reverse_wait(c, why);
        return;
    }
    connection_enter(c, CONNECTION_RESOLVING, NO_TIMER);
    tunnel->counters->open = ++tunnel->open_count;
    if (why != NULL)
        connection_end(c, END_REFUSED, why);
    if (c->state == CONNECTION_ENDED)
        return;
    if (!source_admitted(c->settings, &c->from.any)) {
        connection_end(c, END_REFUSED, SOURCE_NOT_ADMITTED);
    } else if (tunnel->open_count > c->settings->most_connections) {
        limit_reached(tunnel, LIMIT_CONNECTIONS);
        connection_end(c, END_REFUSED, "max-connections is reached");
    } else if (secret_limit_take(c) != 0) {
        limit_reached(tunnel, LIMIT_SECRET);
        connection_end(c, END_REFUSED, "its secret has max-from-secret connections already");
    } else {
        socks_serve(c);
    }
}

/* ---- A client's peer is reached: its handshake ---- */

/** Go on with it. May end the connection. */
static void
peer_handshake(struct connection *c)
{
    int result = duet_channel_handshake(c->channel, 0);

    if (result == DUET_AGAIN) {
        connection_watch_handshake(c);
    } else if (result == DUET_OK) {
        c->tunnel->counters->handshakes++;
        if (c->is_pooled)
            pool_wait(c);
        else
            socks_begin(c);
    } else if (result == DUET_E_UNTRUSTED) {
        connection_record(c, END_REFUSED, channel_error(c->channel));
        connect_leave(c);
        connection_end(c, END_REFUSED, "");
    } else {
        connect_next(c, channel_error(c->channel));
    }
}

void
lifecycle_dialled(struct connection *c)
{
    if (c->dials_plain)
        socks_connected(c);
    else if (c->settings->route.kind != ROUTE_DIRECT)
        through_start(c);
    else
        lifecycle_reached(c);
}

void
lifecycle_reached(struct connection *c)
{
    int result = connection_make_channel(c);
    if (result != DUET_OK) {
        connection_end(c, END_REFUSED, keys_no_channel(result));
        return;
    }
    /* Drawn now: the close must not show when the handshake failed. */
    c->dial->silence_ms =
        uv_now(&c->service->loop) + (uint64_t)c->settings->handshake_ms +
        gate_draw_linger(c->settings->linger_least_ms, c->settings->linger_most_ms);
    connection_enter(c, CONNECTION_PEER_HANDSHAKE, c->settings->handshake_ms);
    peer_handshake(c);
}

/* ---- Events and timers, by state ---- */

/** Of a connection that waits to be used, or for an answer of its peer or of a proxy. */
static void
waiting_event(struct connection *c, int is_plain)
{
    if (is_plain)
        endpoint_watch(c->plain, 0);
    else if (c->state == CONNECTION_ROUTING)
        through_event(c);
    else if (c->state == CONNECTION_ASKING || c->state == CONNECTION_ASKED)
        socks_event(c);
    else if (c->pool != NULL)
        pool_event(c);
    else
        reverse_event(c);
}

static void
waiting_timeout(struct connection *c)
{
    if (c->pool != NULL)
        pool_timeout(c);
    else
        reverse_timeout(c);
}

void
lifecycle_event(struct connection *c, int is_plain, int events)
{
    struct endpoint *endpoint = is_plain ? c->plain : c->duet;

    switch ((enum connection_state)c->state) {
    case CONNECTION_PROXY_HEADER:
    case CONNECTION_PROXY_LOCAL:
        header_event(c);
        break;
    case CONNECTION_SOCKS:
        request_event(c);
        break;
    case CONNECTION_ACCEPTED:
    case CONNECTION_HANDSHAKE:
        half_open_handshake(c);
        break;
    case CONNECTION_UNAUTHENTICATED:
        half_open_drop(c);
        break;
    case CONNECTION_CONNECTING:
    case CONNECTION_RESOLVING:
    case CONNECTION_RETRY_PAUSE:
    case CONNECTION_QUEUED:
        endpoint_watch(endpoint,
                       0); /* backpressure: what comes while dialling waits in the kernel */
        break;
    case CONNECTION_WAITING:
    case CONNECTION_STARTING:
    case CONNECTION_ROUTING:
    case CONNECTION_ASKING:
    case CONNECTION_ASKED:
        waiting_event(c, is_plain);
        break;
    case CONNECTION_PEER_HANDSHAKE:
        peer_handshake(c);
        break;
    case CONNECTION_UNCONFIRMED:
    case CONNECTION_OPEN:
        relay_event(c, is_plain, events);
        break;
    case CONNECTION_VIOLATION:
        violation_drop(c);
        break;
    case CONNECTION_ENDED:
        break;
    }
}

void
lifecycle_timer(struct connection *c)
{
    switch ((enum connection_state)c->state) {
    case CONNECTION_PROXY_HEADER:
    case CONNECTION_PROXY_LOCAL:
        if (c->took_peer)
            half_open_timeout(c);
        else if (c->state == CONNECTION_PROXY_LOCAL && c->settings->dial_on == DIAL_ON_DATA)
            connection_end(c, END_REFUSED, "no data came within the idle timeout");
        else if (c->state == CONNECTION_PROXY_LOCAL)
            header_done(c);
        else
            header_refused(c, "no PROXY header came in time; configure the proxy to send one");
        break;
    case CONNECTION_SOCKS:
        connection_end(c, END_REFUSED, "its SOCKS request did not come in time");
        break;
    case CONNECTION_ACCEPTED:
    case CONNECTION_HANDSHAKE:
    case CONNECTION_UNAUTHENTICATED:
        half_open_timeout(c);
        break;
    case CONNECTION_RESOLVING:
    case CONNECTION_CONNECTING:
    case CONNECTION_RETRY_PAUSE:
        connect_timeout(c);
        break;
    case CONNECTION_QUEUED:
    case CONNECTION_WAITING:
    case CONNECTION_STARTING:
        waiting_timeout(c);
        break;
    case CONNECTION_ROUTING:
        through_timeout(c);
        break;
    case CONNECTION_PEER_HANDSHAKE:
        connect_next(c, "the peer stayed silent: " SILENCE_CAUSES);
        break;
    case CONNECTION_ASKING:
    case CONNECTION_ASKED:
        socks_timeout(c);
        break;
    case CONNECTION_UNCONFIRMED:
        timers_unconfirmed(c);
        break;
    case CONNECTION_OPEN:
        timers_open(c);
        break;
    case CONNECTION_VIOLATION:
        violation_timeout(c);
        break;
    case CONNECTION_ENDED:
        break;
    }
}

/* ---- A reload ---- */

/** A server's peer that has sent nothing gets a channel of the new keys. One whose handshake is
 * under way keeps the old ones; half_open.c compares it with the new settings as it goes on. */
static void
reload_half_open(struct connection *c)
{
    shared_follow(c);
    if (connection_is_retired(c)) {
        half_open_reject(c, "a reload withdrew the tunnel before the peer had authenticated");
        return;
    }
    if (c->state == CONNECTION_HANDSHAKE)
        return;
    duet_channel_free(c->channel);
    c->channel = NULL;
    connection_adopt(c, 1);
    if (connection_make_channel(c) != DUET_OK)
        half_open_reject(c, "no memory for a channel of the new keys");
}

/** A client whose peer has not authenticated begins again with the new keys and targets. */
static void
reload_client(struct connection *c)
{
    if (connection_is_retired(c)) {
        connection_end(c, END_REFUSED, "a reload withdrew the tunnel before its peer was reached");
        return;
    }
    connection_adopt(c, 1);
    if (c->state <= CONNECTION_SOCKS)
        return;
    connection_unlist(c);
    connection_free_dial(c);
    duet_channel_free(c->channel);
    c->channel = NULL;
    endpoint_close(c->duet, 0);
    c->duet = NULL;
    c->target = NULL;
    lifecycle_reach_peer(c);
}

/** A peer that waits at a client for a use, or has not asked for its target: its tunnel, its secret
 * and its identity must be there still. */
static void
reload_waiting(struct connection *c)
{
    if (connection_is_withdrawn(c))
        connection_end(c, END_REFUSED, "a reload withdrew its secret, its identity or the tunnel");
    else
        connection_adopt(c, 0);
}

/** An open connection goes on, unless what it opened with was withdrawn and that is to cut it. */
static void
reload_open(struct connection *c)
{
    if (c->tunnel->settings->withdraw == WITHDRAW_CUT && connection_is_withdrawn(c))
        connection_end(c, END_CUT, "a reload withdrew its secret, its identity or the tunnel");
}

void
lifecycle_reload(struct connection *c)
{
    if (udp_flow_withdraw(c))
        return;
    if ((c->is_pooled && c->took_peer && c->state == CONNECTION_WAITING) ||
        c->state == CONNECTION_ASKED)
        reload_waiting(c);
    else if (c->is_pooled && !c->took_peer)
        pool_reload(c);
    else if (c->took_peer && c->state <= CONNECTION_HANDSHAKE)
        reload_half_open(c);
    else if (!c->took_peer && !c->dials_plain && c->state <= CONNECTION_PEER_HANDSHAKE)
        reload_client(c);
    else if (c->state == CONNECTION_UNCONFIRMED || c->state == CONNECTION_OPEN)
        reload_open(c);
}
