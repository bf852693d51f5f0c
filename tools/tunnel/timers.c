/*
 * Watching over open connections: one on which nothing moves for too long ends, and a silent peer
 * is asked whether it lives.
 *
 * A peer whose own reader is slow stops reading and answers nothing, though it lives. So only one
 * that has heeded all that was ever sent to it is taken for dead when it leaves a PING unanswered,
 * or one whose kernel acknowledges nothing either: a slow reader's does. The others are the
 * kernel's to judge (keep-alive).
 */
#include "connection.h"

#include "os/os.h"
#include "os/socket.h"

#include <stdint.h>

enum { SOON_MS = 100 }; /* the least that is slept */

static void
ask(struct connection *c)
{
    uint8_t bytes[DUET_PING_SIZE];

    if (duet__os_random(bytes, sizeof bytes) != 0 ||
        duet_session_ask(duet_channel_session(c->channel), DUET_ASK_PING, bytes) != DUET_OK)
        return;
    c->pinged = 1;
    c->pinged_ms = uv_now(&c->service->loop);
    c->pinged_bytes = c->out.bytes;
    relay_flush(c);
}

/** Has the peer been silent after a PING, with nothing else to be busy with? */
static int
is_dead(struct connection *c, uint64_t now)
{
    duet_info info;

    if (!c->pinged)
        return 0;
    duet_session_info(duet_channel_session(c->channel), &info);
    if (!info.pinging) {
        c->pinged = 0;
        c->heeded_bytes = c->pinged_bytes;
        return 0;
    }
    if (c->heard_ms >= c->pinged_ms || now < c->pinged_ms + (uint64_t)c->settings->ping_ms)
        return 0;
    return duet__os_is_unacknowledged(c->duet->fd, now - c->pinged_ms) ||
           (c->in.buffer == NULL && c->out.buffer == NULL && !c->flushing &&
            c->out.bytes == c->heeded_bytes);
}

/** Milliseconds until a time that is ms after since; at most *wait. */
static void
at_most(int *wait, uint64_t since, int ms, uint64_t now)
{
    uint64_t end = since + (uint64_t)(ms > 0 ? ms : 0);
    int left = end > now + SOON_MS ? (int)(end - now) : SOON_MS;

    if (ms >= 0 && (*wait < 0 || left < *wait))
        *wait = left;
}

static void
attend(struct connection *c)
{
    const struct tunnel_settings *settings = c->settings;
    uint64_t now = uv_now(&c->service->loop);
    int wait = -1;

    if (settings->idle_ms >= 0 && now >= c->moved_ms + (uint64_t)settings->idle_ms) {
        connection_end(c, END_CUT, "nothing moved for as long as the idle time-out allows");
        return;
    }
    if (settings->ping_ms >= 0 && is_dead(c, now)) {
        connection_end(c, END_CUT, "the peer answers no more: it or the way to it is dead");
        return;
    }
    if (settings->ping_ms >= 0 && !c->pinged && !c->in.ended && !c->out.told &&
        now >= c->heard_ms + (uint64_t)settings->ping_ms)
        ask(c);
    at_most(&wait, c->moved_ms, settings->idle_ms, now);
    at_most(&wait, c->pinged || c->in.ended || c->out.told ? now : c->heard_ms, settings->ping_ms,
            now);
    connection_time(c, wait, attend);
}

/** A client that spoke first waits for its peer's READY as long as for any handshake. */
static void
proof_is_late(struct connection *c)
{
    connection_end(c, END_REFUSED,
                   "the peer took the opening and then stayed silent: it does not "
                   "trust this end's identity, and its log tells who came");
}

void
alive_heard(struct connection *c)
{
    duet_info info;

    duet_session_info(duet_channel_session(c->channel), &info);
    if (!info.ready)
        return;
    c->unproven = 0;
    connection_time(c, 0, attend); /* by the loop, as it may end the connection */
}

void
alive_start(struct connection *c)
{
    c->moved_ms = c->heard_ms = uv_now(&c->service->loop);
    c->unproven = 1;
    connection_time(c, c->settings->handshake_ms, proof_is_late);
    alive_heard(c);
}
