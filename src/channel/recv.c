/*
 * Receiving by exact reads: never a byte beyond what the session waits for, so that what the
 * application did not ask for stays in the kernel and poll() reports it (docs/protocol.md §1 "A
 * receiver"). Acting on the session's events, and the reassembly of partial frames, are here for
 * peek.c too. The phases are drawn in channel.h.
 *
 * Payload is read straight into the application's buffer and decrypted in place. A frame that a
 * deadline cuts in two moves to `partial`; no unverified byte stays in the caller's buffer.
 */
#include "channel/channel.h"

#include "base/bytes.h"

#include <duet/secret.h>
#include <string.h>

enum {
    LIBRARY_READ = 4096,      /* bytes read at a time of headers and library frames */
    PAYLOAD_READ = 128 * 1024 /* bytes of payload read at a time, so that they stay in the cache */
};

/* ---- The session's events ---- */

/** Answer EVENT_RANDOM: bring random bytes for our half of a refresh. */
static int
answer_random(duet_channel *channel)
{
    uint8_t fresh[DUET_FRESH_SIZE];

    if (duet__os_random(fresh, sizeof fresh) != 0)
        return duet__channel_fail(channel, DUET_E_IO, "no randomness", 0);
    int result = duet_session_refresh(channel->session, fresh);
    duet_wipe(fresh, sizeof fresh);
    return result;
}

int
duet__recv_handle(duet_channel *channel, const struct duet_step *step, int result)
{
    enum duet_event event = result == DUET_OK ? step->event : DUET_EVENT_NONE;

    channel->need = step->need;
    if (event != DUET_EVENT_NONE)
        channel->recv_phase = DUET__RECV_BOUNDARY;
    else if (result == DUET_OK && channel->recv_phase == DUET__RECV_BOUNDARY)
        channel->recv_phase = DUET__RECV_LIBRARY; /* its header, or more, is still to come */
    switch (event) {
    case DUET_EVENT_BEGIN:
        channel->recv_phase = DUET__RECV_BEGUN;
        channel->rx_code = step->code;
        channel->rx_length = step->length;
        channel->rx_done = 0;
        break;
    case DUET_EVENT_FRAME:
        channel->recv_phase = DUET__RECV_VERIFIED;
        break;
    case DUET_EVENT_CLOSE:
        channel->recv_phase = DUET__RECV_CLOSED;
        break;
    case DUET_EVENT_NONCE:
        result = duet_replay_check(channel->replay, channel->session, duet__os_unix_ms());
        break;
    case DUET_EVENT_RANDOM:
        result = answer_random(channel);
        break;
    default:
        break;
    }
    if (channel->recv_phase < DUET__RECV_BEGUN)
        channel->idle_frames++;
    /* The bytes are not in the kernel any more: without memory for them the channel is lost. */
    if (result == DUET_E_MEMORY)
        return duet__channel_fail(channel, DUET_E_IO, "no memory for what the peer sent", 0);
    return result == DUET_OK ? DUET_OK : duet__channel_check(channel, result);
}

/** Give the session bytes as they came; payload among them is decrypted in place. */
static int
recv_feed(duet_channel *channel, uint8_t *bytes, size_t size)
{
    size_t used = 0;

    while (used < size) {
        size_t left = size - used;
        struct duet_step step = {
            .in = bytes + used, .in_size = left, .out = bytes + used, .out_size = left};
        int result = duet_session_recv(channel->session, &step);
        used += step.used;
        result = duet__recv_handle(channel, &step, result);
        if (result != DUET_OK)
            return result;
    }
    return DUET_OK;
}

int
duet__recv_library(duet_channel *channel)
{
    uint8_t scratch[LIBRARY_READ];
    struct duet_step step = {0};
    size_t got = 0;

    if (channel->recv_phase == DUET__RECV_CLOSED)
        return DUET_CLOSED;
    if (channel->need == 0 && duet_session_recv(channel->session, &step) == DUET_OK)
        channel->need = step.need;
    struct duet__os_piece piece = {scratch, duet__min(channel->need, sizeof scratch)};
    int result = duet__io_read(channel, &piece, 1, &got);
    if (result == DUET_OK)
        result = recv_feed(channel, scratch, got);
    duet_wipe(scratch, got);
    return result;
}

