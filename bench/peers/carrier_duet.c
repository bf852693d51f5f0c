/*
 * duet as a carrier: a channel on the socket, its stream in frames of one size or another.
 */
#include "bench/peers/carrier.h"
#include "bench/peers/duet.h"

#include <stdlib.h>

struct end {
    duet_config *config;
    duet_replay *replay;
    duet_channel *channel;
};

/* Octets of payload in a frame. */
static const uint64_t frame_default = 16384, frame_large = 65536, frame_small = 64;

static void
close_end(void *context)
{
    struct end *end = context;
    duet_channel_free(end->channel);
    duet_replay_free(end->replay);
    duet_config_free(end->config);
    free(end);
}

static void *
open_end(const struct carrier *carrier, int fd, int far)
{
    const uint64_t *frame = carrier->variety;
    struct end *end = calloc(1, sizeof *end);
    if (end == NULL)
        return NULL;
    end->config = bench_duet_new_config(DUET_PATTERN_EPHEMERAL);
    end->replay = duet_replay_new(1);
    if (end->config != NULL && end->replay != NULL &&
        duet_config_set(end->config, DUET_SET_FRAME_SIZE, *frame) == DUET_OK &&
        duet_channel_open(&end->channel, end->config, end->replay, far ? DUET_BOTTOM : DUET_TOP, fd,
                          fd) == DUET_OK &&
        duet_handshake(end->channel, CARRIER_TIMEOUT_MS) == DUET_OK)
        return end;
    close_end(end);
    return NULL;
}

static int
send_all(void *context, const uint8_t *data, size_t size, size_t count)
{
    struct end *end = context;
    size_t sent;
    return duet_send(end->channel, data, size * count, &sent, CARRIER_TIMEOUT_MS) == DUET_OK ? 0
                                                                                             : -1;
}

static int
receive(void *context, uint8_t *buffer, size_t size, size_t least, size_t *got)
{
    struct end *end = context;
    int result = duet_recv(end->channel, buffer, size, got, least, CARRIER_TIMEOUT_MS);
    return result == DUET_OK ? 0 : -1;
}

#define CARRIER(named, frame)                                                                      \
    {                                                                                              \
        .name = (named), .variety = &(frame), .open = open_end, .send = send_all, .recv = receive, \
        .close = close_end                                                                         \
    }

const struct carrier carrier_duet = CARRIER("duet", frame_default);
const struct carrier carrier_duet_large = CARRIER("duet-64k", frame_large);
const struct carrier carrier_duet_small = CARRIER("duet", frame_small);
