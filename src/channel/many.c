/*
 * duet_channel_many(): several channels by one call that never waits. What is to be sent comes
 * first, then what is to be received.
 *
 * Jobs run in two lanes. While both lanes have a frame to seal or to open, the two go through the
 * kernel together (session/many.h); a lane that is done takes the next job. All else is done as in
 * the calls for one channel (docs/protocol.md §1).
 */
#include "channel/channel.h"

#include "session/many.h"

enum { LANES = 2 };

/* ---- Sending ---- */

struct tx_lane {
    duet_job *job; /* NULL: none */
    struct duet__tx tx;
    size_t used;    /* bytes of the batch */
    uint8_t *batch; /* room for DUET__BATCH_SIZE; NULL until the lane first seals */
};

/** Report the lane's job. want: what an unfinished handshake waits for; 0: unsent bytes alone. */
static void
tx_lane_end(struct tx_lane *lane, int result, unsigned want)
{
    if (result == DUET_AGAIN && duet__send_accepted(lane->job->channel, &lane->tx))
        result = DUET_OK; /* what is unsent is the channel's to write */
    if (want == 0)
        want = result == DUET_AGAIN ? DUET_WANT_WRITE : 0;
    lane->job->sent = lane->tx.sent;
    lane->job->send_result = duet__send_reported(lane->job->channel, result);
    lane->job->channel->want_tx = (uint8_t)want;
    lane->job = NULL;
}

/** Begin a job: unsent bytes and pending library frames go first. */
static void
tx_lane_begin(struct tx_lane *lane, duet_job *job)
{
    struct duet__deadline deadline = {.timeout_ms = 0};
    duet_channel *channel = job->channel;
    unsigned want = 0;

    job->sent = 0;
    job->send_result = DUET_OK;
    if (job->data == NULL)
        return;
    if (channel->send_phase != DUET__SEND_IDLE) { /* want_tx is that of the call under way */
        job->send_result = duet__channel_misuse(channel);
        return;
    }
    lane->job = job;
    lane->used = 0;
    lane->tx = (struct duet__tx){.kind = DUET__TX_STREAM, .data = job->data, .size = job->size};
    lane->tx.due = job->size > 0;
    int result = duet__call_enter(channel, &deadline, &want);
    duet__refresh_if_due(channel);
    if (result == DUET_OK && (channel->tx_result != DUET_OK || duet__send_pending(channel)))
        result = duet__send_step(channel, NULL);
    if (lane->batch == NULL && result == DUET_OK && lane->tx.due) {
        lane->batch = duet__buffer_take();
        result = lane->batch != NULL ? DUET_OK : DUET_E_MEMORY;
    }
    if (result != DUET_OK || !lane->tx.due)
        tx_lane_end(lane, result, want);
}

/** The lane's frame is sealed. Write when the batch is full or the job is done. */
static void
tx_lane_sealed(struct tx_lane *lane, const struct duet__sealing *sealing)
{
    duet_channel *channel = lane->job->channel;

    if (sealing->result != DUET_OK) {
        tx_lane_end(lane, duet__channel_check(channel, sealing->result), 0);
        return;
    }
    lane->used += sealing->len + DUET_FRAME_OVERHEAD;
    lane->tx.sent += sealing->len;
    lane->tx.due = lane->tx.sent < lane->tx.size;
    size_t next = duet__send_payload(channel, &lane->tx) + DUET_FRAME_OVERHEAD;
    if (lane->tx.due && next <= DUET__BATCH_SIZE - lane->used)
        return;
    int result = duet__send_fill(channel, lane->batch, &lane->used);
    if (result == DUET_OK)
        result = duet__send_write(channel, lane->batch, lane->used, 1);
    lane->used = 0;
    if (result != DUET_OK || !lane->tx.due)
        tx_lane_end(lane, result, 0);
}

static void
send_jobs(duet_job *jobs, size_t count)
{
    struct tx_lane lanes[LANES] = {{.job = NULL}}, *active[LANES];
    struct duet__sealing sealings[LANES];
    size_t next = 0, n;

    do {
        n = 0;
        for (size_t i = 0; i < LANES; i++) {
            struct tx_lane *lane = &lanes[i];
            while (lane->job == NULL && next < count)
                tx_lane_begin(lane, &jobs[next++]);
            if (lane->job == NULL)
                continue;
            active[n] = lane;
            sealings[n++] =
                (struct duet__sealing){.session = lane->job->channel->session,
                                       .out = lane->batch + lane->used,
                                       .payload = lane->tx.data + lane->tx.sent,
                                       .len = duet__send_payload(lane->job->channel, &lane->tx)};
        }
        (void)duet__session_send_many(sealings, n);
        for (size_t i = 0; i < n; i++)
            tx_lane_sealed(active[i], &sealings[i]);
    } while (n > 0);
    for (size_t i = 0; i < LANES; i++)
        duet__buffer_return(lanes[i].batch);
}

