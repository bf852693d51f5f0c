/*
 * Receiving by exact reads: never a byte beyond what is awaited, so that what the application did
 * not ask for stays in the kernel and poll() tells of it (docs/protocol.md §1 "A receiver").
 *
 * Payload is read straight into the application's buffer and deciphered in place. A frame that time
 * cuts in two moves to a stash, and what is not verified never stays in the caller's hands.
 */
#include "channel/channel.h"
#include "channel/replay.h"

#include "base/bytes.h"

#include <duet/secret.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONTROL = 4096,    /* bytes read at a time for what is not the application's */
    CHUNK = 128 * 1024 /* bytes of payload read at a time, so that they stay in the cache */
};

static size_t
least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/** Look the nonce of the peer's first flight up, and bring the time to judge its clock by. */
static int
answer_nonce(duet_channel *channel, const uint8_t *nonce)
{
    uint8_t now[8];
    int known = channel->replay == NULL ||
                duet__replay_take(channel->replay, nonce, duet__os_now_ms(), channel->keep_ms);

    duet__store64(now, duet__os_unix_ms());
    return duet_session_ask(channel->session, known ? DUET_ASK_KNOWN : DUET_ASK_FRESH, now);
}

static int
bring_random(duet_channel *channel)
{
    uint8_t fresh[DUET_FRESH_SIZE];

    if (duet__os_random(fresh, sizeof fresh) != 0)
        return duet__channel_die(channel, DUET_E_IO, "no randomness", 0);
    int result = duet_session_ask(channel->session, DUET_ASK_ANSWER, fresh);
    duet_wipe(fresh, sizeof fresh);
    return result;
}

/** Give the session what an event asks for, and note what it tells. */
static int
answer(duet_channel *channel, const struct duet_step *step)
{
    channel->rx_midway = 0;
    switch (step->event) {
    case DUET_EVENT_NONE:
        channel->rx_midway = 1;
        return DUET_OK;
    case DUET_EVENT_NONCE:
        channel->owing = 1;
        return answer_nonce(channel, step->nonce);
    case DUET_EVENT_RANDOM:
        channel->owing = 1;
        return bring_random(channel);
    case DUET_EVENT_BEGIN:
        channel->rx_state = DUET__RX_BEGUN;
        channel->rx_code = step->code;
        channel->rx_length = step->length;
        channel->rx_done = 0;
        return DUET_OK;
    case DUET_EVENT_FRAME:
        channel->rx_state = DUET__RX_HELD;
        return DUET_OK;
    case DUET_EVENT_CLOSE:
        channel->rx_closed = 1;
        return DUET_OK;
    default:
        channel->owing = 1;
        return DUET_OK;
    }
}

int
duet__rx_judge(duet_channel *channel, const struct duet_step *step, int result)
{
    channel->need = step->need;
    if (result == DUET_OK)
        result = answer(channel, step);
    /* The bytes are here and nowhere else: without memory for them the channel is lost. */
    if (result == DUET_E_MEMORY)
        return duet__channel_die(channel, result, NULL, 0);
    return result == DUET_OK ? DUET_OK : duet__channel_judge(channel, result);
}

/** Give the session bytes as they came; payload among them is deciphered in place. */
static int
feed(duet_channel *channel, uint8_t *bytes, size_t size)
{
    size_t used = 0;

    while (used < size) {
        struct duet_step step = {.in = bytes + used, .in_size = size - used};
        step.out = bytes + used;
        step.out_size = size - used;
        int result = duet_session_recv(channel->session, &step);
        used += step.used;
        result = duet__rx_judge(channel, &step, result);
        if (result != DUET_OK)
            return result;
    }
    return DUET_OK;
}

/** Bytes that end what the session awaits. */
static size_t
needed(duet_channel *channel)
{
    struct duet_step step = {0};

    if (channel->need == 0 && duet_session_recv(channel->session, &step) == DUET_OK)
        channel->need = step.need;
    return channel->need;
}

int
duet__rx_control(duet_channel *channel)
{
    uint8_t scratch[CONTROL];
    size_t got = 0;

    if (channel->rx_closed)
        return DUET_CLOSED;
    struct duet__os_piece piece = {scratch, least_of(needed(channel), sizeof scratch)};
    int result = duet__io_read(channel, &piece, 1, &got);
    if (result == DUET_OK)
        result = feed(channel, scratch, got);
    duet_wipe(scratch, got);
    return result;
}

/** Tell the frame that has been verified as a message of a batch. */
static void
list(const duet_channel *channel, const struct duet__rx *job)
{
    duet_inbox *inbox = job->inbox;
    inbox->messages[inbox->count++] =
        (duet_message){job->buffer + job->got, channel->rx_length, channel->rx_code};
}

