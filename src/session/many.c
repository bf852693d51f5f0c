/*
 * Frames of several sessions by one call. For two neighbours the whole groups of 64 bytes go
 * through the kernel together; the single calls do what remains of each frame, so the outcome is
 * that of the single calls (docs/protocol.md §1).
 */
#include "session/many.h"

#include "frame/stream.h"
#include "session/session.h"

/* Bytes of payload from which two together are faster than one after the other. */
enum { TWO_LEAST = 128 };

/** Seal two jobs of different sessions. */
static void
send_two(struct duet__sealing job[2])
{
    struct duet__flow flow[2];
    int result = DUET_OK;

    for (size_t i = 0; i < 2; i++) {
        job[i].result =
            duet_session_send_begin(job[i].session, job[i].out, job[i].code, (uint32_t)job[i].len);
        flow[i] = (struct duet__flow){.c = &job[i].session->tx,
                                      .out = job[i].out + DUET_HEADER_SIZE,
                                      .in = job[i].payload,
                                      .n = job[i].len};
    }
    if (job[0].result == DUET_OK && job[1].result == DUET_OK)
        result = duet__stream_two(flow, DUET__SEALING);
    for (size_t i = 0; i < 2; i++) {
        size_t put;
        if (result != DUET_OK)
            job[i].result = duet__session_fail(job[i].session, result, NULL);
        else if (job[i].result == DUET_OK)
            job[i].result =
                duet_session_send_piece(job[i].session, flow[i].out, &put, flow[i].in, flow[i].n);
    }
}

static int
fits_two(const struct duet__sealing job[2])
{
    return job[0].session != job[1].session && job[0].len >= TWO_LEAST && job[1].len >= TWO_LEAST &&
           job[0].len <= UINT32_MAX && job[1].len <= UINT32_MAX;
}

int
duet__session_send_many(struct duet__sealing *jobs, size_t count)
{
    int result = DUET_OK;

    for (size_t i = 0, n; i < count; i += n) {
        struct duet__sealing *job = &jobs[i];
        n = i + 1 < count && fits_two(job) ? 2 : 1;
        if (n == 2)
            send_two(job);
        else
            job->result =
                duet_session_send(job->session, job->out, job->code, job->payload, job->len);
        for (size_t k = 0; k < n && result == DUET_OK; k++)
            result = job[k].result;
    }
    return result;
}

/** Receive after done bytes of the frame under way have been opened. */
static int
recv_rest(struct duet__opening *job, size_t done)
{
    struct duet_step whole = job->step;
    struct duet_step *step = &job->step;

    step->in += done;
    step->in_size -= done;
    step->out += done;
    step->out_size -= done;
    int result = duet_session_recv(job->session, step);
    step->in = whole.in;
    step->in_size = whole.in_size;
    step->out = whole.out;
    step->out_size = whole.out_size;
    step->used += done;
    step->put += done;
    return result;
}

/** Receive for two jobs. Returns 1 when that is done, 0: they do not go together. */
static int
recv_two(struct duet__opening job[2])
{
    struct duet__flow flow[2];

    if (job[0].session == job[1].session)
        return 0;
    for (size_t i = 0; i < 2; i++) {
        struct duet_session *s = job[i].session;
        const struct duet_step *step = &job[i].step;
        size_t room = duet__min(step->in_size, step->out_size);
        size_t n = duet__min(room, duet__cipher_payload_left(&s->rx));
        if (s->error != DUET_OK || s->rx_phase != DUET__RX_ESTABLISHED ||
            !duet__is_application(s->rx.code) || n < TWO_LEAST)
            return 0;
        flow[i] = (struct duet__flow){&s->rx, step->out, step->in, n};
    }
    int failed = duet__stream_two(flow, DUET__OPENING);
    for (size_t i = 0; i < 2; i++) {
        size_t done = (size_t)(flow[i].in - job[i].step.in);
        if (failed)
            duet__session_fail(job[i].session, failed, NULL);
        job[i].result = recv_rest(&job[i], done);
    }
    return 1;
}

int
duet__session_recv_many(struct duet__opening *jobs, size_t count)
{
    int result = DUET_OK;

    for (size_t i = 0, n; i < count; i += n) {
        struct duet__opening *job = &jobs[i];
        n = i + 1 < count && recv_two(job) ? 2 : 1;
        if (n == 1)
            job->result = duet_session_recv(job->session, &job->step);
        for (size_t k = 0; k < n && result == DUET_OK; k++)
            result = job[k].result;
    }
    return result;
}
