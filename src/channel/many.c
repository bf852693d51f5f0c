/*
 * Several channels that are ready at the same time, by one call that never waits.
 *
 * Jobs run in two lanes: while both have a frame to seal or to open, these go through the kernel
 * together (session.h, "many"), and a lane that is done takes the next job. All else is as the
 * single calls do it.
 */
#include "channel/channel.h"

#include "session/many.h"

enum { LANES = 2 };

/* ---- Sending ---- */

struct tx_lane {
    duet_send_job *job; /* NULL: none */
    struct duet__tx tx;
    size_t used; /* bytes of the batch */
    uint8_t batch[DUET__BATCH];
};

/** want: what an initiation that goes on waits for; 0: the bytes wait, if anything does. */
static void
end_tx(struct tx_lane *lane, int result, unsigned want)
{
    if (want == 0)
        want = result == DUET_AGAIN ? DUET_WANT_WRITE : 0;
    lane->job->sent = lane->tx.sent;
    lane->job->result = result;
    lane->job->channel->want_tx = (uint8_t)want;
    lane->job = NULL;
}

/** Begin a job: what is kept and owed goes first. */
static void
begin_tx(struct tx_lane *lane, duet_send_job *job)
{
    struct duet__deadline deadline = {.timeout_ms = 0};
    unsigned want = 0;

    if (!duet__tx_streams(job->channel)) { /* and what another call waits for stays so */
        job->sent = 0;
        job->result = duet__channel_refuse(job->channel);
        return;
    }
    lane->job = job;
    lane->used = 0;
    lane->tx = (struct duet__tx){.kind = DUET__TX_STREAM, .data = job->data, .size = job->size};
    lane->tx.due = job->size > 0;
    int result = duet__enter(job->channel, &deadline, &want);
    if (result == DUET_OK)
        result = duet__tx_step(job->channel, NULL);
    if (result != DUET_OK || !lane->tx.due)
        end_tx(lane, result, want);
}

/** The next frame of a lane, behind those that wait in its batch. */
static struct duet__sealing
next_frame(struct tx_lane *lane)
{
    duet_channel *channel = lane->job->channel;
    struct duet__sealing sealing = {.session = channel->session, .out = lane->batch + lane->used};

    sealing.payload = lane->tx.data + lane->tx.sent;
    sealing.len = duet__tx_payload(channel, &lane->tx);
    return sealing;
}

/** A lane's frame is sealed. Write when the batch is full or the job is done. */
static void
sealed(struct tx_lane *lane, const struct duet__sealing *sealing)
{
    duet_channel *channel = lane->job->channel;

    if (sealing->result != DUET_OK) {
        end_tx(lane, duet__channel_judge(channel, sealing->result), 0);
        return;
    }
    lane->used += sealing->len + DUET_FRAME_OVERHEAD;
    lane->tx.sent += sealing->len;
    lane->tx.due = lane->tx.sent < lane->tx.size;
    size_t next = duet__tx_payload(channel, &lane->tx) + DUET_FRAME_OVERHEAD;
    if (lane->tx.due && next <= DUET__BATCH - lane->used)
        return;
    int result = duet__tx_write(channel, lane->batch, lane->used);
    lane->used = 0;
    if (result != DUET_OK || !lane->tx.due)
        end_tx(lane, result, 0);
}

void
duet_send_many(duet_send_job *jobs, size_t count)
{
    struct tx_lane lanes[LANES];
    size_t next = 0;

    for (size_t i = 0; i < LANES; i++)
        lanes[i].job = NULL;
    for (;;) {
        struct duet__sealing sealings[LANES];
        struct tx_lane *of[LANES];
        size_t n = 0;
        for (size_t i = 0; i < LANES; i++) {
            while (lanes[i].job == NULL && next < count)
                begin_tx(&lanes[i], &jobs[next++]);
            if (lanes[i].job == NULL)
                continue;
            of[n] = &lanes[i];
            sealings[n++] = next_frame(&lanes[i]);
        }
        if (n == 0)
            return;
        (void)duet__session_send_many(sealings, n);
        for (size_t i = 0; i < n; i++)
            sealed(of[i], &sealings[i]);
    }
}

/* ---- Receiving ---- */

struct rx_lane {
    duet_recv_job *job; /* NULL: none */
    struct duet__rx rx;
    struct duet_step step;
    struct duet__look look;
};

/** What was looked at is done with: the rest is the single call's, if there may be one. */
static void
end_rx(struct rx_lane *lane, int result)
{
    duet_channel *channel = lane->job->channel;
    struct duet__deadline deadline = {.timeout_ms = 0};
    int ended = duet__look_end(channel, &lane->look);

    channel->want_rx = 0; /* as nothing is waited for, unless the single call comes to it */
    if (ended != DUET_OK)
        result = ended;
    else if (result == DUET_OK && (lane->rx.got == 0 || lane->look.size == lane->look.asked))
        result = duet__rx_run(channel, &lane->rx, &deadline);
    result = duet__rx_settle(channel, &lane->rx, result);
    if (channel->owing)
        duet__tx_step(channel, NULL);
    lane->job->got = lane->rx.got;
    lane->job->result = result == DUET__STOP ? DUET_OK : result;
    lane->job = NULL;
}

/** Go on to a lane's next frame that can be opened. */
static void
advance(struct rx_lane *lane)
{
    int result = duet__look_next(lane->job->channel, &lane->rx, &lane->look, &lane->step);

    if (result != DUET_OK || lane->step.in == NULL)
        end_rx(lane, result);
}

/** Begin a job: look at what its channel holds, where that can be done. */
static void
begin_rx(struct rx_lane *lane, duet_recv_job *job)
{
    duet_channel *channel = job->channel;
    size_t least = job->size > 0;

    lane->job = job;
    lane->rx = (struct duet__rx){.kind = DUET__RX_STREAM, .buffer = job->buffer, .least = least};
    lane->rx.size = job->size;
    lane->rx.polled = 1;
    lane->look.asked = lane->look.size = lane->look.at = 0;
    if (channel->open && duet__channel_alive(channel) && duet__look_fits(channel)) {
        channel->dry = 0;
        duet__tx_step(channel, NULL);
        if (duet__look_begin(channel, &lane->rx, &lane->look) == DUET_OK) {
            advance(lane);
            return;
        }
        lane->look.asked = lane->look.size = 0;
    }
    end_rx(lane, DUET_OK);
}

void
duet_recv_many(duet_recv_job *jobs, size_t count)
{
    struct rx_lane lanes[LANES];
    size_t next = 0;

    for (size_t i = 0; i < LANES; i++)
        lanes[i].job = NULL;
    for (;;) {
        struct duet__opening openings[LANES];
        struct rx_lane *of[LANES];
        size_t n = 0;
        for (size_t i = 0; i < LANES; i++) {
            while (lanes[i].job == NULL && next < count)
                begin_rx(&lanes[i], &jobs[next++]);
            if (lanes[i].job == NULL)
                continue;
            of[n] = &lanes[i];
            openings[n].session = lanes[i].job->channel->session;
            openings[n++].step = lanes[i].step;
        }
        if (n == 0)
            return;
        (void)duet__session_recv_many(openings, n);
        for (size_t i = 0; i < n; i++) {
            struct rx_lane *lane = of[i];
            int result = duet__look_opened(lane->job->channel, &lane->rx, &lane->look,
                                           &openings[i].step, openings[i].result);
            if (result == DUET_OK)
                advance(lane);
            else
                end_rx(lane, result);
        }
    }
}
