/*
 * Sending without waiting: frames are sealed one after the other into a batch, and a batch goes out
 * by one write (docs/protocol.md §1).
 *
 * A sealed frame has its number and its place in the chain, so it must go out before any other:
 * what the descriptor does not take is kept as `unsent`, and nothing is sealed before that is
 * written. At most one batch is ever unsent; the caller sees that as backpressure. Pending library
 * frames go before the application's.
 */
#include "channel/channel.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_LEAST = DUET__BATCH_SIZE / 2 }; /* bytes of a batch that a piece is given */

/** A batch that is being filled. */
struct batch {
    size_t used;    /* bytes */
    uint8_t *bytes; /* room for DUET__BATCH_SIZE */
};

/** Bytes of payload that one frame of ours may hold. */
static inline size_t
frame_most(const duet_channel *channel)
{
    return duet__min(channel->frame_size, channel->session->tx_limit);
}

size_t
duet__send_payload(const duet_channel *channel, const struct duet__tx *job)
{
    return duet__min(job->size - job->sent, frame_most(channel));
}

/** A frame of a job's. */
struct frame {
    uint32_t code;
    const uint8_t *data;
    size_t size, count; /* bytes of payload; what the job has sent with it, in its own unit */
};

/** What the job's next frame is: of a stream's or message's next bytes, or, of a batch of messages,
 * one whole message. Returns DUET_OK; DUET_E_MISUSE or DUET_E_LENGTH: it cannot be sent. */
static int
next_frame(const duet_channel *channel, const struct duet__tx *job, struct frame *frame)
{
    size_t most = frame_most(channel), n = duet__min(job->size - job->sent, most);

    if (job->kind == DUET__TX_BATCH) {
        const duet_message *message = &job->messages[job->sent];
        *frame = (struct frame){message->code, message->data, message->size, 1};
        if (frame->code == 0 || frame->code > DUET_CODE_APP_MAX)
            return DUET_E_MISUSE;
        return frame->size > most ? DUET_E_LENGTH : DUET_OK;
    }
    int last = job->kind == DUET__TX_STREAM || job->sent + n == job->size;
    const uint8_t *data = n > 0 && job->data != NULL ? job->data + job->sent : NULL;
    *frame = (struct frame){last ? job->code : DUET_CODE_MORE, data, n, n};
    return DUET_OK;
}

/** Seal frames, as many as fit into the batch. */
static int
seal_frames(duet_channel *channel, struct duet__tx *job, struct batch *batch)
{
    while (job->due) {
        struct frame frame;
        int result = next_frame(channel, job, &frame);
        if (result != DUET_OK)
            return result;
        if (DUET__BATCH_SIZE - batch->used < frame.size + DUET_FRAME_OVERHEAD)
            return DUET_OK;
        result = duet_session_send(channel->session, batch->bytes + batch->used, frame.code,
                                   frame.data, frame.size);
        if (result != DUET_OK)
            return duet__channel_check(channel, result);
        batch->used += frame.size + DUET_FRAME_OVERHEAD;
        job->sent += frame.count;
        job->due = job->sent < job->size;
        channel->send_phase = frame.code == DUET_CODE_MORE ? DUET__SEND_MESSAGE : DUET__SEND_IDLE;
        channel->tx_code = job->code;
    }
    return DUET_OK;
}

/** Seal the next piece of one large frame, after its header where it is not begun. */
static int
seal_piece(duet_channel *channel, struct duet__tx *job, struct batch *batch)
{
    duet_session *session = channel->session;
    uint8_t *at = batch->bytes + batch->used;
    size_t put = 0;

    /* Library frames took most of the batch: the piece goes into the next one. */
    if (!job->due || batch->used > DUET__BATCH_SIZE - PIECE_LEAST)
        return DUET_OK;
    if (channel->send_phase != DUET__SEND_FRAME) {
        int begun = duet_session_send_begin(session, at, job->code, (uint32_t)job->size);
        if (begun != DUET_OK)
            return duet__channel_check(channel, begun);
        batch->used += DUET_HEADER_SIZE;
        at += DUET_HEADER_SIZE;
        channel->send_phase = DUET__SEND_FRAME;
        channel->tx_code = job->code;
        channel->tx_left = (uint32_t)job->size;
    }
    size_t n = duet__min(channel->tx_left, DUET__BATCH_SIZE - batch->used - DUET_MAC_SIZE);
    int result =
        duet_session_send_piece(session, at, &put, n > 0 ? job->data + job->sent : NULL, n);
    if (result != DUET_OK)
        return duet__channel_check(channel, result);
    batch->used += put;
    job->sent += n;
    channel->tx_left -= (uint32_t)n;
    job->due = channel->tx_left > 0;
    if (!job->due)
        channel->send_phase = DUET__SEND_IDLE;
    return DUET_OK;
}

