/*
 * The library's own frames as they arrive: where in a direction each may stand, how large it is and
 * what it leads to (docs/protocol.md §1). Called only for frames whose MAC has been verified. What
 * we send is in emit.c.
 */
#include "session/session.h"

#include "base/equal.h"
#include "base/public.h"

#include <inttypes.h>
#include <string.h>

static int
hello_received(struct duet_session *s, enum duet_event *event)
{
    if (s->rx_phase == DUET__RX_HELLO && s->role == DUET_BOTTOM)
        *event = DUET_EVENT_NONCE;
    return duet__session_hello_received(s);
}

static int
ready_received(struct duet_session *s, enum duet_event *event)
{
    s->ready = 1;
    s->rx.limit = s->rx_limit;
    s->rx_phase = DUET__RX_ESTABLISHED;
    *event = DUET_EVENT_READY;
    return DUET_OK;
}

/** Half-close: the peer sends nothing more; our own direction goes on until our CLOSE. */
static int
close_received(struct duet_session *s, enum duet_event *event)
{
    if (s->rx_message)
        return duet__session_fail(s, DUET_E_TRUNCATED, "the peer closed within a message");
    duet__session_close(s, duet__peer_role(s), &s->rx);
    duet__refresh_peer_closed(s);
    s->rx_phase = DUET__RX_CLOSED;
    *event = DUET_EVENT_CLOSE;
    return DUET_OK;
}

/* A newer PING takes an unanswered one's place; after our CLOSE none is answered. */
static int
ping_received(struct duet_session *s, enum duet_event *event)
{
    (void)event;
    if (s->tx_phase == DUET__TX_CLOSED)
        return DUET_OK;
    memcpy(s->pong, s->held, sizeof s->pong);
    s->pending |= DUET__PENDING_PONG;
    return DUET_OK;
}

/* One that does not answer our last PING is ignored. */
static int
pong_received(struct duet_session *s, enum duet_event *event)
{
    DUET__PUBLIC(s->held, sizeof s->ping);
    if (s->pinged && duet__equal(s->held, s->ping, sizeof s->ping)) {
        s->pinged = 0;
        *event = DUET_EVENT_PONG;
    }
    return DUET_OK;
}

static int
rotate_received(struct duet_session *s, enum duet_event *event)
{
    (void)event;
    if (s->raw)
        return duet__session_violation(s, "ROTATE on raw directions");
    duet__session_rotate(s, &s->rx, DUET__NO_BYTES);
    return DUET_OK;
}

enum { ANY_SIZE = -1 };

#define IN(phase) (1u << DUET__RX_##phase)

/* received: what the frame leads to. counted: 1: afterwards the count decides about a rotation; 0:
 * the frame's own rule does (§3). */
static const struct library_frame {
    uint32_t code;
    unsigned phases; /* in which it may come */
    const char *name;
    int size; /* bytes of payload, or ANY_SIZE */
    int counted;
    int (*received)(struct duet_session *s, enum duet_event *event);
} library_frames[] = {
    {WIRE_HELLO, IN(HELLO) | IN(THIRD), "HELLO", ANY_SIZE, 0, hello_received},
    {WIRE_READY, IN(READY), "READY", 0, 1, ready_received},
    {WIRE_CLOSE, IN(ESTABLISHED), "CLOSE", 0, 0, close_received},
    {WIRE_PAD, IN(ESTABLISHED), "PAD", ANY_SIZE, 1, NULL},
    {WIRE_PING, IN(ESTABLISHED), "PING", DUET_PING_SIZE, 1, ping_received},
    {WIRE_PONG, IN(ESTABLISHED), "PONG", DUET_PING_SIZE, 1, pong_received},
    {WIRE_ROTATE, IN(ESTABLISHED), "ROTATE", 0, 0, rotate_received},
    {WIRE_REFRESH, IN(ESTABLISHED), "REFRESH", ANY_SIZE, 0, duet__refresh_received},
};

int
duet__library_received(struct duet_session *s, enum duet_event *event)
{
    for (size_t i = 0; i < sizeof library_frames / sizeof *library_frames; i++) {
        const struct library_frame *frame = &library_frames[i];
        if (s->rx.code != frame->code)
            continue;
        if (!(frame->phases & 1u << s->rx_phase))
            return duet__session_violation(s, "%s at a place where it is not allowed", frame->name);
        if (frame->size != ANY_SIZE && s->rx.length != (uint32_t)frame->size)
            return duet__session_violation(s, "%s with %" PRIu32 " bytes of payload", frame->name,
                                           s->rx.length);
        int result = frame->received != NULL ? frame->received(s, event) : DUET_OK;
        if (result == DUET_OK && frame->counted)
            duet__session_rotate_if_due(s, &s->rx);
        return result;
    }
    if (duet__is_application(s->rx.code))
        return duet__session_violation(s, "an application frame before READY");
    return duet__session_violation(s, "a reserved code that this version does not know");
}
