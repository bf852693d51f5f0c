/*
 * A client whose peers come in: a server behind NAT dials (pool.c), its connections wait here, and
 * each plain connection is given one of them. No two share one.
 *
 * A waiting peer is asked to begin by one byte, which it answers by the same byte before it dials
 * its target; then both directions are the plain connection's. One that does not answer in time is
 * dropped, and another is asked: a network that was cut leaves some that look well and are not. The
 * peer that came last is asked first.
 */
#include "connection.h"

#include "socks.h"

enum {
    ANSWER_MS = 500, /* and four times what its handshake took */
    WAITING_MOST = 10000,
    SILENT_MS = 60000, /* a peer that waits sends PINGs every few seconds */
    GO_ON = REVERSE_BYTE
};

/* ---- The byte ---- */

int
reverse_send_byte(struct connection *c)
{
    const uint8_t byte = GO_ON;
    size_t sent;

    return duet_channel_send(c->channel, &byte, 1, &sent, 0);
}

int
reverse_recv_byte(struct connection *c)
{
    uint8_t byte = 0;
    size_t got = 0;

    int result = duet_channel_recv(c->channel, &byte, 1, &got, 1, 0);
    c->heard_ms = uv_now(&c->service->loop);
    if (result == DUET_OK && byte != GO_ON)
        return DUET_E_PROTOCOL;
    return result;
}

void
reverse_flush(struct connection *c)
{
    int result = DUET_OK;

    if (duet_channel_state(c->channel) & DUET_WANT_WRITE)
        result = duet_channel_flush(c->channel, 0);
    (void)result; /* a failure shows at the next event */
}

void
reverse_watch(struct connection *c)
{
    connection_watch_handshake(c);
}

void
reverse_fail(struct connection *c, int result)
{
    if (result == DUET_CLOSED || result == DUET_E_TRUNCATED || result == DUET_E_IO)
        connection_end(c, END_CUT, "the peer went away");
    else {
        connection_unlist(c);
        violation_start(c, duet_explain(result)->sentence);
    }
}

/* ---- Peers that wait ---- */

static void reverse_match(struct tunnel *tunnel);

/** Let it be the next that is used. */
static void
reverse_offer(struct connection *c)
{
    if (c->is_confirmed)
        TAILQ_REMOVE(&c->tunnel->waiting, c, half_open);
    else
        c->tunnel->counters->waiting++;
    c->is_confirmed = 1;
    TAILQ_INSERT_HEAD(&c->tunnel->waiting, c, half_open);
    connection_timer(c, SILENT_MS);
}

/** READY, a PING or the end of a peer that waits. */
static void
waiting_event(struct connection *c)
{
    struct tunnel *tunnel = c->tunnel;
    int result = reverse_recv_byte(c);
    duet_info info;

    if (result != DUET_AGAIN) {
        reverse_fail(c, result == DUET_OK ? (int)DUET_E_PROTOCOL : result);
        return;
    }
    reverse_flush(c);
    duet_session_info(duet_channel_session(c->channel), &info);
    reverse_watch(c);
    if (!info.ready)
        return;
    reverse_offer(c);
    reverse_match(tunnel);
}

void
reverse_wait(struct connection *c, const char *refusal)
{
    connection_enter(c, CONNECTION_WAITING, c->settings->handshake_ms);
    c->setup_ms = uv_now(&c->service->loop) - c->since_ms + 1;
    if (refusal != NULL)
        connection_end(c, END_REFUSED, refusal);
    else if (c->tunnel->pooled_count > WAITING_MOST)
        connection_end(c, END_REFUSED, "too many peers wait already");
    else
        waiting_event(c);
}

/* ---- Plain connections ---- */

/** Give a plain connection the channel of a peer that waits, whose own connection ends. */
static void
take_over(struct connection *c, struct connection *peer)
{
    c->duet = peer->duet;
    endpoint_give(c->duet, c);
    c->channel = peer->channel;
    c->target = NULL;
    generation_release(c->keys);
    c->keys = peer->keys;
    c->keys->holders++;
    peer->duet = NULL;
    peer->channel = NULL;
    connection_end(peer, END_DONE, "");
}

/** Ask the peer that was taken to begin. setup_ms: what its handshake took. */
static void
reverse_start(struct connection *c, uint64_t setup_ms)
{
    int answer_ms = ANSWER_MS + 4 * (int)(setup_ms < 5000 ? setup_ms : 5000);

    connection_enter(c, CONNECTION_STARTING, answer_ms);
    if (reverse_send_byte(c) != DUET_OK)
        connection_timer(c, 0); /* the timer asks another */
    reverse_watch(c);
}

static void
reverse_match(struct tunnel *tunnel)
{
    while (!TAILQ_EMPTY(&tunnel->queued) && !TAILQ_EMPTY(&tunnel->waiting)) {
        struct connection *c = TAILQ_FIRST(&tunnel->queued);
        struct connection *peer = TAILQ_FIRST(&tunnel->waiting);
        if (connection_is_withdrawn(peer)) {
            connection_end(peer, END_REFUSED, "a reload withdrew its secret or its identity");
            continue;
        }
        uint64_t setup_ms = peer->setup_ms;
        connection_unlist(c);
        take_over(c, peer);
        reverse_start(c, setup_ms);
    }
}

void
reverse_queue(struct connection *c)
{
    uint64_t now = uv_now(&c->service->loop);
    struct tunnel *tunnel = c->tunnel;

    if (c->queue_ms == 0)
        c->queue_ms = now + (uint64_t)c->settings->connect_ms;
    if (now >= c->queue_ms) {
        connection_end(c, END_UNREACHED,
                       "no server that dials here was there to serve it; does it run, and does its "
                       "log say that it reaches this end?");
        return;
    }
    connection_enter(c, CONNECTION_QUEUED, (int)(c->queue_ms - now));
    endpoint_watch(c->plain, 0); /* what it sends waits in the kernel */
    TAILQ_INSERT_TAIL(&tunnel->queued, c, half_open);
    reverse_match(tunnel);
}

/** The peer that was asked is of no use. */
static void
ask_another(struct connection *c)
{
    c->tunnel->counters->dial_failures++;
    duet_channel_free(c->channel);
    c->channel = NULL;
    endpoint_close(c->duet, 0);
    c->duet = NULL;
    reverse_queue(c);
}

/** The answer of the peer that was asked. */
static void
starting_event(struct connection *c)
{
    int result = reverse_recv_byte(c);

    if (result == DUET_OK)
        socks_begin(c);
    else if (result == DUET_AGAIN)
        reverse_watch(c);
    else
        ask_another(c);
}

/* ---- Events and timers ---- */

void
reverse_event(struct connection *c)
{
    if (c->state == CONNECTION_WAITING)
        waiting_event(c);
    else
        starting_event(c);
}

void
reverse_timeout(struct connection *c)
{
    if (c->state == CONNECTION_QUEUED) {
        connection_unlist(c);
        reverse_queue(c); /* its time is over */
    } else if (c->state == CONNECTION_STARTING) {
        ask_another(c);
    } else if (!c->is_confirmed) {
        timers_unconfirmed(c);
    } else {
        connection_end(c, END_CUT, "it was silent for too long");
    }
}
