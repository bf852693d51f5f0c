/*
 * The idle timeout and the PINGs (keepalive) of open connections: one on which no byte moves for
 * too long ends, and a peer that is silent for too long gets a PING.
 *
 * A peer whose own reader is slow stops reading (backpressure) and answers no PING, though it
 * lives. So an unanswered PING is taken for death only if the peer has answered everything that was
 * sent before it, or if its kernel acknowledges nothing either. Other cases are left to TCP's
 * keep-alive.
 */
#include "connection.h"

#include "os/os.h"
#include "os/socket.h"
#include "udp.h"

enum {
    SLEEP_LEAST_MS = 100,
    ALONE_MS = 5000,
    UDP_LATER_MS = 2000 /* a server's flow ends after its client's, which loses nothing then */
};

static void
send_ping(struct connection *c)
{
    uint8_t bytes[DUET_PING_SIZE];

    if (duet__os_random(bytes, sizeof bytes) != 0 ||
        duet_session_ping(duet_channel_session(c->channel), bytes) != DUET_OK)
        return;
    c->pinged = 1;
    c->pinged_ms = uv_now(&c->service->loop);
    c->pinged_bytes = c->out.bytes;
    c->can |= CAN_WRITE_DUET;
    connection_make_ready(c);
}

/** Has the peer left a PING unanswered with nothing else to be busy with? */
static int
is_peer_dead(struct connection *c, uint64_t now)
{
    duet_info info;

    if (!c->pinged)
        return 0;
    duet_session_info(duet_channel_session(c->channel), &info);
    if (!info.pinging) {
        c->pinged = 0;
        c->answered_bytes = c->pinged_bytes;
        return 0;
    }
    if (c->heard_ms >= c->pinged_ms || now < c->pinged_ms + (uint64_t)c->settings->ping_ms)
        return 0;
    return duet__os_is_unacknowledged(c->duet->fd, now - c->pinged_ms) ||
           (c->in.buffer == NULL && c->out.buffer == NULL && !c->flushing &&
            c->out.bytes == c->answered_bytes);
}

/** Shorten *wait to what is left of ms after since; ms negative: leave it. */
static void
wait_until(int *wait, uint64_t since, int ms, uint64_t now)
{
    uint64_t end = since + (uint64_t)(ms > 0 ? ms : 0);
    int left = end > now + SLEEP_LEAST_MS ? (int)(end - now) : SLEEP_LEAST_MS;

    if (ms >= 0 && (*wait < 0 || left < *wait))
        *wait = left;
}

/** 1 when one direction has ended and the other goes on. */
static int
is_half_closed(const struct connection *c)
{
    return c->in.ended != c->out.ended;
}

/** 1 when the plain side has not taken what waits for it. */
static int
is_stalled(const struct connection *c)
{
    return c->in.buffer != NULL && c->in.at < c->in.size;
}

/** 1 when ms have passed since then; ms negative: never. */
static int
is_over(uint64_t since, int ms, uint64_t now)
{
    return ms >= 0 && now >= since + (uint64_t)ms;
}

/** How long nothing may move; -1: for ever. */
static int
idle_most(const struct connection *c)
{
    if (c->udp == NULL)
        return c->settings->idle_ms;
    return c->settings->udp_ms + (c->settings->side == TUNNEL_SERVER ? UDP_LATER_MS : 0);
}

/** A flow has said that it ends: the peer has some time to say so too. May end the connection. */
static void
await_end(struct connection *c, uint64_t now)
{
    int wait = NO_TIMER;

    wait_until(&wait, c->udp->ended_ms, c->settings->handshake_ms, now);
    if (is_over(c->udp->ended_ms, c->settings->handshake_ms, now))
        connection_end(c, END_DONE, c->udp->why);
    else
        connection_timer(c, wait);
}

/** Nothing has moved for too long. May end the connection. */
static void
idle_is_over(struct connection *c)
{
    if (c->udp == NULL)
        connection_end(c, END_CUT, "no data moved within the idle timeout");
    else
        timers_end_flow(c, "no datagram came within udp-timeout");
}

