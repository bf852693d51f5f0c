/*
 * A listener's silence towards a peer that has not authenticated: what comes is read and dropped
 * until a time that the listener drew once and that counts from the connection's start
 * (docs/protocol.md §4 "Probing"). Nothing that the peer does, its end included, changes that time.
 */
#include "channel/channel.h"
#include "channel/replay.h"

enum {
    SCRATCH = 4096,      /* bytes dropped by one read */
    READS_MOST = 64,     /* of one look, so that a flood does not hold a polled program up */
    LAST_MS = 1000,      /* after the time, for what is unread: a close would send RST */
    UNREAD_STEP_MS = 20, /* between looks in that time */
    SLEEP_MOST_MS = 250  /* between looks for duet_channel_stop(), once the stream has ended */
};

/** Read and drop. Returns 1 when something may be left. */
static int
drop_unread(duet_channel *channel)
{
    const struct duet__io *io = &channel->io;
    uint8_t scratch[SCRATCH];
    int result = DUET_OK;

    for (int reads = 0; reads < READS_MOST && result == DUET_OK && !channel->silence_ended;
         reads++) {
        struct duet__os_piece piece = {scratch, sizeof scratch};
        size_t got = 0;
        if (io->stream.read != NULL)
            result = io->stream.read(io->stream.context, scratch, sizeof scratch, &got);
        else
            result = duet__os_read(io->rfd, (enum duet__os_kind)io->rkind, &piece, 1, &got);
        if (result != DUET_OK && result != DUET_AGAIN)
            channel->silence_ended = 1;
    }
    duet_wipe(scratch, sizeof scratch);
    return result == DUET_OK;
}

/** Wait for more to drop, ms at most; once the stream has ended only time passes. Returns
 * DUET_OK to look again; DUET_AGAIN: stopped, or a signal handler ran. */
static int
wait_silently(duet_channel *channel, uint64_t ms, int unread)
{
    struct duet__deadline deadline = {.timeout_ms = (int)duet__min(ms, INT32_MAX)};

    if (ms == 0)
        return DUET_OK;
    if (unread || channel->silence_ended) {
        uint64_t most = unread ? (uint64_t)UNREAD_STEP_MS : (uint64_t)SLEEP_MOST_MS;
        (void)duet__os_wait(-1, -1, -1, 0, (int)duet__min(ms, most));
        return duet__stopped(channel) ? DUET_AGAIN : DUET_OK;
    }
    int result = duet__io_wait(channel, &deadline, DUET_WANT_READ);
    if (result != DUET_OK && result != DUET_AGAIN && result != DUET_SLOW)
        channel->silence_ended = 1;
    return result == DUET_AGAIN ? DUET_AGAIN : DUET_OK;
}

/** Drop, and wait, until the silence or the call is over. */
static int
keep_silent(duet_channel *channel, uint64_t end, int timeout_ms)
{
    uint64_t now = duet__os_now_ms();
    uint64_t until = timeout_ms < 0 ? UINT64_MAX : now + (uint64_t)timeout_ms;
    int result = DUET_OK;

    while (result == DUET_OK) {
        int unread = drop_unread(channel);
        now = duet__os_now_ms();
        if (now >= end && (!unread || now >= end + LAST_MS))
            return DUET_OK;
        if (duet__stopped(channel) || timeout_ms == 0)
            return DUET_AGAIN;
        if (now >= until)
            return DUET_SLOW;
        uint64_t next = now < end ? end : end + LAST_MS;
        result = wait_silently(channel, duet__min(next, until) - now, unread);
    }
    return result;
}

int
duet_channel_silence(duet_channel *channel, int timeout_ms)
{
    int listens = channel->session->role == DUET_BOTTOM && channel->replay != NULL;

    if (channel->process != duet__os_process())
        return DUET_E_FORKED;
    if (listens && channel->result == DUET_OK && !channel->session->ready)
        (void)duet__channel_fail(channel, DUET_E_UNAUTHENTICATED,
                                 "the handshake was not finished in time", 0);
    if (channel->result != DUET_E_UNAUTHENTICATED && channel->result != DUET_E_UNTRUSTED)
        return DUET_E_MISUSE;
    if (!listens)
        return DUET_OK; /* it spoke first: nobody probes it */
    uint64_t end =
        channel->begun_ms + duet__replay_silence_ms(channel->replay, channel->session->config);
    channel->silent = 1;
    int result = keep_silent(channel, end, timeout_ms);
    channel->silent = result != DUET_OK;
    return result;
}
