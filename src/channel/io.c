/*
 * Reading, peeking, writing and waiting, on descriptors or on the caller's stream.
 *
 * Each failure becomes a result here: the end of the stream, a lost connection (truncation,
 * docs/protocol.md §1), or an error of the system. Frames are not known here.
 */
#include "channel/channel.h"

#include "base/bytes.h"

#include <errno.h>
#include <string.h>

enum { UNWAKEABLE_MS = 250 };

/** Read into the pieces in turn. A short read ends it: the next one would wait. */
static int
read_stream(const duet_stream *stream, const struct duet__os_piece *pieces, unsigned count,
            size_t *got)
{
    *got = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t n = 0;
        if (pieces[i].size == 0)
            continue;
        int result = stream->read(stream->context, pieces[i].at, pieces[i].size, &n);
        if (result == DUET_OK && n > pieces[i].size)
            return DUET_E_IO; /* it wrote past the end, or miscounts */
        if (result != DUET_OK)
            return *got > 0 ? DUET_OK : result;
        *got += n;
        if (n < pieces[i].size)
            break;
    }
    return *got > 0 ? DUET_OK : DUET_AGAIN;
}

/** What a failed read means for the channel. reason: an errno, or 0. */
static int
read_failed(duet_channel *channel, int result, int reason)
{
    if (result == DUET_AGAIN)
        return result;
    if (result != DUET_CLOSED && result != DUET_E_TRUNCATED)
        return duet__channel_fail(channel, DUET_E_IO, "read", reason);
    if (result == DUET_E_TRUNCATED)
        duet__channel_set_detail(channel, "read", reason);
    /* The stream has ended. The session knows whether CLOSE came first. */
    return duet__channel_check(channel, duet_session_end(channel->session));
}

/** Copy bytes that were read ahead into the pieces in turn. Returns how many. */
static size_t
take_ahead(duet_channel *channel, const struct duet__os_piece *pieces, unsigned count)
{
    size_t taken = 0;

    for (unsigned i = 0; i < count && channel->ahead != NULL; i++) {
        size_t n = duet__min(pieces[i].size, channel->ahead_size - channel->ahead_at);
        memcpy(pieces[i].at, channel->ahead + channel->ahead_at, n);
        channel->ahead_at += (uint32_t)n;
        taken += n;
        if (channel->ahead_at == channel->ahead_size)
            duet__ahead_free(channel);
    }
    return taken;
}

int
duet__io_read(duet_channel *channel, const struct duet__os_piece *pieces, unsigned count,
              size_t *got)
{
    const struct duet__io *io = &channel->io;
    size_t asked = 0;
    int result, reason = 0;

    *got = 0;
    if (io->stream.read != NULL) {
        result = read_stream(&io->stream, pieces, count, got);
        channel->dry = result == DUET_AGAIN;
        return result == DUET_OK ? DUET_OK : read_failed(channel, result, 0);
    }
    *got = take_ahead(channel, pieces, count);
    if (*got > 0)
        return DUET_OK;
    if (channel->drained)
        return DUET_AGAIN;
    for (unsigned i = 0; i < count; i++)
        asked += pieces[i].size;
    result = duet__os_read(io->rfd, (enum duet__os_kind)io->rkind, pieces, count, got);
    reason = errno;
    channel->dry = result == DUET_AGAIN;
    /* A short read means the descriptor is drained; skip the read that would return EAGAIN. */
    channel->drained = result == DUET_OK && *got < asked;
    return result == DUET_OK ? DUET_OK : read_failed(channel, result, reason);
}

int
duet__io_peek(duet_channel *channel, int block, uint8_t *at, size_t size, size_t *got)
{
    *got = 0;
    if (channel->drained)
        return DUET_AGAIN;
    int result = duet__os_peek(channel->io.rfd, block, at, size, got);
    int reason = errno;
    channel->dry = result == DUET_AGAIN;
    channel->interrupted = result == DUET_AGAIN && reason == EINTR;
    return result == DUET_OK ? DUET_OK : read_failed(channel, result, reason);
}

int
duet__io_may_block(duet_channel *channel)
{
    if (!channel->limit_tried)
        channel->limited = duet__os_limit_peeks(channel->io.rfd, 1) == 0;
    channel->limit_tried = 1;
    return channel->limited;
}

int
duet__io_drop(duet_channel *channel, uint8_t *at, size_t size)
{
    int result = duet__os_drop(channel->io.rfd, at, size);

    if (result == DUET_OK)
        return DUET_OK;
    /* The bytes were there when they were peeked at. */
    if (result == DUET_AGAIN || result == DUET_CLOSED)
        return duet__channel_fail(channel, DUET_E_IO, "another process reads the same socket", 0);
    return read_failed(channel, result, errno);
}

/** A write failed. What the peer sent before may still be there to be read, so after READY only
 * the sending direction is lost. result: DUET_E_TRUNCATED (connection lost) or DUET_E_IO. */