/** Which of the times that a setting gives to an open connection is over; NULL: none. */
static const char *
time_over(const struct connection *c, uint64_t now)
{
    const struct tunnel_settings *settings = c->settings;

    if (is_half_closed(c) && is_over(c->moved_ms, settings->half_close_ms, now))
        return c->in.ended ? "the peer's side had closed, and no data moved within the half-close "
                             "timeout"
                           : "the plain side had closed, and no data moved within the half-close "
                             "timeout";
    if (is_stalled(c) && is_over(c->written_ms, settings->stall_ms, now))
        return "the plain side took nothing within the stall timeout";
    if (is_over(c->since_ms, settings->age_ms, now))
        return "it reached max-age";
    return NULL;
}

void
timers_alone(struct connection *c)
{
    int left = NO_TIMER;

    wait_until(&left, c->heard_ms, ALONE_MS, uv_now(&c->service->loop));
    connection_timer(c, left);
}

/** The moment is over, and the plain side has neither ended nor sent anything. */
static void
alone_is_over(struct connection *c)
{
    if (c->in.bytes == 0 && c->in.buffer == NULL)
        connection_end(c, END_DONE, "the peer closed without having sent anything, as duet ping");
    else
        connection_end(c, END_CUT, "the peer went away before this side had closed");
}

void
timers_open(struct connection *c)
{
    const struct tunnel_settings *settings = c->settings;
    uint64_t now = uv_now(&c->service->loop);
    int closing = c->in.ended || c->out.end_passed, idle_ms = idle_most(c);
    int wait = NO_TIMER;

    if (c->peer_gone) {
        alone_is_over(c);
        return;
    }
    if (c->udp != NULL && c->udp->ended_ms != 0) {
        await_end(c, now);
        return;
    }
    if (is_over(c->moved_ms, idle_ms, now)) {
        idle_is_over(c);
        return;
    }
    const char *over = time_over(c, now);
    if (over != NULL) {
        connection_end(c, END_CUT, over);
        return;
    }
    if (settings->ping_ms >= 0 && is_peer_dead(c, now)) {
        connection_end(c, END_CUT, "the peer stopped answering: it or the network is down");
        return;
    }
    if (settings->ping_ms >= 0 && !c->pinged && !closing &&
        now >= c->heard_ms + (uint64_t)settings->ping_ms)
        send_ping(c);
    wait_until(&wait, c->moved_ms, idle_ms, now);
    wait_until(&wait, is_half_closed(c) ? c->moved_ms : now, settings->half_close_ms, now);
    wait_until(&wait, is_stalled(c) ? c->written_ms : now, settings->stall_ms, now);
    wait_until(&wait, c->since_ms, settings->age_ms, now);
    wait_until(&wait, c->pinged || closing ? now : c->heard_ms, settings->ping_ms, now);
    connection_timer(c, wait);
}

void
timers_end_flow(struct connection *c, const char *why)
{
    if (c->udp->ended_ms != 0)
        return;
    c->udp->ended_ms = uv_now(&c->service->loop);
    c->udp->why = why;
    c->out.ended = 1;
    udp_flow_unlist(c);
    connection_timer(c, c->settings->handshake_ms);
    connection_make_ready(c);
}

void
timers_unconfirmed(struct connection *c)
{
    connection_end(c, END_REFUSED,
                   "the peer read the handshake and then stayed silent: it does not trust this "
                   "end's identity; its log names it");
}

void
timers_confirm(struct connection *c)
{
    duet_info info;

    duet_session_info(duet_channel_session(c->channel), &info);
    if (info.ready)
        connection_enter(c, CONNECTION_OPEN, 0); /* the timer fires by the loop: it may end it */
}

void
timers_start(struct connection *c)
{
    c->moved_ms = c->heard_ms = uv_now(&c->service->loop);
    connection_enter(c, CONNECTION_UNCONFIRMED, c->settings->handshake_ms);
    timers_confirm(c);
}
