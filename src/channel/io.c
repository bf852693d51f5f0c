/*
 * The wire under a channel: descriptors, or a stream of the caller's, behind three calls; and the
 * one place that waits.
 *
 * Decides what a failed read or write means for the channel (docs/protocol.md §1, truncation).
 */
#include "channel/channel.h"

#include <errno.h>
#include <limits.h>

/** A stream reads one piece at a time; what the second would wait for is left for later. */
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
            return DUET_E_IO; /* it wrote past the end, or says so */
        if (result != DUET_OK)
            return *got > 0 ? DUET_OK : result;
        *got += n;
        if (n < pieces[i].size)
            break;
    }
    return *got > 0 ? DUET_OK : DUET_AGAIN;
}

/** A descriptor that gave less than was asked for has no more: no need to hear it say so. */
static int
read_descriptor(duet_channel *channel, const struct duet__os_piece *pieces, unsigned count,
                size_t *got)
{
    const struct duet__io *io = &channel->io;
    size_t asked = 0;

    *got = 0;
    if (channel->dry)
        return DUET_AGAIN;
    for (unsigned i = 0; i < count; i++)
        asked += pieces[i].size;
    int result = duet__os_read(io->rfd, (enum duet__os_kind)io->rkind, pieces, count, got);
    channel->dry = result == DUET_OK && *got < asked;
    return result;
}

/** The stream has ended, in an orderly way or not; the session knows whether it might. */
static int
ended(duet_channel *channel)
{
    return duet__channel_judge(channel, duet_session_end(channel->session));
}

/** What a failed read means for the channel; reason: errno's kind of number. */
static int
judge_read(duet_channel *channel, int result, int reason)
{
    if (result == DUET_OK || result == DUET_AGAIN)
        return result;
    if (result == DUET_CLOSED)
        return ended(channel);
    if (result == DUET_E_TRUNCATED) {
        duet__channel_note(channel, "read", reason);
        return ended(channel);
    }
    return duet__channel_die(channel, DUET_E_IO, "read", reason);
}

int
duet__io_read(duet_channel *channel, const struct duet__os_piece *pieces, unsigned count,
              size_t *got)
{
    const struct duet__io *io = &channel->io;

    if (io->stream.read != NULL)
        return judge_read(channel, read_stream(&io->stream, pieces, count, got), 0);
    int result = read_descriptor(channel, pieces, count, got);
    return judge_read(channel, result, errno);
}

/* ---- Looking before taking ---- */

int
duet__io_looks(const duet_channel *channel)
{
    return channel->io.stream.read == NULL && channel->io.rkind == DUET__OS_TCP;
}

int
duet__io_look(duet_channel *channel, uint8_t *at, size_t size, size_t *got)
{
    int patient = channel->patient;

    *got = 0;
    if (channel->dry)
        return DUET_AGAIN;
    channel->patient = 0;
    int result = duet__os_look(channel->io.rfd, patient, at, size, got);
    return judge_read(channel, result, errno);
}

int
duet__io_drop(duet_channel *channel, size_t size)
{
    int result = duet__os_drop(channel->io.rfd, size);

    /* They were there when they were looked at: another reader has them, and the place is lost. */
    if (result == DUET_AGAIN || result == DUET_CLOSED)
        return duet__channel_die(channel, DUET_E_IO, "another reads the same socket", 0);
    return judge_read(channel, result, errno);
}

int
duet__io_low_water(duet_channel *channel, size_t size)
{
    int result = duet__os_low_water(channel->io.rfd, size);

    channel->low_water = result == 0;
    return result;
}

void
duet__io_no_low_water(duet_channel *channel)
{
    if (channel->low_water)
        (void)duet__os_low_water(channel->io.rfd, 1);
    channel->low_water = 0;
}

/**
 * Nobody reads what is sent any more. What the peer sent before may still lie in the kernel, so
 * after READY only the sending direction is lost.
 */
static int
lost(duet_channel *channel, int reason)
{
    duet_info info;

    duet_session_info(channel->session, &info);
    if (!info.ready && !channel->open)
        return duet__channel_die(channel, DUET_E_UNAUTHENTICATED, "write", reason);
    duet__channel_note(channel, "write", reason);
    channel->tx_result = DUET_E_TRUNCATED;
    return DUET_E_TRUNCATED;
}

/** Write once. What a descriptor leaves over it will not take now; only a pipe in blocking mode is
 * given little at a time. */
static int
write_once(duet_channel *channel, const uint8_t *data, size_t size, size_t *put, int *enough)
{
    const struct duet__io *io = &channel->io;
    enum duet__os_kind kind = (enum duet__os_kind)io->wkind;
    int result;

    *put = 0;
    if (io->stream.write != NULL) {
        result = io->stream.write(io->stream.context, data, size, put);
        *enough = *put == 0 || *put > size;
        return *put > size ? DUET_E_IO : result;
    }
    result = duet__os_write(io->wfd, kind, data, size, put);
    *enough = kind != DUET__OS_BLOCKING;
    return result;
}

int
duet__io_write(duet_channel *channel, const uint8_t *data, size_t size, size_t *put)
{
    int result = DUET_OK;
    int enough = 0;

    *put = 0;
    while (*put < size && result == DUET_OK && !enough) {
        size_t n;
        result = write_once(channel, data + *put, size - *put, &n, &enough);
        if (result == DUET_OK)
            *put += n;
    }
    if (result == DUET_OK)
        return *put == size ? DUET_OK : DUET_AGAIN;
    if (result == DUET_AGAIN)
        return DUET_AGAIN;
    int reason = channel->io.stream.write != NULL ? 0 : errno;
    if (result == DUET_E_TRUNCATED)
        return lost(channel, reason);
    return duet__channel_die(channel, DUET_E_IO, "write", reason);
}

/** How long poll() may wait. Returns DUET_OK, or the result of a call whose time is over. */
static int
time_left(struct duet__deadline *deadline, int *ms)
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
duet__io_wait(duet_channel *channel, struct duet__deadline *deadline, unsigned want)
{
    const struct duet__io *io = &channel->io;
    unsigned what = 0;
    int ms;

    int result = time_left(deadline, &ms);
    if (result != DUET_OK)
        return result;
    if (io->stream.wait != NULL) {
        if (io->stream.wait(io->stream.context, want, ms) == DUET_OK)
            return DUET_OK;
        return duet__channel_die(channel, DUET_E_IO, "wait", 0);
    }
    if (want & DUET_WANT_READ)
        what |= DUET__OS_READ;
    if (want & DUET_WANT_WRITE)
        what |= DUET__OS_WRITE;
    if (duet__os_wait(io->rfd, io->wfd, what, ms) == 0)
        return DUET_OK;
    return duet__channel_die(channel, DUET_E_IO, "poll", errno);
}