void
duet__rx_deliver(duet_channel *channel, struct duet__rx *job)
{
    if (job->kind == DUET__RX_BATCH)
        list(channel, job);
    channel->rx_state = DUET__RX_NONE;
    channel->rx_message = channel->rx_code == DUET_CODE_MORE;
    channel->last = channel->rx_length;
    job->in_place = 0;
    job->got += channel->rx_length;
    job->code = channel->rx_code;
    job->whole = !channel->rx_message;
}

/** 1 when the job has something to tell. */
int
duet__rx_had_some(const struct duet__rx *job)
{
    return job->got > 0 || (job->kind == DUET__RX_BATCH && job->inbox->count > 0);
}

/** 1 when the frame under way is not of the kind that the call takes. */
static int
other_code(const duet_channel *channel, const struct duet__rx *job)
{
    return job->kind == DUET__RX_STREAM && (channel->rx_code != 0 || channel->rx_message);
}

/**
 * A frame of another code is verified before the application is told of it: until then the code is
 * anybody's. Only one that is too large to be set aside is refused by its header alone.
 */
static int
place_other(duet_channel *channel, const struct duet__rx *job)
{
    if (job->got > 0)
        return DUET__STOP;
    if (channel->rx_state == DUET__RX_HELD)
        return DUET_E_CODE;
    if (channel->rx_done > 0 && channel->stash == NULL)
        return DUET_E_MISUSE; /* it is begun in another call's buffer, and goes on only there */
    return channel->rx_length > DUET__STASH_MOST ? DUET_E_CODE : duet__stash_for(channel);
}

/** Decide where the frame under way goes. Returns DUET_OK, DUET__STOP, or why it goes nowhere. */
int
duet__rx_place(duet_channel *channel, struct duet__rx *job)
{
    uint8_t *at = job->got < job->size ? job->buffer + job->got : job->buffer;

    if (other_code(channel, job))
        return place_other(channel, job);
    if (channel->rx_length > job->size - job->got)
        return duet__rx_had_some(job) ? DUET__STOP : DUET_E_ROOM;
    if (channel->stash != NULL)
        return DUET_OK;
    if (channel->rx_done > 0 && !job->in_place && channel->rx_at != at)
        return DUET_E_MISUSE;
    channel->rx_at = at;
    job->in_place = 1;
    return DUET_OK;
}

/** Copy a verified frame out of the stash. */
static void
unstash(duet_channel *channel, struct duet__rx *job)
{
    if (channel->rx_length > 0)
        memcpy(job->buffer + job->got, channel->stash, channel->rx_length);
    duet__stash_drop(channel);
    duet__rx_deliver(channel, job);
}

/** Read the next bytes of the frame under way: payload where it belongs, then the MAC, and the
 * header behind it where another frame will be taken anyway. */
int
duet__rx_pieces(duet_channel *channel, struct duet__rx *job)
{
    uint8_t after[DUET_MAC_SIZE + DUET_HEADER_SIZE];
    uint8_t *payload = channel->stash != NULL ? channel->stash : channel->rx_at;
    size_t left = channel->rx_length - channel->rx_done;
    size_t mac = channel->need - left;
    size_t n = least_of(left, CHUNK);
    struct duet__os_piece pieces[2] = {{after, 0}, {after, 0}};
    unsigned count = 0;
    size_t got = 0;

    if (n > 0) {
        payload += channel->rx_done;
        pieces[count++] = (struct duet__os_piece){payload, n};
    }
    if (n == left) {
        int more = channel->stash == NULL && job->kind != DUET__RX_BATCH &&
                   job->got + channel->rx_length < job->size;
        pieces[count++] = (struct duet__os_piece){after, mac + (more ? DUET_HEADER_SIZE : 0)};
    }
    duet__io_no_low_water(channel);
    int result = duet__io_read(channel, pieces, count, &got);
    if (result != DUET_OK)
        return result;
    n = least_of(n, got);
    mac = least_of(mac, got - n);
    channel->rx_done += (uint32_t)n;
    result = feed(channel, payload, n);
    if (result == DUET_OK)
        result = feed(channel, after, mac);
    if (result != DUET_OK || channel->rx_state != DUET__RX_HELD || channel->stash != NULL)
        return result;
    duet__rx_deliver(channel, job);
    return feed(channel, after + mac, got - n - mac);
}

static int
take_frame(duet_channel *channel, struct duet__rx *job)
{
    int result = duet__rx_place(channel, job);
    if (result != DUET_OK)
        return result;
    if (channel->rx_state == DUET__RX_BEGUN)
        return duet__rx_pieces(channel, job);
    unstash(channel, job);
    return DUET_OK;
}

