/*
 * The library's own frames: what each of them says and where in a direction it may stand
 * (docs/protocol.md §1). Called only for frames whose MAC has been verified.
 */
#include "session/session.h"

#include "base/equal.h"
#include "base/public.h"

#include <string.h>

static int
ready(struct duet_session *s, enum duet_event *event)
{
    if (s->rx.length != 0)
        return duet__session_broke(s, "READY with a payload");
    s->ready = 1;
    s->rx.limit = s->rx_limit;
    s->rx_phase = DUET__RX_OPEN;
    *event = DUET_EVENT_READY;
    duet__session_count(s, &s->rx);
    return DUET_OK;
}

static int
closed(struct duet_session *s, enum duet_event *event)
{
    if (s->rx.length != 0)
        return duet__session_broke(s, "CLOSE with a payload");
    if (s->rx_message)
        return duet__session_fail(s, DUET_E_TRUNCATED, "the peer closed within a message");
    duet__session_close(s, duet__peer_role(s), &s->rx);
    duet__refresh_peer_closed(s);
    s->rx_phase = DUET__RX_CLOSED;
    *event = DUET_EVENT_CLOSE;
    return DUET_OK;
}

static int
rotate(struct duet_session *s)
{
    static const struct duet__bytes nothing = {NULL, 0};

    if (s->rx.length != 0)
        return duet__session_broke(s, "ROTATE with a payload");
    duet__session_rotate(s, &s->rx, nothing);
    return DUET_OK;
}

/** A newer PING takes an unanswered one's place; after our CLOSE none is answered. */
static int
ping(struct duet_session *s)
{
    if (s->rx.length != DUET_PING_SIZE)
        return duet__session_broke(s, "a PING that is not of 8 bytes");
    if (s->tx_phase != DUET__TX_CLOSED) {
        memcpy(s->pong, s->held, sizeof s->pong);
        s->owed |= DUET__OWE_PONG;
    }
    duet__session_count(s, &s->rx);
    return DUET_OK;
}

static int
pong(struct duet_session *s, enum duet_event *event)
{
    if (s->rx.length != DUET_PING_SIZE)
        return duet__session_broke(s, "a PONG that is not of 8 bytes");
    DUET__PUBLIC(s->held, sizeof s->ping);
    if (s->pinged && duet__equal(s->held, s->ping, sizeof s->ping)) {
        s->pinged = 0;
        *event = DUET_EVENT_PONG;
    }
    duet__session_count(s, &s->rx);
    return DUET_OK;
}

static int
open_frame(struct duet_session *s, enum duet_event *event)
{
    switch (s->rx.code) {
    case WIRE_CLOSE:
        return closed(s, event);
    case WIRE_PAD:
        duet__session_count(s, &s->rx);
        return DUET_OK;
    case WIRE_PING:
        return ping(s);
    case WIRE_PONG:
        return pong(s, event);
    case WIRE_ROTATE:
        return rotate(s);
    case WIRE_REFRESH:
        return duet__refresh_frame(s, event);
    case WIRE_HELLO:
    case WIRE_READY:
        return duet__session_broke(s, "HELLO or READY after READY");
    default:
        return duet__session_broke(s, "a code that is reserved");
    }
}

int
duet__library_frame(struct duet_session *s, enum duet_event *event)
{
    switch ((enum duet__rx_phase)s->rx_phase) {
    case DUET__RX_HELLO:
    case DUET__RX_THIRD:
        if (s->rx.code != WIRE_HELLO)
            return duet__session_broke(s, "another frame where HELLO comes");
        if (s->rx_phase == DUET__RX_HELLO && s->role == DUET_BOTTOM)
            *event = DUET_EVENT_NONCE;
        return duet__hello_done(s);
    case DUET__RX_READY:
        if (s->rx.code != WIRE_READY)
            return duet__session_broke(s, "another frame where READY comes");
        return ready(s, event);
    default:
        return open_frame(s, event);
    }
}
