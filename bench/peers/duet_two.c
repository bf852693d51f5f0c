/*
 * Two of duet's sessions at once as a peer: a message in each, sealed together and opened together.
 */
#include "bench/peers/duet.h"
#include "bench/peers/peer.h"
#include "session/many.h"

#include <stdlib.h>

enum { STREAMS = 2 };

struct pairs {
    struct bench_duet_pair *of[STREAMS];
    uint8_t *other; /* where the second message goes; PEER_MESSAGE_MOST bytes */
};

static void
close_pairs(void *context)
{
    struct pairs *pairs = context;
    for (int i = 0; i < STREAMS; i++)
        if (pairs->of[i] != NULL)
            peer_duet.close(pairs->of[i]);
    free(pairs->other);
    free(pairs);
}

static void *
open_pairs(const struct peer *peer, struct peer_wire *wire)
{
    struct pairs *pairs = calloc(1, sizeof *pairs);
    (void)peer;
    if (pairs == NULL)
        return NULL;
    pairs->other = malloc(PEER_MESSAGE_MOST);
    for (int i = 0; i < STREAMS; i++)
        pairs->of[i] = peer_duet.open(&peer_duet, wire);
    if (pairs->other != NULL && pairs->of[0] != NULL && pairs->of[1] != NULL)
        return pairs;
    close_pairs(pairs);
    return NULL;
}

static int
seal(struct pairs *pairs, const uint8_t *in, size_t n)
{
    struct duet__sealing jobs[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        uint8_t *wire = bench_duet_wire(pairs->of[i]);
        if (wire == NULL)
            return -1;
        jobs[i] = (struct duet__sealing){
            .session = pairs->of[i]->end[DUET_TOP], .out = wire, .payload = in, .len = n};
    }
    return duet__session_send_many(jobs, STREAMS) == DUET_OK ? 0 : -1;
}

/* One step of both; 1 when both frames are whole. */
static int
step_both(struct duet__opening *jobs)
{
    if (duet__session_recv_many(jobs, STREAMS) != DUET_OK)
        return -1;
    int whole = 0;
    for (int i = 0; i < STREAMS; i++) {
        duet_step *step = &jobs[i].step;
        step->in += step->used;
        step->in_size -= step->used;
        step->out += step->put;
        step->out_size -= step->put;
        whole += step->event == DUET_EVENT_FRAME;
    }
    return whole == STREAMS;
}

static int
open_frames(struct pairs *pairs, uint8_t *out, size_t n)
{
    struct duet__opening jobs[STREAMS];
    uint8_t *const outs[STREAMS] = {out, pairs->other};
    for (int i = 0; i < STREAMS; i++)
        jobs[i] = (struct duet__opening){.session = pairs->of[i]->end[DUET_BOTTOM],
                                         .step = {.in = pairs->of[i]->wire,
                                                  .in_size = n + DUET_FRAME_OVERHEAD,
                                                  .out = outs[i],
                                                  .out_size = n}};
    int whole = 0;
    while (whole == 0 && jobs[0].step.in_size > 0)
        whole = step_both(jobs);
    return whole == 1 && jobs[0].step.out_size + jobs[1].step.out_size == 0 ? 0 : -1;
}

static int
carry(void *context, uint8_t *out, const uint8_t *in, size_t n)
{
    struct pairs *pairs = context;
    return seal(pairs, in, n) == 0 ? open_frames(pairs, out, n) : -1;
}

const struct peer peer_duet_two = {
    .name = "duet-two",
    .streams = STREAMS,
    .open = open_pairs,
    .carry = carry,
    .close = close_pairs,
};