int
duet__send_write(duet_channel *channel, const uint8_t *bytes, size_t size, int job)
{
    size_t put = 0;

    int result = duet__io_write(channel, bytes, size, &put);
    if (result != DUET_AGAIN)
        return result;
    /* The rest cannot be sealed again, so without memory for it the channel is over. */
    channel->unsent = malloc(size - put);
    if (channel->unsent == NULL)
        return duet__channel_fail(channel, DUET_E_IO, "no memory for bytes that are not sent yet",
                                  0);
    channel->unsent_job = job != 0;
    memcpy(channel->unsent, bytes + put, size - put);
    channel->unsent_at = 0;
    channel->unsent_size = (uint32_t)(size - put);
    return DUET_AGAIN;
}

/** Write the unsent bytes. */
static int
write_unsent(duet_channel *channel)
{
    size_t put = 0;

    int result = duet__io_write(channel, channel->unsent + channel->unsent_at,
                                channel->unsent_size - channel->unsent_at, &put);
    channel->unsent_at += (uint32_t)put;
    if (result != DUET_OK && result != DUET_AGAIN)
        channel->tx_unreported = channel->unsent_job;
    if (result != DUET_AGAIN) {
        free(channel->unsent);
        channel->unsent = NULL;
    }
    return result;
}

int
duet__send_fill(duet_channel *channel, uint8_t *batch, size_t *used)
{
    size_t put;
    int result =
        duet_session_fill(channel->session, batch + *used, DUET__BATCH_SIZE - *used, *used, &put);

    *used += put;
    return duet__channel_check(channel, result == DUET_E_ROOM ? DUET_OK : result);
}

/** Bytes that the job's next frame, or piece of one, takes of a batch; 0: there is none. */
static size_t
next_size(const duet_channel *channel, const struct duet__tx *job)
{
    struct frame frame;

    if (job == NULL || !job->due)
        return 0;
    if (job->kind == DUET__TX_FRAME)
        return PIECE_LEAST;
    return next_frame(channel, job, &frame) == DUET_OK ? frame.size + DUET_FRAME_OVERHEAD : 0;
}

/** Seal one batch, pending library frames first, and write it. */
static int
send_batch(duet_channel *channel, struct duet__tx *job)
{
    duet_session *session = channel->session;
    struct batch batch = {.bytes = duet__buffer_take()};
    int sealed = DUET_OK, written = DUET_OK;
    int flight = session->tx_phase == DUET__TX_FLIGHT;

    if (batch.bytes == NULL)
        return DUET_E_MEMORY;
    duet__refresh_if_due(channel);
    if (channel->send_phase != DUET__SEND_FRAME && !duet__session_quiet(session))
        sealed = duet__session_flush(session, batch.bytes, DUET__BATCH_SIZE, &batch.used,
                                     next_size(channel, job));
    size_t flushed = batch.used;
    if (sealed != DUET_OK)
        sealed = duet__channel_check(channel, sealed);
    else if (job != NULL && job->kind == DUET__TX_FRAME)
        sealed = seal_piece(channel, job, &batch);
    else if (job != NULL)
        sealed = seal_frames(channel, job, &batch);
    /* Where none of the job's frames followed, the flush has filled the write. */
    if (batch.used > flushed && !flight && channel->result == DUET_OK)
        (void)duet__send_fill(channel, batch.bytes, &batch.used);
    if (batch.used > 0 && channel->result == DUET_OK)
        written = duet__send_write(channel, batch.bytes, batch.used,
                                   job != NULL || channel->send_phase == DUET__SEND_CLOSING);
    duet__buffer_return(batch.bytes);
    return sealed != DUET_OK ? sealed : written;
}

int
duet__send_step(duet_channel *channel, struct duet__tx *job)
{
    for (int steps = 0; steps < DUET__STEPS_MOST / 16; steps++) {
        int result = channel->result != DUET_OK ? channel->result : channel->tx_result;
        if (result == DUET_OK && channel->unsent != NULL)
            result = write_unsent(channel);
        if (result == DUET_OK)
            result = send_batch(channel, job);
        if (result != DUET_OK || job == NULL || !job->due)
            return result;
    }
    return DUET__STEP_MORE;
}
