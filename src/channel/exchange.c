/*
 * duet_channel_exchange(): send and receive in one call. The directions are independent
 * (docs/protocol.md §1), so two peers that both send much do not wait for each other.
 */
#include "channel/channel.h"

/** Both jobs and their results; of one that is not done DUET_AGAIN, or DUET__STEP_MORE. */
struct exchange {
    struct duet__tx tx;
    struct duet__rx rx;
    int sent, received;
};

static inline int
is_under_way(int result)
{
    return result == DUET_AGAIN || result == DUET__STEP_MORE;
}

/** What the state says after a result: without the wire's word that it would block, no event need
 * follow. */
static inline unsigned
again_now(const duet_channel *channel)
{
    return channel->dry ? 0 : DUET_STATE_AGAIN_NOW;
}

/** 1 when there is something to send: of the job, or pending. */
static inline int
exchange_sends(const duet_channel *channel, const struct exchange *both)
{
    return is_under_way(both->sent) || duet__send_pending(channel);
}

/** Do one step each way, without waiting. Returns DUET_AGAIN until both are done, and
 * DUET__STEP_MORE while either can go on at once. */
static int
exchange_step(duet_channel *channel, struct exchange *both)
{
    duet__refresh_if_due(channel);
    if (exchange_sends(channel, both))
        both->sent = duet__send_step(channel, &both->tx);
    if (is_under_way(both->received))
        both->received = duet__call_recv_step(channel, &both->rx);
    if (channel->result != DUET_OK)
        return channel->result;
    /* DUET_E_CODE and DUET_E_ROOM end the exchange at once; CLOSED waits for what is to be sent. */
    if (both->received != DUET_OK && !is_under_way(both->received) && both->received != DUET_CLOSED)
        return both->received;
    if (both->sent == DUET__STEP_MORE || both->received == DUET__STEP_MORE)
        return DUET__STEP_MORE;
    /* Sending has failed, and what has come is taken: the peer may wait for what it cannot get. */
    if (both->received == DUET_AGAIN && both->sent != DUET_OK && !is_under_way(both->sent))
        return channel->dry ? both->sent : (int)DUET__STEP_MORE;
    /* After a short read a polled call asks the wire again (see call.c). */
    if (both->received == DUET_AGAIN && both->rx.polled && !channel->dry)
        return DUET__STEP_MORE;
    if (both->sent == DUET_AGAIN || both->received == DUET_AGAIN)
        return DUET_AGAIN;
    return both->sent != DUET_OK ? both->sent : both->received;
}

/** Run both jobs to their end. */
static int
exchange_run(duet_channel *channel, struct exchange *both, struct duet__deadline *deadline)
{
    unsigned want = 0;

    duet__gather_end(channel);
    int result = duet__call_enter(channel, deadline, &want);
    if (result == DUET_OK && is_under_way(both->received) && duet__gather_waits(channel, 0))
        result = DUET_E_CODE;
    while (result == DUET_OK) {
        int step = exchange_step(channel, both);
        want = again_now(channel);
        if (!is_under_way(step)) {
            result = step;
            break;
        }
        want = is_under_way(both->received) ? DUET_WANT_READ : 0;
        if (exchange_sends(channel, both))
            want |= DUET_WANT_WRITE;
        if (step == DUET__STEP_MORE)
            result = duet__call_go_on(channel, deadline, &want);
        else
            result = duet__io_wait(channel, deadline, want);
    }
    /* Nothing is left but unsent bytes, which are the channel's to write. */
    if ((result == DUET_AGAIN || result == DUET_SLOW) && !is_under_way(both->received) &&
        duet__send_accepted(channel, &both->tx)) {
        result = both->received;
        want = again_now(channel);
    }
    result = duet__recv_settle(channel, &both->rx, result);
    channel->want_rx = (uint8_t)(want & ~(unsigned)DUET_WANT_WRITE);
    channel->want_tx = (uint8_t)(want & DUET_WANT_WRITE);
    return duet__recv_reported(channel, duet__send_reported(channel, result));
}

int
duet_channel_exchange(duet_channel *channel, duet_exchange_io *io, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct exchange both = {
        .tx = {.data = io->data, .size = io->size, .sent = io->sent, .due = io->sent < io->size},
        .rx = {.buffer = io->buffer,
               .size = io->room,
               .got = io->got,
               .least = io->room,
               .polled = timeout_ms == 0},
        .sent = DUET_AGAIN,
        .received = DUET_AGAIN};
    uint8_t phase = channel->send_phase;

    if (io->sent > io->size || io->got > io->room || phase == DUET__SEND_MESSAGE ||
        phase == DUET__SEND_FRAME || (phase == DUET__SEND_CLOSING && both.tx.due))
        return duet__channel_misuse(channel);
    if (io->got == io->room)
        both.received = DUET_OK;
    int result = exchange_run(channel, &both, &deadline);
    io->sent = both.tx.sent;
    io->got = both.rx.got;
    return result;
}