static int
write_failed(duet_channel *channel, int result, int reason)
{
    if (!channel->session->ready && !channel->established) {
        if (result == DUET_E_TRUNCATED)
            result = DUET_E_UNAUTHENTICATED;
        return duet__channel_fail(channel, result, "write", reason);
    }
    duet__channel_set_detail(channel, "write", reason);
    channel->tx_result = (int8_t)result;
    return result;
}

int
duet__io_write(duet_channel *channel, const uint8_t *data, size_t size, size_t *put)
{
    const struct duet__io *io = &channel->io;
    const duet_stream *stream = &io->stream;
    int result = DUET_OK, more = 1, reason = 0;

    *put = 0;
    while (*put < size && result == DUET_OK && more) {
        size_t left = size - *put, n = 0;
        if (stream->write != NULL) {
            result = stream->write(stream->context, data + *put, left, &n);
            if (n > left) /* it read past the end, or miscounts */
                return duet__channel_fail(channel, DUET_E_IO, "write", 0);
            more = n > 0;
        } else {
            result = duet__os_write(io->wfd, (enum duet__os_kind)io->wkind, data + *put, left, &n);
            reason = errno;
            more = 0; /* a short write means that the descriptor is full */
        }
        if (result == DUET_OK)
            *put += n;
    }
    if (result == DUET_OK)
        return *put == size ? DUET_OK : DUET_AGAIN;
    if (result == DUET_AGAIN)
        return DUET_AGAIN;
    return write_failed(channel, result == DUET_E_TRUNCATED ? result : DUET_E_IO, reason);
}

/** A wait that cannot be woken by duet_channel_stop() is done in parts. */
static int
shorter_wait(int ms)
{
    return ms < 0 || ms > UNWAKEABLE_MS ? UNWAKEABLE_MS : ms;
}

/** How long poll() may wait. Returns DUET_OK, or the result of a call whose time is over. */
static int
deadline_left(struct duet__deadline *deadline, int *ms)
{
    *ms = -1;
    if (deadline->timeout_ms < 0)
        return DUET_OK;
    if (deadline->timeout_ms == 0)
        return DUET_AGAIN;
    uint64_t now = duet__os_now_ms();
    if (!deadline->running) {
        deadline->running = 1;
        deadline->at = now + (uint64_t)deadline->timeout_ms;
    }
    if (now >= deadline->at)
        return DUET_SLOW;
    *ms = (int)(deadline->at - now);
    return DUET_OK;
}

int
duet__io_go_on(const duet_channel *channel, struct duet__deadline *deadline)
{
    int ms;

    if (deadline->timeout_ms == 0)
        return channel->idle_frames < DUET__IDLE_MOST ? DUET_OK : DUET_AGAIN;
    return duet__stopped(channel) ? DUET_AGAIN : deadline_left(deadline, &ms);
}

/** Wait by the caller's stream, which duet_channel_stop() cannot wake. */
static int
wait_stream(duet_channel *channel, unsigned want, int ms)
{
    const duet_stream *stream = &channel->io.stream;

    int result = stream->wait(stream->context, want, shorter_wait(ms));
    if (result == DUET_OK || result == DUET_AGAIN)
        return duet__stopped(channel) ? DUET_AGAIN : result;
    return duet__channel_fail(channel, DUET_E_IO, "wait", 0);
}

/** Make what duet_channel_stop() writes to. Without descriptors for it, waits are short. */
static void
open_wake(struct duet__stop *stop)
{
    int ends[2];

    if (stop->woken >= 0 || duet__os_wake_new(ends) != 0)
        return;
    stop->woken = ends[0];
    atomic_store(&stop->wake, ends[1]);
}

int
duet__io_wait(duet_channel *channel, struct duet__deadline *deadline, unsigned want)
{
    const struct duet__io *io = &channel->io;
    struct duet__stop *stop = &channel->stop;
    unsigned events = 0;
    int ms;

    int result = deadline_left(deadline, &ms);
    if (result != DUET_OK)
        return result;
    if (io->stream.wait != NULL)
        return duet__stopped(channel) ? DUET_AGAIN : wait_stream(channel, want, ms);
    open_wake(stop);
    /* In this order: a stop before this line is seen here, one after it wakes poll(). */
    if (atomic_load(&stop->stopped))
        return DUET_AGAIN;
    if (want & DUET_WANT_READ)
        events |= DUET__OS_READ;
    if (want & DUET_WANT_WRITE)
        events |= DUET__OS_WRITE;
    int waited = duet__os_wait(io->rfd, io->wfd, stop->woken, events,
                               stop->woken >= 0 ? ms : shorter_wait(ms));
    if (waited < 0)
        return duet__channel_fail(channel, DUET_E_IO, "poll", errno);
    /* A signal handler ran: the program may want to look at what it did. */
    return waited > 0 || duet__stopped(channel) ? DUET_AGAIN : DUET_OK;
}