/** 1 when the job has all that it can have. */
int
duet__rx_complete(const struct duet__rx *job)
{
    if (job->kind == DUET__RX_MESSAGE)
        return job->whole;
    if (job->kind == DUET__RX_BATCH)
        return job->inbox->count == job->inbox->room;
    return job->got == job->size && job->size > 0;
}

/** One step, by whichever way the wire and the frame want. */
static int
turn(duet_channel *channel, struct duet__rx *job)
{
    if (duet__peek_fits(channel, job))
        return duet__peek_step(channel, job);
    if (channel->rx_state == DUET__RX_NONE)
        return duet__rx_control(channel);
    return take_frame(channel, job);
}

int
duet__rx_step(duet_channel *channel, struct duet__rx *job)
{
    channel->dry = 0;
    for (int turns = 0; turns < DUET__TURNS; turns++) {
        if (duet__rx_complete(job))
            return DUET_OK;
        int result = turn(channel, job);
        if (result == DUET__STOP)
            return DUET_OK;
        if (result != DUET_OK)
            return result;
        /* Whether the answer goes out now is no matter of this call; a fatal result is. */
        if (channel->owing)
            duet__tx_step(channel, NULL);
        if (channel->result != DUET_OK)
            return channel->result;
    }
    return DUET_AGAIN;
}

int
duet__rx_settle(duet_channel *channel, struct duet__rx *job, int result)
{
    if (!job->in_place || channel->rx_state != DUET__RX_BEGUN || channel->rx_done == 0)
        return result;
    if (channel->result == DUET_OK) {
        if (channel->rx_length > DUET__STASH_MOST)
            return result; /* it goes on only where it lies */
        if (duet__stash_for(channel) == DUET_OK)
            memcpy(channel->stash, channel->rx_at, channel->rx_done);
    }
    duet_wipe(channel->rx_at, channel->rx_done);
    job->in_place = 0; /* a second time would set the wiped bytes aside */
    return channel->result != DUET_OK ? channel->result : result;
}

/** 1 when the caller has what it waits for. */
int
duet__rx_satisfied(const struct duet__rx *job)
{
    if (job->kind == DUET__RX_MESSAGE)
        return job->whole;
    if (job->kind == DUET__RX_BATCH)
        return job->inbox->count > 0;
    return job->got >= job->least;
}

/** 1 when the next look may wait for what comes: nothing else is to be done meanwhile. */
static int
may_wait(const duet_channel *channel, const struct duet__rx *job,
         const struct duet__deadline *deadline)
{
    return deadline->timeout_ms < 0 && !duet__rx_satisfied(job) && !duet__tx_waits(channel);
}

/** Wait for more. What was looked at in full is waited for by the next look itself. */
static int
wait_for_more(duet_channel *channel, const struct duet__rx *job, struct duet__deadline *deadline,
              unsigned want)
{
    if (channel->dry && duet__peek_fits(channel, job) && may_wait(channel, job, deadline))
        return DUET_OK;
    return duet__io_wait(channel, deadline, want);
}

int
duet__rx_run(duet_channel *channel, struct duet__rx *job, struct duet__deadline *deadline)
{
    unsigned want = 0;

    job->polled = deadline->timeout_ms == 0;
    int result = duet__enter(channel, deadline, &want);
    while (result == DUET_OK) {
        duet__tx_step(channel, NULL);
        channel->patient = may_wait(channel, job, deadline) ? 1 : 0;
        result = duet__rx_step(channel, job);
        want = 0;
        if (result == DUET_AGAIN && duet__rx_satisfied(job))
            result = DUET_OK;
        if (result != DUET_AGAIN)
            break;
        want = DUET_WANT_READ | (duet__tx_waits(channel) ? DUET_WANT_WRITE : 0u);
        result = wait_for_more(channel, job, deadline, want);
    }
    channel->patient = 0;
    result = duet__rx_settle(channel, job, result);
    channel->want_rx = (uint8_t)want;
    if (result == DUET_CLOSED && duet__rx_had_some(job) && duet__rx_satisfied(job))
        return DUET_OK;
    return result;
}

int
duet_recv(duet_channel *channel, void *buffer, size_t size, size_t *got, size_t least,
          int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct duet__rx job = {.kind = DUET__RX_STREAM, .buffer = buffer, .size = size, .least = least};

    *got = 0;
    if (least > size)
        return duet__channel_refuse(channel);
    int result = duet__rx_run(channel, &job, &deadline);
    *got = job.got;
    return result;
}
