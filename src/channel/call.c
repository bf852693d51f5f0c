/*
 * Calls: each enters the channel, does the handshake where that is not done, and repeats steps that
 * never wait (send.c, recv.c, peek.c) until its work is done or its deadline has passed. The only
 * file that waits.
 *
 * The public calls for a stream of bytes are here; message.c, exchange.c and many.c have the others
 * (docs/protocol.md §1, §4).
 */
#include "channel/channel.h"

/* ---- The handshake, and how each call begins ---- */

/** Do one step of the handshake, without waiting. Returns DUET_OK when it is done: the peer is
 * ready, or under speak_first we may send. */
static int
handshake_step(duet_channel *channel, unsigned *want)
{
    const duet_session *session = channel->session;

    channel->drained = 0;
    for (int steps = 0; steps < DUET__STEPS_MOST; steps++) {
        int sent = DUET_OK;
        while (sent == DUET_OK && duet__send_pending(channel))
            sent = duet__send_step(channel, NULL);
        if (channel->result != DUET_OK)
            return channel->result;
        if (sent == DUET_E_MEMORY) /* the peer may wait for just this */
            return sent;
        if (session->ready || duet__session_may_send(session))
            return DUET_OK;
        *want = DUET_WANT_READ | (sent == DUET_AGAIN ? DUET_WANT_WRITE : 0u);
        int received = duet__recv_library(channel);
        if (received != DUET_OK)
            return received;
    }
    return DUET__STEP_MORE;
}

/* Also after a short read: the end may have come with it, so that no edge would follow. */
int
duet__call_go_on(const duet_channel *channel, struct duet__deadline *deadline, unsigned *want)
{
    int result = duet__io_go_on(channel, deadline);

    if (result != DUET_OK)
        *want |= DUET_STATE_AGAIN_NOW;
    return result;
}

int
duet__call_enter(duet_channel *channel, struct duet__deadline *deadline, unsigned *want)
{
    int polled = deadline->timeout_ms == 0;

    if (!duet__channel_usable(channel))
        return channel->result;
    *want = DUET_STATE_AGAIN_NOW;
    if (!polled && duet__stopped(channel))
        return DUET_AGAIN;
    channel->dry = channel->interrupted = 0;
    channel->idle_frames = 0;
    while (!channel->established) {
        int result = handshake_step(channel, want);
        if (result == DUET__STEP_MORE || (result == DUET_AGAIN && polled && !channel->dry))
            result = duet__call_go_on(channel, deadline, want);
        else if (result == DUET_AGAIN)
            result = duet__io_wait(channel, deadline, *want);
        else if (result == DUET_OK)
            channel->established = 1;
        if (result != DUET_OK)
            return result;
        if (!channel->established)
            continue;
        channel->want_rx = DUET_STATE_AGAIN_NOW;
        /* An earlier sending call waited for the peer: it can go on now. */
        if (channel->want_tx != 0)
            channel->want_tx = DUET_WANT_WRITE;
    }
    *want = 0;
    return DUET_OK;
}

/* ---- Loops ---- */

int
duet__call_send(duet_channel *channel, struct duet__tx *job, struct duet__deadline *deadline)
{
    unsigned want = 0;

    int result = duet__call_enter(channel, deadline, &want);
    while (result == DUET_OK) {
        int step = duet__send_step(channel, job);
        want = DUET_WANT_WRITE;
        if (step == DUET__STEP_MORE) {
            result = duet__io_go_on(channel, deadline);
        } else if (step == DUET_AGAIN) {
            result = duet__io_wait(channel, deadline, want);
        } else {
            result = step;
            want = 0;
            break;
        }
    }
    /* All that was to be sent is sealed: unsent bytes are the channel's to write, and the state has
     * WANT_WRITE for them. */
    if (duet__send_accepted(channel, job) && (result == DUET_AGAIN || result == DUET_SLOW)) {
        result = DUET_OK;
        want = 0;
    }
    channel->want_tx = (uint8_t)want;
    return duet__send_reported(channel, result);
}

int
duet__call_recv_step(duet_channel *channel, struct duet__rx *job)
{
    channel->drained = 0;
    for (int steps = 0; steps < DUET__STEPS_MOST; steps++) {
        int result;
        if (duet__recv_complete(job))
            return DUET_OK;
        if (duet__peek_fits(channel, job))
            result = duet__peek_step(channel, job);
        else if (channel->recv_phase == DUET__RECV_BEGUN ||
                 channel->recv_phase == DUET__RECV_VERIFIED)
            result = duet__recv_frame(channel, job);
        else
            result = duet__recv_library(channel);
        if (result == DUET__RECV_STOP)
            return DUET_OK;
        if (result != DUET_OK)
            return result;
        /* A frame may have made the session answer. Whether the answer goes out now does not matter
         * to this call; a fatal result does. */
        if (!duet__session_quiet(channel->session) && duet__send_pending(channel))
            duet__send_step(channel, NULL);
        if (channel->result != DUET_OK)
            return channel->result;
    }
    return DUET__STEP_MORE;
}

