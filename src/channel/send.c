/*
 * Sending: frames are sealed one behind the other and handed over by one write; what the wire does
 * not take is kept, because a frame that was sealed has its number and its place in the chain, and
 * must go out before any other (docs/protocol.md §1).
 *
 * Nothing new is sealed before what is kept has gone, so at most one batch ever waits. What the
 * session owes goes in front of the application's frames.
 */
#include "channel/channel.h"

#include "session/session.h"

#include <stdlib.h>
#include <string.h>

/** Bytes of payload that a frame of ours holds at most. */
static size_t
frame_most(const duet_channel *channel)
{
    uint32_t limit = channel->session->tx_limit;
    return channel->frame_size < limit ? channel->frame_size : limit;
}

size_t
duet__tx_payload(const duet_channel *channel, const struct duet__tx *job)
{
    size_t most = frame_most(channel);
    size_t left = job->size - job->sent;
    return left < most ? left : most;
}

/** Seal frames of a stream or a message behind what is in the batch, as many as fit. */
static int
fill_frames(duet_channel *channel, struct duet__tx *job, uint8_t *batch, size_t *used)
{
    while (job->due) {
        size_t n = duet__tx_payload(channel, job);
        int last = job->sent + n == job->size;
        uint32_t code = last || job->kind == DUET__TX_STREAM ? job->code : DUET_CODE_MORE;
        if (DUET__BATCH - *used < n + DUET_FRAME_OVERHEAD)
            return DUET_OK;
        int result = duet_session_send(channel->session, batch + *used,
                                       n > 0 ? job->data + job->sent : NULL, n, code);
        if (result != DUET_OK)
            return duet__channel_judge(channel, result);
        *used += n + DUET_FRAME_OVERHEAD;
        job->sent += n;
        job->due = !last;
        channel->tx_message = code == DUET_CODE_MORE;
        channel->tx_code = job->code;
    }
    return DUET_OK;
}

/** Seal messages of a batch behind what is in the write's batch, each as one frame. */
static int
fill_messages(duet_channel *channel, struct duet__tx *job, uint8_t *batch, size_t *used)
{
    while (job->due) {
        const duet_message *message = &job->messages[job->sent];
        if (message->code == 0 || message->code > DUET_CODE_APP_MAX)
            return DUET_E_MISUSE;
        if (message->size > frame_most(channel))
            return DUET_E_LENGTH;
        if (DUET__BATCH - *used < message->size + DUET_FRAME_OVERHEAD)
            return DUET_OK;
        int result = duet_session_send(channel->session, batch + *used, message->data,
                                       message->size, message->code);
        if (result != DUET_OK)
            return duet__channel_judge(channel, result);
        *used += message->size + DUET_FRAME_OVERHEAD;
        job->sent++;
        job->due = job->sent < job->size;
    }
    return DUET_OK;
}

/** Begin a frame whose payload is sealed in pieces. */
static int
begin_frame(duet_channel *channel, const struct duet__tx *job, uint8_t *batch, size_t *used)
{
    int result =
        duet_session_send_begin(channel->session, batch + *used, job->code, (uint32_t)job->size);
    if (result != DUET_OK)
        return duet__channel_judge(channel, result);
    *used += DUET_HEADER_SIZE;
    channel->tx_frame = 1;
    channel->tx_code = job->code;
    channel->tx_left = (uint32_t)job->size;
    return DUET_OK;
}

/** Seal the next piece of one large frame. */
static int
fill_piece(duet_channel *channel, struct duet__tx *job, uint8_t *batch, size_t *used)
{
    size_t put = 0;

    /* A little room is left after what was owed only; then the frame waits for the next batch. */
    if (!job->due || DUET__BATCH - *used < DUET__BATCH / 2)
        return DUET_OK;
    if (!channel->tx_frame) {
        int begun = begin_frame(channel, job, batch, used);
        if (begun != DUET_OK)
            return begun;
    }
    size_t room = DUET__BATCH - *used - DUET_MAC_SIZE;
    size_t n = channel->tx_left < room ? channel->tx_left : room;
    int result = duet_session_send_piece(channel->session, batch + *used, &put,
                                         n > 0 ? job->data + job->sent : NULL, n);
    if (result != DUET_OK)
        return duet__channel_judge(channel, result);
    *used += put;
    job->sent += n;
    channel->tx_left -= (uint32_t)n;
    channel->tx_frame = channel->tx_left > 0;
    job->due = channel->tx_frame;
    return DUET_OK;
}

/** Seal what is owed, then what the job brings. */
static int
fill(duet_channel *channel, struct duet__tx *job, uint8_t *batch, size_t *used)
{
    *used = 0;
    if (!channel->tx_frame) {
        int result = duet_session_flush(channel->session, batch, DUET__BATCH, used);
        if (result != DUET_OK)
            return duet__channel_judge(channel, result);
        channel->owing = 0;
    }
    if (job == NULL)
        return DUET_OK;
    if (job->kind == DUET__TX_FRAME)
        return fill_piece(channel, job, batch, used);
    if (job->kind == DUET__TX_BATCH)
        return fill_messages(channel, job, batch, used);
    return fill_frames(channel, job, batch, used);
}

