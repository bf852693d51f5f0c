/*
 * Both ways in one call: the directions are independent (docs/protocol.md §1), so two peers that
 * both send much do not wait for one another.
 */
#include "channel/channel.h"

/** Both jobs and how they stand. */
struct both {
    struct duet__tx tx;
    struct duet__rx rx;
    int sent, had; /* results; DUET_AGAIN: not done */
};

/** 1 when no more is to be done for a direction that stands so. */
static int
over(int result)
{
    return result != DUET_AGAIN;
}

/** One turn each way, without waiting. Returns DUET_AGAIN until both are over. */
static int
turn(duet_channel *channel, struct both *both)
{
    if (!over(both->sent) || duet__tx_waits(channel))
        both->sent = duet__tx_step(channel, &both->tx);
    if (!over(both->had))
        both->had = duet__rx_step(channel, &both->rx);
    if (channel->result != DUET_OK)
        return channel->result;
    if (both->had != DUET_OK && both->had != DUET_AGAIN && both->had != DUET_CLOSED)
        return both->had;
    if (!over(both->sent) || !over(both->had))
        return DUET_AGAIN;
    return both->sent != DUET_OK ? both->sent : both->had;
}

static unsigned
wanted(const duet_channel *channel, const struct both *both)
{
    unsigned want = over(both->had) ? 0 : DUET_WANT_READ;
    if (!over(both->sent) || duet__tx_waits(channel))
        want |= DUET_WANT_WRITE;
    return want;
}

static int
run(duet_channel *channel, struct both *both, struct duet__deadline *deadline)
{
    unsigned want = 0;

    int result = duet__enter(channel, deadline, &want);
    while (result == DUET_OK) {
        result = turn(channel, both);
        want = result == DUET_AGAIN ? wanted(channel, both) : 0;
        if (result != DUET_AGAIN)
            break;
        result = duet__io_wait(channel, deadline, want);
    }
    result = duet__rx_settle(channel, &both->rx, result);
    channel->want_rx = (uint8_t)(want & DUET_WANT_READ);
    channel->want_tx = (uint8_t)(want & DUET_WANT_WRITE);
    return result;
}

int
duet_exchange(duet_channel *channel, duet_exchange_io *io, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct both both = {.sent = DUET_AGAIN, .had = DUET_AGAIN};

    if (io->sent > io->size || io->got > io->room || channel->tx_message || channel->tx_frame)
        return duet__channel_refuse(channel);
    if (channel->tx_closing && io->sent < io->size)
        return duet__channel_refuse(channel);
    both.tx = (struct duet__tx){.kind = DUET__TX_STREAM, .data = io->data, .size = io->size};
    both.tx.sent = io->sent;
    both.tx.due = io->sent < io->size;
    both.rx = (struct duet__rx){.kind = DUET__RX_STREAM, .buffer = io->buffer, .size = io->room};
    both.rx.got = io->got;
    both.rx.polled = timeout_ms == 0;
    if (io->got == io->room)
        both.had = DUET_OK;
    int result = run(channel, &both, &deadline);
    io->sent = both.tx.sent;
    io->got = both.rx.got;
    return result;
}
