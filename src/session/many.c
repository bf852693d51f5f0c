/*
 * Several sessions by one call: what neighbours of different sessions have to seal or to open goes
 * through the kernel two by two (docs/protocol.md §1).
 */
#include "session/session.h"

/* Bytes of payload from which two together are done sooner than one after the other. */
enum { TWO_LEAST = 128 };

static int
worth_two(size_t a, size_t b)
{
    return a >= TWO_LEAST && b >= TWO_LEAST && a <= UINT32_MAX && b <= UINT32_MAX;
}

/** Both frames are begun: their payloads together. */
static void
seal_begun(duet_sealing job[2])
{
    struct duet__piece piece[2];

    for (size_t i = 0; i < 2; i++)
        piece[i] = (struct duet__piece){.d = &job[i].session->tx,
                                        .out = job[i].out + DUET_HEADER_SIZE,
                                        .in = job[i].payload,
                                        .len = job[i].len};
    duet__cipher_seal_two(piece);
    for (size_t i = 0; i < 2; i++)
        job[i].result = duet__piece_sealed(job[i].session, piece[i].result);
}

static void
seal_two(duet_sealing job[2])
{
    size_t put;

    for (size_t i = 0; i < 2; i++)
        job[i].result =
            duet_session_send_begin(job[i].session, job[i].out, job[i].code, (uint32_t)job[i].len);
    if (job[0].result == DUET_OK && job[1].result == DUET_OK) {
        seal_begun(job);
        return;
    }
    for (size_t i = 0; i < 2; i++)
        if (job[i].result == DUET_OK)
            job[i].result = duet_session_send_piece(job[i].session, job[i].out + DUET_HEADER_SIZE,
                                                    &put, job[i].payload, job[i].len);
}

int
duet_session_send_many(duet_sealing *jobs, size_t count)
{
    int result = DUET_OK;

    for (size_t i = 0, n; i < count; i += n) {
        duet_sealing *job = &jobs[i];
        n = i + 1 < count && job[0].session != job[1].session && worth_two(job[0].len, job[1].len)
                ? 2
                : 1;
        if (n == 2)
            seal_two(job);
        else
            job->result =
                duet_session_send(job->session, job->out, job->payload, job->len, job->code);
        for (size_t k = 0; k < n && result == DUET_OK; k++)
            result = job[k].result;
    }
    return result;
}

/** Returns 1 when both are done. */
static int
open_two(duet_opening job[2])
{
    struct duet__piece piece[2];

    if (job[0].session == job[1].session)
        return 0;
    for (size_t i = 0; i < 2; i++)
        if (!duet__payload_next(job[i].session, &job[i].step, &piece[i]))
            return 0;
    if (!worth_two(piece[0].len, piece[1].len))
        return 0;
    duet__cipher_open_two(piece);
    for (size_t i = 0; i < 2; i++)
        job[i].result = duet__payload_done(job[i].session, &job[i].step, &piece[i]);
    return 1;
}

int
duet_session_recv_many(duet_opening *jobs, size_t count)
{
    int result = DUET_OK;

    for (size_t i = 0, n; i < count; i += n) {
        duet_opening *job = &jobs[i];
        n = i + 1 < count && open_two(job) ? 2 : 1;
        if (n == 1)
            job->result = duet_session_recv(job->session, &job->step);
        for (size_t k = 0; k < n && result == DUET_OK; k++)
            result = job[k].result;
    }
    return result;
}
