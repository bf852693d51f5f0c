/*
 * Half-open connections: peers of a server that have not authenticated (docs/protocol.md §4
 * "Probing"), and peers that were open and broke the protocol. Both are read and dropped in
 * silence. The rules of time are gate.h's; what follows authentication is lifecycle.c's matter.
 *
 * Half-open connections are counted apart from open ones. One makes room whether its handshake has
 * failed or not: otherwise a prober who fills the table could see which of his handshakes failed.
 *
 * Trying secrets takes time, so there is a budget of it for peers that have not authenticated
 * (trial_budget.h). Beyond it they wait with what they sent unread.
 */
#include "connection.h"

#include "gate.h"
#include "log.h"
#include "udp.h"

#include <stdio.h>

enum { TRIED_AT_ONCE = 32 }; /* of those that waited, in a turn of the loop */

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

/** Go on with the handshake of one whose secrets may be tried. */
static void
go_on(struct connection *c)
{
    connection_enter(c, CONNECTION_HANDSHAKE, KEEP_TIMER);
    if (reject_withdrawn(c))
        return;
    int result = duet_channel_handshake(c->channel, 0);
    if (result == DUET_OK) {
        trial_budget_give(&c->tunnel->trials, c->trials);
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

/* ---- The budget of trials ---- */

/** Charge one with the trials of its first header. Returns 1; 0: it has to wait. */
static int
charge_trials(struct connection *c)
{
    unsigned trials = (unsigned)c->settings->secret_count;

    if (!trial_budget_take(&c->tunnel->trials, c->tunnel->settings->trial_rate, trials,
                           uv_now(&c->service->loop)))
        return 0;
    c->trials = trials;
    return 1;
}

/** The next of those that wait, or NULL. */
static struct connection *
choose_next(struct tunnel *tunnel)
{
    struct connection *c, *chosen = NULL;
    struct trial_choice choice = {0};

    TAILQ_FOREACH (c, &tunnel->half_open, half_open)
        if (c->waits_trials &&
            trial_offer(&choice, source_limit_count(connection_sources(c), &c->from.any)))
            chosen = c;
    return chosen;
}

/** Go on with those of a tunnel that wait, as far as its budget goes. */
static void
serve_tunnel(struct tunnel *tunnel)
{
    struct connection *c = choose_next(tunnel);

    for (int i = 0; i < TRIED_AT_ONCE && c != NULL && charge_trials(c); i++) {
        c->waits_trials = 0;
        go_on(c);
        c = choose_next(tunnel);
    }
    tunnel->trials_wait = c != NULL;
}

static void
serve_waiting(uv_timer_t *timer)
{
    struct service *service = timer->data;
    struct tunnel *tunnel;
    int some_wait = 0;

    TAILQ_FOREACH (tunnel, &service->tunnels, entry) {
        serve_tunnel(tunnel);
        some_wait |= tunnel->trials_wait;
    }
    if (!some_wait)
        uv_timer_stop(timer);
}

void
half_open_handshake(struct connection *c)
{
    struct tunnel *tunnel = c->tunnel;

    if (c->state == CONNECTION_HANDSHAKE || (!tunnel->trials_wait && charge_trials(c))) {
        go_on(c);
        return;
    }
    connection_enter(c, CONNECTION_ACCEPTED, KEEP_TIMER);
    c->waits_trials = 1;
    tunnel->trials_wait = 1;
    endpoint_watch(c->duet, 0);
    if (!uv_is_active((uv_handle_t *)&c->service->trials))
        uv_timer_start(&c->service->trials, serve_waiting, GATE_STEP_MS, GATE_STEP_MS);
    limit_reached(tunnel, LIMIT_TRIALS);
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
                                 source_limit_count(connection_sources(c), &c->from.any));
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
    udp_flow_unlist(c);
    endpoint_close(c->plain, 1);
    c->plain = NULL;
    c->starved = 0; /* nothing is to wake it */
    connection_enter(
        c, CONNECTION_VIOLATION,
        (int)gate_draw_linger(c->settings->linger_least_ms, c->settings->linger_most_ms));
    endpoint_watch(c->duet, UV_READABLE);
}

static int
is_violation(int result)
{
    return result != DUET_E_TRUNCATED && result != DUET_E_IO && result != DUET_E_FORKED &&
           result != DUET_E_MEMORY;
}

/** A client does not know whether its server's target or the network failed: say where to look. */
static const char *
with_advice(struct connection *c, const char *why)
{
    struct service *service = c->service;

    if (c->settings->side != TUNNEL_CLIENT || c->result == DUET_E_MEMORY)
        return why;
    snprintf(service->reason, sizeof service->reason,
             "%s; the server's log says why, unless the line broke", why);
    return service->reason;
}

void
violation_judge(struct connection *c)
{
    const char *why = channel_error(c->channel);

    if (c->result == DUET_E_CODE) {
        violation_start(c, "the peer carries datagrams or asks for a target, and this end carries "
                           "a connection: do both ends have udp: addresses, or socks and "
                           "allow-target, or neither?");
        return;
    }
    if (*why == 0)
        why = duet_explain(c->result)->sentence;
    if (is_violation(c->result))
        violation_start(c, why);
    else
        connection_end(c, END_CUT, with_advice(c, why));
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