/** 1 when a peek may wait for bytes in the kernel: nothing else has to be done meanwhile. */
static inline int
may_block(duet_channel *channel, const struct duet__rx *job, const struct duet__deadline *deadline)
{
    return deadline->timeout_ms < 0 && !channel->read_ahead && !duet__recv_satisfied(job) &&
           !duet__send_pending(channel) && duet__peek_fits(channel, job) &&
           duet__io_may_block(channel);
}

/** Repeat steps until the job is done, its time is over, or the call cannot go on. */
static int
recv_steps(duet_channel *channel, struct duet__rx *job, struct duet__deadline *deadline,
           unsigned *want)
{
    for (;;) {
        duet__refresh_if_due(channel);
        if (duet__send_pending(channel))
            duet__send_step(channel, NULL);
        job->may_block = may_block(channel, job, deadline);
        int result = duet__call_recv_step(channel, job);
        /* Without the wire's word that it would block, no event need follow. */
        *want = channel->dry ? 0 : DUET_STATE_AGAIN_NOW;
        if (result != DUET_AGAIN && result != DUET__STEP_MORE)
            return result;
        /* At least `least` bytes, or one message, are here. */
        if (duet__recv_satisfied(job))
            return DUET_OK;
        *want = DUET_WANT_READ | (duet__send_pending(channel) ? DUET_WANT_WRITE : 0u);
        if (result == DUET__STEP_MORE || (job->polled && !channel->dry))
            result = duet__call_go_on(channel, deadline, want);
        else if (channel->interrupted)
            return DUET_AGAIN;
        else if (channel->drained && may_block(channel, job, deadline))
            result = DUET_OK; /* the next peek does the waiting */
        else
            result = duet__io_wait(channel, deadline, *want);
        if (result != DUET_OK)
            return result;
    }
}

int
duet__call_recv(duet_channel *channel, struct duet__rx *job, struct duet__deadline *deadline)
{
    unsigned want = 0;

    job->polled = deadline->timeout_ms == 0;
    duet__gather_end(channel);
    int result = duet__call_enter(channel, deadline, &want);
    if (result == DUET_OK && !job->gather && duet__gather_waits(channel, 0))
        result = DUET_E_CODE;
    if (result == DUET_OK)
        result = recv_steps(channel, job, deadline, &want);
    if (job->in_place)
        result = duet__recv_settle(channel, job, result);
    channel->want_rx = (uint8_t)want;
    /* The peer closed after enough had come: the next call returns DUET_CLOSED. */
    if (result == DUET_CLOSED && duet__recv_had_some(job) && duet__recv_satisfied(job))
        return DUET_OK;
    return duet__recv_reported(channel, result);
}

/* ---- Public calls ---- */

int
duet_channel_handshake(duet_channel *channel, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    unsigned want = 0;

    int result = duet__call_enter(channel, &deadline, &want);
    if (result != DUET_OK) /* else the state is as the handshake left it */
        channel->want_rx = (uint8_t)want;
    return duet__recv_reported(channel, result);
}

int
duet_channel_send(duet_channel *channel, const void *data, size_t size, size_t *sent,
                  int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct duet__tx job = {.kind = DUET__TX_STREAM, .data = data, .size = size, .due = size > 0};

    *sent = 0;
    if (channel->send_phase != DUET__SEND_IDLE)
        return duet__channel_misuse(channel);
    int result = duet__call_send(channel, &job, &deadline);
    *sent = job.sent;
    return result;
}

int
duet_channel_recv(duet_channel *channel, void *buffer, size_t size, size_t *got, size_t least,
                  int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct duet__rx job = {.kind = DUET__RX_STREAM, .buffer = buffer, .size = size, .least = least};

    *got = 0;
    if (least > size)
        return duet__channel_misuse(channel);
    int result = duet__call_recv(channel, &job, &deadline);
    *got = job.got;
    return result;
}

int
duet_channel_flush(duet_channel *channel, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    return duet__call_send(channel, NULL, &deadline);
}

/* Graceful shutdown of our direction: what was sent before goes first, then CLOSE. */
int
duet_channel_close(duet_channel *channel, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};

    if (channel->send_phase == DUET__SEND_MESSAGE || channel->send_phase == DUET__SEND_FRAME)
        return duet__channel_misuse(channel);
    if (channel->send_phase == DUET__SEND_IDLE) {
        int result = duet__call_send(channel, NULL, &deadline);
        if (result != DUET_OK && (result != DUET_AGAIN || !channel->established))
            return result;
        result = duet_session_close(channel->session);
        if (result != DUET_OK)
            return duet__channel_check(channel, result);
        channel->send_phase = DUET__SEND_CLOSING;
    }
    return duet__call_send(channel, NULL, &deadline);
}
