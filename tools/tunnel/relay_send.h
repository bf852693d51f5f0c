/*
 * What relay.c and udp_relay.c share: the results of sending calls, and the end of a connection's
 * direction to its peer.
 */
#ifndef DUET_TUNNEL_RELAY_SEND_H
#define DUET_TUNNEL_RELAY_SEND_H

#include "connection.h"

/** Take the result of a sending call. After DUET_OK the channel may hold unsent bytes. */
static inline void
relay_note_result(struct connection *c, int result)
{
    c->flushing = result == DUET_AGAIN ||
                  (result == DUET_OK && duet_channel_state(c->channel) & DUET_WANT_WRITE);
    if (result != DUET_OK && result != DUET_AGAIN)
        c->result = (int8_t)result;
}

/** May the channel take more to send? */
static inline int
relay_may_send(const struct connection *c)
{
    return c->result == DUET_OK && !c->peer_gone && (!c->flushing || (c->can & CAN_WRITE_DUET));
}

/** Nothing more is to be sent for now: flush what is pending, or emit CLOSE at the end. */
static inline void
relay_finish_sending(struct connection *c)
{
    if (!relay_may_send(c))
        return;
    if (c->out.ended && !c->out.end_passed) {
        relay_note_result(c, duet_channel_close(c->channel, 0));
        c->out.end_passed = 1;
    } else if (c->flushing || duet_channel_state(c->channel) & DUET_WANT_WRITE) {
        relay_note_result(c, duet_channel_flush(c->channel, 0));
    }
}

#endif
