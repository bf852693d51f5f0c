/*
 * Initiation over the wire (docs/protocol.md §4): the session says what is owed and awaited, this
 * carries it. Every call of a channel comes through here first.
 */
#include "channel/channel.h"

#include "session/session.h"

/** 1 once the application may have the channel. */
static int
initiated(duet_channel *channel)
{
    const duet_session *session = channel->session;
    return session->ready || (channel->speak_first && duet__session_may_send(session));
}

/** One turn of initiation, without waiting. Returns DUET_OK when it is done. */
static int
advance(duet_channel *channel, unsigned *want)
{
    channel->dry = 0;
    for (int turns = 0; turns < DUET__TURNS; turns++) {
        int sent = duet__tx_step(channel, NULL);
        if (sent != DUET_OK && sent != DUET_AGAIN && channel->result != DUET_OK)
            return channel->result;
        if (initiated(channel))
            return DUET_OK;
        *want = DUET_WANT_READ | (sent == DUET_AGAIN ? DUET_WANT_WRITE : 0u);
        int got = duet__rx_control(channel);
        if (got != DUET_OK)
            return got;
    }
    return DUET_AGAIN;
}

/** A sending call that waited for the peer can go on, whichever call has met that peer now. */
static void
opened(duet_channel *channel)
{
    channel->open = 1;
    if (channel->want_tx != 0)
        channel->want_tx = DUET_WANT_WRITE;
}

int
duet__enter(duet_channel *channel, struct duet__deadline *deadline, unsigned *want)
{
    if (!duet__channel_alive(channel))
        return channel->result;
    while (!channel->open) {
        int result = advance(channel, want);
        if (result == DUET_AGAIN)
            result = duet__io_wait(channel, deadline, *want);
        else if (result == DUET_OK)
            opened(channel);
        if (result != DUET_OK)
            return result;
    }
    *want = 0;
    return DUET_OK;
}

int
duet_handshake(duet_channel *channel, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    unsigned want = 0;

    int result = duet__enter(channel, &deadline, &want);
    channel->want_rx = (uint8_t)want;
    return result;
}
