/*
 * duet's channels as a peer, as a program uses them, on streams in memory.
 *
 * Compared with sessions (duet.c) this adds the system's randomness, the replay cache and the
 * channel's own state.
 */
#include "bench/peers/duet.h"
#include "bench/peers/peer.h"

#include <stdlib.h>
#include <string.h>

enum { WIRE = 4096 }; /* bytes; the handshake's flights are smaller */

struct wire {
    size_t begin, end;
    uint8_t bytes[WIRE];
};

struct end {
    duet_channel *channel;
    struct wire *to, *from;
};

struct pair {
    struct end end[BENCH_DUET_ENDS]; /* [DUET_TOP] is the near one */
    struct wire *wires;
};

/* ---- The stream ---- */

static int
read_wire(void *context, uint8_t *buffer, size_t size, size_t *got)
{
    struct wire *wire = ((struct end *)context)->from;
    size_t n = wire->end - wire->begin;
    *got = n < size ? n : size;
    if (n == 0)
        return DUET_AGAIN;
    memcpy(buffer, wire->bytes + wire->begin, *got);
    wire->begin += *got;
    if (wire->begin == wire->end)
        wire->begin = wire->end = 0;
    return DUET_OK;
}

static int
write_wire(void *context, const uint8_t *buffer, size_t size, size_t *put)
{
    struct wire *wire = ((struct end *)context)->to;
    size_t room = WIRE - wire->end;
    *put = size < room ? size : room;
    if (*put == 0)
        return DUET_AGAIN;
    memcpy(wire->bytes + wire->end, buffer, *put);
    wire->end += *put;
    return DUET_OK;
}

static int
never_wait(void *context, unsigned want, int timeout_ms)
{
    (void)context;
    (void)want;
    (void)timeout_ms;
    return DUET_E_IO;
}

/* ---- A pair ---- */

static duet_replay *
replay_memory(void)
{
    static duet_replay *replay;
    if (replay == NULL)
        replay = duet_replay_new(DUET_REPLAY_DEFAULT);
    return replay;
}

static int
open_end(struct pair *pair, enum duet_role role)
{
    struct end *end = &pair->end[role];
    duet_config *config = bench_duet_config(&bench_duet_ephemeral, role);
    /* Only BOTTOM has a replay cache: if both shared one, the peer would look like an echo. */
    duet_replay *replay = role == DUET_BOTTOM ? replay_memory() : NULL;
    duet_stream stream = {
        .context = end, .read = read_wire, .write = write_wire, .wait = never_wait};
    end->to = &pair->wires[role];
    end->from = &pair->wires[!role];
    if (config == NULL || (role == DUET_BOTTOM && replay == NULL))
        return -1;
    return duet_channel_open_stream(&end->channel, config, replay, role, &stream) == DUET_OK ? 0
                                                                                             : -1;
}

static int
handshake(struct pair *pair, struct peer_wire *wire)
{
    int done[BENCH_DUET_ENDS] = {0};
    for (int from = DUET_TOP; !done[DUET_TOP] || !done[DUET_BOTTOM]; from = !from) {
        struct end *end = &pair->end[from];
        int result = duet_channel_handshake(end->channel, 0);
        if (result != DUET_OK && result != DUET_AGAIN)
            return -1;
        done[from] = result == DUET_OK;
        peer_flight(wire, end->to->end - end->to->begin);
    }
    return 0;
}

static void
close_pair(void *context)
{
    struct pair *pair = context;
    duet_channel_free(pair->end[DUET_TOP].channel);
    duet_channel_free(pair->end[DUET_BOTTOM].channel);
    free(pair->wires);
    free(pair);
}

static void *
open_pair(const struct peer *peer, struct peer_wire *wire)
{
    struct pair *pair = calloc(1, sizeof *pair);
    (void)peer;
    if (pair == NULL)
        return NULL;
    pair->wires = calloc(BENCH_DUET_ENDS, sizeof *pair->wires);
    if (pair->wires != NULL && open_end(pair, DUET_TOP) == 0 && open_end(pair, DUET_BOTTOM) == 0 &&
        handshake(pair, wire) == 0)
        return pair;
    close_pair(pair);
    return NULL;
}

static void
drop_far(void *context)
{
    struct pair *pair = context;
    duet_channel_free(pair->end[DUET_BOTTOM].channel);
    pair->end[DUET_BOTTOM].channel = NULL;
    free(pair->wires);
    pair->wires = NULL;
}

const struct peer peer_duet_channel = {
    .name = "duet-channel",
    .open = open_pair,
    .drop_far = drop_far,
    .close = close_pair,
};