/* ---- The application's frames ---- */

/** Choose for a frame that the call does not take: stream calls take CODE 0 alone. */
static int
place_other_code(duet_channel *channel, const struct duet__rx *job)
{
    if (job->got > 0)
        return DUET__RECV_STOP;
    if (channel->recv_phase == DUET__RECV_VERIFIED)
        return DUET_E_CODE;
    if (channel->rx_done > 0 && channel->partial == NULL)
        return DUET_E_MISUSE; /* it was begun in another call's buffer, and goes on only there */
    /* An attacker may have changed the code of an unverified header, so the frame is verified in
     * `partial` before DUET_E_CODE is returned; one that is too large for that is not. */
    if (channel->rx_length > DUET__PARTIAL_MOST && !channel->buffered)
        return DUET_E_CODE;
    return duet__partial_reserve(channel, 0);
}

/** Choose for a frame that is larger than the rest of the buffer. */
static int
place_larger(duet_channel *channel, struct duet__rx *job)
{
    int had_some = duet__recv_had_some(job);

    if (job->gather)
        return duet__gather_place(channel, job);
    /* Only whole frames are delivered: one that does not fit waits for a call with more room. */
    if (!channel->buffered)
        return had_some ? DUET__RECV_STOP : DUET_E_ROOM;
    /* Buffered: as much of it as fits, once it is verified in `partial`. Not before that is asked
     * for: until then it stays in the kernel. */
    if (duet__recv_satisfied(job) && (had_some || job->size == 0))
        return DUET__RECV_STOP;
    if (job->got < job->size)
        return duet__partial_reserve(channel, 0);
    if (had_some)
        return DUET__RECV_STOP;
    return channel->recv_phase == DUET__RECV_VERIFIED ? DUET_E_ROOM
                                                      : duet__partial_reserve(channel, 0);
}

int
duet__recv_place(duet_channel *channel, struct duet__rx *job)
{
    if (job->kind == DUET__RX_STREAM && (channel->rx_code != 0 || channel->rx_message))
        return place_other_code(channel, job);
    if (channel->rx_length - channel->rx_taken > job->size - job->got) {
        int placed = place_larger(channel, job);
        if (placed != DUET_OK)
            return placed;
    }
    if (channel->partial != NULL)
        return DUET_OK;
    uint8_t *at = job->got < job->size ? job->buffer + job->got : job->buffer;
    if (channel->rx_done > 0 && !job->in_place && channel->rx_at != at)
        return DUET_E_MISUSE; /* begun in another buffer */
    channel->rx_at = at;
    job->in_place = 1;
    return DUET_OK;
}

/** Add n bytes to what the job got, the last of a frame or message under its code. */
static inline void
deliver(struct duet__rx *job, size_t n, uint32_t code)
{
    if (job->kind == DUET__RX_BATCH)
        job->inbox->messages[job->inbox->count++] = (duet_message){job->buffer + job->got, n, code};
    job->in_place = 0;
    job->got += n;
    job->code = code;
    job->whole = code != DUET_CODE_MORE;
}

void
duet__recv_deliver(duet_channel *channel, struct duet__rx *job)
{
    deliver(job, channel->rx_length - channel->rx_taken, channel->rx_code);
    channel->rx_taken = 0;
    channel->recv_phase = DUET__RECV_BOUNDARY;
    channel->idle_frames = channel->rx_length > 0 ? 0 : channel->idle_frames + 1;
    channel->rx_message = channel->rx_code == DUET_CODE_MORE;
    channel->last = channel->rx_length;
}

/** Deliver n bytes of the verified frame, not its last. Those of the stream need no end. */
static void
deliver_piece(duet_channel *channel, struct duet__rx *job, size_t n)
{
    deliver(job, n, channel->rx_code != 0 || channel->rx_message ? DUET_CODE_MORE : 0);
    channel->rx_taken += (uint32_t)n;
    channel->idle_frames = 0;
}

