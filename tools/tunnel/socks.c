/*
 * Targets that a client's program asks for by SOCKS5: the client reads the request, dials its
 * server, and asks it by a message once the peer is authenticated; the server judges and dials, and
 * answers. Then both directions are the stream's. The formats are in socks_request.h.
 */
#include "connection.h"

#include "log.h"
#include "socks.h"

#include <stdio.h>

enum { WHY_MOST = SOCKS_NAME_MOST + 200 };

static int
is_ready(const struct connection *c)
{
    duet_info info;

    duet_session_info(duet_channel_session(c->channel), &info);
    return info.ready;
}

/** Write what the channel has pending, and watch for the rest. */
static void
watch_peer(struct connection *c)
{
    int result = DUET_OK;

    if (duet_channel_state(c->channel) & DUET_WANT_WRITE)
        result = duet_channel_flush(c->channel, 0);
    (void)result; /* a failure shows at the next event */
    connection_watch_handshake(c);
}

/** The channel is at its end, or broken, before there was an answer. May end the connection. */
static void
channel_failed(struct connection *c, int result)
{
    if (result == DUET_CLOSED || result == DUET_E_TRUNCATED || result == DUET_E_IO)
        connection_end(c, END_CUT,
                       c->dials_plain
                           ? "the client went away before its target was reached"
                           : "the server went away before it answered; its log says why");
    else if (result == DUET_E_MEMORY)
        connection_end(c, END_CUT, "no memory");
    else
        violation_start(c, duet_explain(result)->sentence);
}

/** What a message that should have come turned out to be. */
enum message_kind { MESSAGE_WAITS, MESSAGE_CAME, MESSAGE_OTHER, MESSAGE_FAILED };

/** Receive a message under a code. MESSAGE_FAILED: the connection may have ended. */
static enum message_kind
receive_message(struct connection *c, uint32_t wanted, uint8_t *bytes, size_t room, size_t *size)
{
    uint32_t code = 0;
    int result = duet_channel_recv_message(c->channel, &code, bytes, room, size, 0);

    c->heard_ms = uv_now(&c->service->loop);
    if (result == DUET_AGAIN && *size == 0) {
        watch_peer(c);
        return MESSAGE_WAITS;
    }
    if (result == DUET_OK && code == wanted)
        return MESSAGE_CAME;
    if (result == DUET_OK || result == DUET_AGAIN || result == DUET_E_ROOM)
        return MESSAGE_OTHER; /* the stream's bytes, or a message that is too long */
    channel_failed(c, result);
    return MESSAGE_FAILED;
}

/* ---- The client ---- */

void
socks_open(struct connection *c)
{
    c->socks = socks_request_new();
    if (c->socks == NULL) {
        connection_end(c, END_REFUSED, "no memory");
        return;
    }
    connection_enter(c, CONNECTION_SOCKS, c->settings->handshake_ms);
    endpoint_watch(c->plain, UV_READABLE);
}

/** The server's answer is here. */
static void
answered(struct connection *c, unsigned reply)
{
    char why[WHY_MOST];

    if (reply != SOCKS_DONE) {
        c->socks->reply = reply < SOCKS_REPLIES ? reply : (unsigned)SOCKS_FAILED;
        snprintf(why, sizeof why, "%s port %u: %s", printable(c->socks->host), c->socks->port,
                 socks_reply_text(reply));
        connection_end(c, reply == SOCKS_NOT_ALLOWED ? END_REFUSED : END_UNREACHED, why);
        return;
    }
    if (socks_answer_done(c) != 0) {
        connection_end(c, END_CUT, "the program went away before its target was reached");
        return;
    }
    socks_request_free(c->socks);
    c->socks = NULL;
    relay_start(c);
}

static void
asking_event(struct connection *c)
{
    uint8_t bytes[SOCKS_ANSWER];
    size_t size;

    switch (receive_message(c, TUNNEL_CODE_ANSWER, bytes, sizeof bytes, &size)) {
    case MESSAGE_CAME:
        answered(c, size == sizeof bytes && bytes[0] == 1 ? bytes[1] : (unsigned)SOCKS_REPLIES);
        break;
    case MESSAGE_OTHER:
        connection_end(c, END_CUT,
                       "the server does not answer a request; it has a target of its own, where "
                       "this one needs allow-target");
        break;
    default:
        break;
    }
}

void
socks_begin(struct connection *c)
{
    uint8_t message[SOCKS_MESSAGE_MOST];
    size_t sent;

    if (c->socks == NULL) {
        relay_start(c);
        return;
    }
    connect_done(c);
    connection_enter(c, CONNECTION_ASKING, c->settings->connect_ms + c->settings->handshake_ms);
    int result = duet_channel_send_message(c->channel, TUNNEL_CODE_ASK, message,
                                           socks_message_write(message, c->socks), &sent, 0);
    if (result == DUET_OK)
        asking_event(c);
    else
        channel_failed(c, result == DUET_AGAIN ? (int)DUET_E_IO : result);
}

/* ---- The server ---- */

static void
judge_request(struct connection *c, const uint8_t *bytes, size_t size)
{
    char why[WHY_MOST];

    if (socks_message_read(c->socks, bytes, size) != 0) {
        connection_end(c, END_REFUSED, "it asks for a target in a way that is not understood");
    } else if (!socks_is_allowed(c->settings, c->socks)) {
        c->socks->reply = SOCKS_NOT_ALLOWED;
        snprintf(why, sizeof why, "it asks for %s, which allow-target does not allow",
                 printable(c->socks->target.at[0]));
        connection_end(c, END_REFUSED, why);
    } else {
        connection_enter(c, CONNECTION_RESOLVING, NO_TIMER);
        connect_start(c);
    }
}

static void
asked_event(struct connection *c)
{
    uint8_t bytes[SOCKS_MESSAGE_MOST];
    size_t size;

    switch (receive_message(c, TUNNEL_CODE_ASK, bytes, sizeof bytes, &size)) {
    case MESSAGE_CAME:
        judge_request(c, bytes, size);
        break;
    case MESSAGE_OTHER:
        c->socks->is_answered = 1; /* it expects none */
        connection_end(c, END_REFUSED,
                       "it asks for no target; its tunnel needs socks = yes, or this one a target");
        break;
    default:
        break;
    }
}

void
socks_serve(struct connection *c)
{
    if (c->settings->allow_targets.count == 0) {
        connect_start(c);
        return;
    }
    c->socks = socks_request_new();
    if (c->socks == NULL) {
        connection_end(c, END_REFUSED, "no memory");
        return;
    }
    connection_enter(c, CONNECTION_ASKED, c->settings->handshake_ms);
    watch_peer(c);
    asked_event(c);
}

void
socks_connected(struct connection *c)
{
    if (c->socks != NULL && socks_answer_done(c) != 0)
        connection_end(c, END_CUT, "the client went away before it was answered");
    else
        relay_start(c);
}

/* ---- Events and timers ---- */

void
socks_event(struct connection *c)
{
    if (c->state == CONNECTION_ASKING)
        asking_event(c);
    else
        asked_event(c);
}

void
socks_timeout(struct connection *c)
{
    if (!is_ready(c))
        timers_unconfirmed(c);
    else if (c->state == CONNECTION_ASKING)
        connection_end(c, END_UNREACHED,
                       "the server did not say in time whether it reached the target");
    else
        connection_end(c, END_REFUSED, "it asked for no target in time");
}