/** Keep sealed bytes that the wire has not taken. They cannot be sealed again, so without memory
 * for them the channel is over. */
static int
keep(duet_channel *channel, const uint8_t *rest, size_t size)
{
    channel->kept = malloc(size);
    if (channel->kept == NULL)
        return duet__channel_die(channel, DUET_E_IO, "no memory for what the wire did not take", 0);
    memcpy(channel->kept, rest, size);
    channel->kept_at = 0;
    channel->kept_size = (uint32_t)size;
    return DUET_AGAIN;
}

int
duet__tx_write(duet_channel *channel, const uint8_t *bytes, size_t size)
{
    size_t put = 0;

    int result = duet__io_write(channel, bytes, size, &put);
    return result == DUET_AGAIN ? keep(channel, bytes + put, size - put) : result;
}

/** Seal one batch and write it. */
static int
push(duet_channel *channel, struct duet__tx *job)
{
    uint8_t batch[DUET__BATCH];
    size_t size = 0;

    int filled = fill(channel, job, batch, &size);
    if (channel->result != DUET_OK)
        return channel->result;
    int written = size > 0 ? duet__tx_write(channel, batch, size) : DUET_OK;
    return filled != DUET_OK ? filled : written;
}

/** Write what is kept. */
static int
drain(duet_channel *channel)
{
    size_t put = 0;

    if (channel->kept == NULL)
        return DUET_OK;
    int result = duet__io_write(channel, channel->kept + channel->kept_at,
                                channel->kept_size - channel->kept_at, &put);
    channel->kept_at += (uint32_t)put;
    if (result != DUET_AGAIN) {
        free(channel->kept);
        channel->kept = NULL;
    }
    return result;
}

/** DUET_OK while frames can be sent, else what ended that. */
static int
tx_result(const duet_channel *channel)
{
    return channel->result != DUET_OK ? channel->result : channel->tx_result;
}

int
duet__tx_waits(const duet_channel *channel)
{
    if (tx_result(channel) != DUET_OK)
        return 0;
    if (channel->kept != NULL)
        return 1;
    return !channel->tx_frame && !duet__session_quiet(channel->session) &&
           duet__pending_size(channel->session) > 0;
}

int
duet__tx_step(duet_channel *channel, struct duet__tx *job)
{
    if (job == NULL && tx_result(channel) == DUET_OK && !duet__tx_waits(channel)) {
        channel->owing = 0;
        return DUET_OK;
    }
    for (int turns = 0; turns < DUET__TURNS / 16; turns++) {
        int result = tx_result(channel);
        if (result == DUET_OK)
            result = drain(channel);
        if (result == DUET_OK)
            result = push(channel, job);
        if (result != DUET_OK || job == NULL || !job->due)
            return result;
    }
    return DUET_AGAIN;
}

int
duet__tx_run(duet_channel *channel, struct duet__tx *job, struct duet__deadline *deadline)
{
    unsigned want = 0;

    int result = duet__enter(channel, deadline, &want);
    while (result == DUET_OK) {
        result = duet__tx_step(channel, job);
        want = result == DUET_AGAIN ? DUET_WANT_WRITE : 0;
        if (result != DUET_AGAIN)
            break;
        result = duet__io_wait(channel, deadline, want);
    }
    channel->want_tx = (uint8_t)want;
    return result;
}

int
duet__tx_streams(const duet_channel *channel)
{
    return !channel->tx_message && !channel->tx_frame && !channel->tx_closing;
}

int
duet_send(duet_channel *channel, const void *data, size_t size, size_t *sent, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct duet__tx job = {.kind = DUET__TX_STREAM, .data = data, .size = size, .due = size > 0};

    *sent = 0;
    if (!duet__tx_streams(channel))
        return duet__channel_refuse(channel);
    int result = duet__tx_run(channel, &job, &deadline);
    *sent = job.sent;
    return result;
}

int
duet_flush(duet_channel *channel, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    return duet__tx_run(channel, NULL, &deadline);
}

int
duet_close(duet_channel *channel, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};

    if (channel->tx_message || channel->tx_frame)
        return duet__channel_refuse(channel);
    int result = channel->tx_closing ? DUET_OK : duet__tx_run(channel, NULL, &deadline);
    if (result != DUET_OK && (result != DUET_AGAIN || !channel->open))
        return result;
    if (!channel->tx_closing) {
        result = duet_session_ask(channel->session, DUET_ASK_CLOSE, NULL);
        if (result != DUET_OK)
            return duet__channel_judge(channel, result);
        channel->tx_closing = 1;
    }
    return duet__tx_run(channel, NULL, &deadline);
}