/* One read takes what is left of the payload, then the MAC, and the next header where the call will
 * take another frame in any case. The last two go into `after`. */
int
duet__recv_piece(duet_channel *channel, struct duet__rx *job)
{
    uint8_t after[DUET_MAC_SIZE + DUET_HEADER_SIZE];
    size_t left = channel->rx_length - channel->rx_done;
    size_t mac = channel->need - left; /* bytes of the MAC that are still to come */
    size_t n = duet__min(left, PAYLOAD_READ);
    uint8_t *payload = channel->rx_at;
    struct duet__os_piece pieces[2] = {{after, 0}, {after, 0}};
    unsigned count = 0;
    size_t got = 0;

    if (channel->partial != NULL) {
        if (left > 0 && channel->rx_done == channel->partial_size &&
            duet__partial_reserve(channel, channel->rx_done + 1u) != DUET_OK)
            return DUET_E_MEMORY;
        n = duet__min(n, channel->partial_size - channel->rx_done);
        payload = channel->partial;
    }
    if (n > 0) {
        payload += channel->rx_done;
        pieces[count++] = (struct duet__os_piece){payload, n};
    }
    if (n == left) {
        int more = channel->partial == NULL && job->kind != DUET__RX_BATCH &&
                   job->got + channel->rx_length < job->size;
        pieces[count++] = (struct duet__os_piece){after, mac + (more ? DUET_HEADER_SIZE : 0)};
    }
    duet__channel_clear_low_water(channel);
    int result = duet__io_read(channel, pieces, count, &got);
    if (result != DUET_OK)
        return result;
    /* What came is payload first, then MAC, then header. */
    n = duet__min(n, got);
    mac = duet__min(mac, got - n);
    channel->rx_done += (uint32_t)n;
    result = recv_feed(channel, payload, n);
    if (result == DUET_OK)
        result = recv_feed(channel, after, mac);
    /* A frame verified in `partial` is delivered by the next step, which may find that it is not
     * for this call. */
    if (result != DUET_OK || channel->recv_phase != DUET__RECV_VERIFIED || channel->partial != NULL)
        return result;
    duet__recv_deliver(channel, job);
    return recv_feed(channel, after + mac, got - n - mac);
}

int
duet__recv_frame(duet_channel *channel, struct duet__rx *job)
{
    int result = duet__recv_place(channel, job);

    if (result != DUET_OK)
        return result;
    if (channel->recv_phase == DUET__RECV_BEGUN)
        return duet__recv_piece(channel, job);
    /* Verified in `partial`, and for this call. */
    size_t left = channel->rx_length - channel->rx_taken;
    size_t n = duet__min(left, job->size - job->got);
    if (n > 0)
        memcpy(job->buffer + job->got, channel->partial + channel->rx_taken, n);
    if (n < left) {
        deliver_piece(channel, job, n);
        return DUET_OK;
    }
    duet__partial_free(channel);
    duet__recv_deliver(channel, job);
    return DUET_OK;
}

/* The caller may reuse its buffer between calls, so a partial frame is copied out. */
int
duet__recv_settle(duet_channel *channel, struct duet__rx *job, int result)
{
    if (!job->in_place || channel->recv_phase != DUET__RECV_BEGUN || channel->rx_done == 0)
        return result;
    if (channel->result == DUET_OK) {
        if (channel->rx_length > DUET__PARTIAL_MOST && !channel->buffered && !job->gather)
            return result; /* too large: it goes on only where it lies */
        if (duet__partial_reserve(channel, channel->rx_done) == DUET_OK)
            memcpy(channel->partial, channel->rx_at, channel->rx_done);
        else
            duet__channel_fail(channel, DUET_E_IO, "no memory for a partial frame", 0);
    }
    duet_wipe(channel->rx_at, channel->rx_done);
    job->in_place = 0; /* a second call would copy the wiped bytes */
    return channel->result != DUET_OK ? channel->result : result;
}
