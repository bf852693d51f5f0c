/*
 * Receiving from a TCP socket by peeking: MSG_PEEK copies what the kernel holds, all whole frames
 * that the call takes are opened from that copy, and exactly their bytes are removed. Many small
 * frames cost two system calls, and what the application did not ask for stays in the kernel
 * (docs/protocol.md §1 "A receiver").
 *
 * A frame of which only a part has come stays in the kernel too, under SO_RCVLOWAT so that poll()
 * does not report it again and again. What the kernel would not hold, what a call waits for, and
 * frames of DUET__PEEK_FRAME bytes and more are read by recv.c.
 */
#include "channel/channel.h"

#include "base/bytes.h"

enum { PEEK_SPARE = 256 }; /* bytes peeked at beyond what the call is known to take */

/** Peek at up to size bytes. Only the first peek of a call that does not have what it waits for may
 * block. */
static inline int
peek_at(duet_channel *channel, struct duet__rx *job, uint8_t *at, size_t size, size_t *got)
{
    int block = job->may_block && !duet__recv_satisfied(job);

    if (!channel->drained)
        job->may_block = 0;
    return duet__io_peek(channel, block, at, size, got);
}

/* Peek at as much as the job can take if frames go on to be as small as the last one. */
int
duet__peek_begin(duet_channel *channel, struct duet__rx *job, struct duet__peek *peek)
{
    if (channel->read_ahead)
        return duet__ahead_begin(channel, peek);
    size_t one = (size_t)channel->last + DUET_FRAME_OVERHEAD;
    size_t size = 2 * duet__min(job->size - job->got, DUET__PEEK_SIZE);

    if (job->kind == DUET__RX_MESSAGE)
        size = one;
    if (job->kind == DUET__RX_BATCH)
        size =
            duet__min(size, one * duet__min(job->inbox->room - job->inbox->count, DUET__PEEK_SIZE));
    if (channel->recv_phase == DUET__RECV_BEGUN && size < channel->need)
        size = channel->need;
    peek->at = 0;
    peek->asked = duet__min(size + PEEK_SPARE, DUET__PEEK_SIZE);
    peek->wire = duet__buffer_take();
    if (peek->wire == NULL)
        return DUET_E_MEMORY;
    int result = peek_at(channel, job, peek->wire, peek->asked, &peek->size);
    if (result != DUET_OK) {
        duet__buffer_return(peek->wire);
        peek->wire = NULL;
    }
    return result;
}

int
duet__peek_next(duet_channel *channel, struct duet__rx *job, struct duet__peek *peek,
                struct duet_step *step)
{
    step->in = NULL;
    while (peek->at < peek->size && !duet__recv_complete(job)) {
        const uint8_t *in = peek->wire + peek->at;
        size_t left = peek->size - peek->at;
        if (channel->recv_phase > DUET__RECV_BEGUN)
            return DUET_OK;
        if (channel->recv_phase == DUET__RECV_BEGUN) {
            if (channel->need > left)
                return DUET_OK;
            int placed = duet__recv_place(channel, job);
            if (placed != DUET_OK)
                return placed;
            if (channel->partial != NULL &&
                duet__partial_reserve(channel, channel->rx_length) != DUET_OK)
                return DUET_E_MEMORY;
            *step = (struct duet_step){.in = in, .in_size = channel->need};
            step->out = channel->partial != NULL ? channel->partial : channel->rx_at;
            step->out_size = channel->rx_length;
            return DUET_OK;
        }
        struct duet_step library = {.in = in, .in_size = left};
        int result = duet_session_recv(channel->session, &library);
        peek->at += library.used;
        result = duet__recv_handle(channel, &library, result);
        if (result != DUET_OK)
            return result;
    }
    return DUET_OK;
}

int
duet__peek_opened(duet_channel *channel, struct duet__rx *job, struct duet__peek *peek,
                  const struct duet_step *step, int result)
{
    peek->at += step->used;
    channel->rx_done = (uint32_t)step->put;
    result = duet__recv_handle(channel, step, result);
    if (result == DUET_OK && channel->partial == NULL)
        duet__recv_deliver(channel, job);
    return result;
}

int
duet__peek_end(duet_channel *channel, struct duet__peek *peek)
{
    int result = DUET_OK;

    if (channel->read_ahead) {
        duet__ahead_end(channel, peek);
        return channel->result;
    }
    if (channel->result == DUET_OK && peek->at > 0) {
        if (channel->low_water)
            duet__channel_clear_low_water(channel);
        result = duet__io_drop(channel, peek->wire, peek->at);
    }
    duet__buffer_return(peek->wire);
    peek->wire = NULL;
    return channel->result != DUET_OK ? channel->result : result;
}

/** Only a part of the begun frame is in the kernel: set SO_RCVLOWAT and leave it there, or read. */
static int
leave_or_read(duet_channel *channel, struct duet__rx *job)
{
    int result = duet__recv_place(channel, job);

    if (result != DUET_OK)
        return result;
    /* The caller already has data; set SO_RCVLOWAT only when a later call returns nothing. */
    if (duet__recv_had_some(job) && duet__recv_satisfied(job))
        return DUET_AGAIN;
    if (job->polled && !channel->low_water)
        channel->low_water = duet__os_low_water(channel->io.rfd, channel->need) == 0;
    /* The rest, or the end, may have come meanwhile: no event would follow. */
    channel->dry = job->polled && channel->low_water && !duet__os_readable(channel->io.rfd);
    if (channel->dry)
        return DUET_AGAIN;
    /* It is more than the kernel would hold, or the stream ends within it. */
    return duet__recv_piece(channel, job);
}

/** A polled call and a large frame: count the bytes in the kernel, read it once it is whole. */
static int
read_when_whole(duet_channel *channel, struct duet__rx *job)
{
    size_t there;

    int result = peek_at(channel, job, NULL, channel->need, &there);
    if (result != DUET_OK)
        return result;
    return there < channel->need ? leave_or_read(channel, job) : duet__recv_frame(channel, job);
}

int
duet__peek_step(duet_channel *channel, struct duet__rx *job)
{
    struct duet__peek peek;
    struct duet_step step;

    if (channel->recv_phase == DUET__RECV_BEGUN && channel->rx_length >= DUET__PEEK_FRAME &&
        !channel->read_ahead)
        return read_when_whole(channel, job);
    int result = duet__peek_begin(channel, job, &peek);
    if (result != DUET_OK)
        return result;
    result = duet__peek_next(channel, job, &peek, &step);
    while (result == DUET_OK && step.in != NULL) {
        result = duet_session_recv(channel->session, &step);
        result = duet__peek_opened(channel, job, &peek, &step, result);
        if (result == DUET_OK)
            result = duet__peek_next(channel, job, &peek, &step);
    }
    /* Remove what was opened, also when a later frame stopped the call. */
    int dropped = duet__peek_end(channel, &peek);
    if (dropped != DUET_OK)
        return dropped;
    if (result != DUET_OK || peek.size == peek.asked || duet__recv_complete(job) ||
        channel->read_ahead)
        return result;
    /* The peek has shown all that the kernel held. */
    if (channel->recv_phase == DUET__RECV_BEGUN)
        return leave_or_read(channel, job);
    channel->drained = 1;
    return DUET_OK;
}