/* ---- Receiving ---- */

struct rx_lane {
    duet_job *job; /* NULL: none */
    struct duet__rx rx;
    struct duet_step step;
    struct duet__peek peek;
};

/** No more of what was peeked at can be opened. Where nothing was received, or the kernel may hold
 * more, the call for one channel goes on. Then report the lane's job. */
static void
rx_lane_end(struct rx_lane *lane, int result)
{
    duet_channel *channel = lane->job->channel;
    struct duet__deadline deadline = {.timeout_ms = 0};
    int ended = duet__peek_end(channel, &lane->peek);

    channel->want_rx = DUET_STATE_AGAIN_NOW;
    if (ended != DUET_OK)
        result = ended;
    else if (result == DUET_OK && (lane->rx.got == 0 || lane->peek.size == lane->peek.asked))
        result = duet__call_recv(channel, &lane->rx, &deadline);
    result = duet__recv_settle(channel, &lane->rx, result);
    if (!duet__session_quiet(channel->session) && duet__send_pending(channel))
        duet__send_step(channel, NULL);
    if (result == DUET__RECV_STOP)
        result = DUET_OK;
    lane->job->got = lane->rx.got;
    lane->job->recv_result = result == DUET_OK ? channel->result : result;
    lane->job = NULL;
}

/** Go on to the lane's next frame that can be opened, unless the last step failed. */
static void
rx_lane_advance(struct rx_lane *lane, int result)
{
    if (result == DUET_OK)
        result = duet__peek_next(lane->job->channel, &lane->rx, &lane->peek, &lane->step);
    if (result != DUET_OK || lane->step.in == NULL)
        rx_lane_end(lane, result);
}

/** Begin a job: peek at what its channel's socket holds, where that can be done. */
static void
rx_lane_begin(struct rx_lane *lane, duet_job *job)
{
    duet_channel *channel = job->channel;
    size_t least = job->room > 0;

    job->got = 0;
    job->recv_result = DUET_OK;
    if (job->buffer == NULL)
        return;
    lane->job = job;
    lane->rx = (struct duet__rx){.kind = DUET__RX_STREAM, .buffer = job->buffer, .least = least};
    lane->rx.size = job->room;
    lane->rx.polled = 1;
    lane->peek = (struct duet__peek){.wire = NULL};
    duet__gather_end(channel);
    if (channel->established && duet__channel_usable(channel) && duet__peek_possible(channel) &&
        channel->gather == NULL) {
        channel->drained = 0;
        duet__refresh_if_due(channel);
        if (duet__send_pending(channel))
            duet__send_step(channel, NULL);
        if (duet__peek_begin(channel, &lane->rx, &lane->peek) == DUET_OK) {
            rx_lane_advance(lane, DUET_OK);
            return;
        }
        lane->peek.asked = lane->peek.size = 0;
    }
    rx_lane_end(lane, DUET_OK);
}

static void
recv_jobs(duet_job *jobs, size_t count)
{
    struct rx_lane lanes[LANES], *active[LANES];
    struct duet__opening openings[LANES];
    size_t next = 0, n;

    for (size_t i = 0; i < LANES; i++)
        lanes[i].job = NULL;
    do {
        n = 0;
        for (size_t i = 0; i < LANES; i++) {
            struct rx_lane *lane = &lanes[i];
            while (lane->job == NULL && next < count)
                rx_lane_begin(lane, &jobs[next++]);
            if (lane->job == NULL)
                continue;
            active[n] = lane;
            openings[n++] =
                (struct duet__opening){.session = lane->job->channel->session, .step = lane->step};
        }
        (void)duet__session_recv_many(openings, n);
        for (size_t i = 0; i < n; i++)
            rx_lane_advance(active[i], duet__peek_opened(active[i]->job->channel, &active[i]->rx,
                                                         &active[i]->peek, &openings[i].step,
                                                         openings[i].result));
    } while (n > 0);
}

void
duet_channel_many(duet_job *jobs, size_t count)
{
    send_jobs(jobs, count);
    recv_jobs(jobs, count);
}
