/*
 * Half-open connections: peers of a server that have not authenticated (docs/protocol.md §4
 * "Probing"), and peers that were open and broke the protocol. Both are read and dropped in
 * silence. The rules of time are gate.h's; what follows authentication is lifecycle.c's matter.
 *
 * Half-open connections are counted apart from open ones. One makes room whether its handshake has
 * failed or not: otherwise a prober who fills the table could see which of his handshakes failed.
 */
#include "connection.h"

#include "gate.h"
#include "log.h"

/** Read and drop. Returns 1 when nothing more will come. */
static int
read_and_drop(struct connection *c)
{
    int ended;

    gate_drop(c->duet->fd, &ended);
    return ended;
}

static uint64_t
half_open_age(const struct connection *c)
{
    return uv_now(&c->service->loop) - c->since_ms;
}

/* ---- The handshake ---- */

void
half_open_start(struct connection *c)
{
    connection_half_open(c);
    connection_enter(c, CONNECTION_ACCEPTED, (int)c->tunnel->drain_ms);
    endpoint_watch(c->duet, UV_READABLE);
}

void
half_open_reject(struct connection *c, const char *reason)
{
    connection_record(c, END_UNAUTHENTICATED, reason);
    duet_channel_free(c->channel);
    c->channel = NULL;
    connection_enter(c, CONNECTION_UNAUTHENTICATED, KEEP_TIMER);
    endpoint_watch(c->duet, UV_READABLE);
    half_open_drop(c);
}

/** A reload came in between and withdrew what the peer authenticates with: reject it. */
static int
reject_withdrawn(struct connection *c)
{
    if (!connection_is_withdrawn(c))
        return 0;
    half_open_reject(c, "a reload withdrew its secret, its identity or the tunnel");
    return 1;
}

void
half_open_handshake(struct connection *c)
{
    connection_enter(c, CONNECTION_HANDSHAKE, KEEP_TIMER);
    if (reject_withdrawn(c))
        return;
    int result = duet_channel_handshake(c->channel, 0);
    if (result == DUET_OK) {
        if (!reject_withdrawn(c))
            c->service->hooks->on_authenticated(c);
    } else if (result == DUET_AGAIN) {
        connection_watch_handshake(c);
    } else if (result == DUET_E_UNTRUSTED) {
        half_open_reject(c, "its identity is not trusted");
    } else {
        half_open_reject(c, channel_error(c->channel));
    }
}

/* ---- Silence ---- */

void
half_open_drop(struct connection *c)
{
    if (read_and_drop(c))
        endpoint_watch(c->duet, 0);
}

void
half_open_timeout(struct connection *c)
{
    int ended;

    if (c->service->view.draining) {
        read_and_drop(c);
        connection_end(c, END_UNAUTHENTICATED, gate_reason(GATE_SHUTDOWN));
    } else if (!gate_is_over(c->duet->fd, half_open_age(c), c->tunnel->drain_ms, &ended)) {
        connection_timer(c, GATE_STEP_MS);
    } else {
        connection_end(c, END_UNAUTHENTICATED, gate_reason(GATE_TIMEOUT));
    }
}

/** 1 when its first HELLO has opened: it holds the secret. */
static int
was_answered(const struct connection *c)
{
    duet_info info;

    if (c->channel == NULL)
        return 0;
    duet_channel_info(c->channel, &info);
    return info.pattern != DUET_PATTERN_NONE;
}

int
half_open_evict(struct tunnel *tunnel)
{
    struct connection *c, *chosen = NULL;
    struct gate_choice choice = {0};

    TAILQ_FOREACH (c, &tunnel->half_open, half_open) {
        uint64_t kept_ms = was_answered(c) ? (uint64_t)c->settings->handshake_ms : 0;
        int offered = gate_offer(&choice, half_open_age(c), kept_ms,
                                 source_limit_count(connection_sources(c), &c->from));
        if (offered < 0)
            break;
        if (offered > 0)
            chosen = c;
    }
    if (chosen == NULL || choice.waits)
        return -1;
    read_and_drop(chosen);
    connection_end(chosen, END_UNAUTHENTICATED, gate_reason(GATE_EVICTED));
    return 0;
}

void
half_open_drain(struct tunnel *tunnel)
{
    struct connection *c;

    TAILQ_FOREACH (c, &tunnel->half_open, half_open)
        connection_timer(c, GATE_EVICT_AFTER_MS);
}

/* ---- After a violation ---- */

void
violation_start(struct connection *c, const char *reason)
{
    connection_record(c, END_CUT, reason);
    endpoint_close(c->plain, 1);
    c->plain = NULL;
    c->starved = 0; /* nothing is to wake it */
    connection_enter(
        c, CONNECTION_VIOLATION,
        (int)gate_draw_linger(c->settings->linger_least_ms, c->settings->linger_most_ms));
    endpoint_watch(c->duet, UV_READABLE);
}

void
violation_drop(struct connection *c)
{
    if (read_and_drop(c))
        violation_timeout(c);
}

void
violation_timeout(struct connection *c)
{
    read_and_drop(c); /* for a FIN, not an RST */
    connection_end(c, END_CUT, "the peer broke the protocol");
}
