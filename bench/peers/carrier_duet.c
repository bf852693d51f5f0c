/*
 * duet as a carrier: a channel on the socket, its stream in frames of one size or another.
 */
#include "bench/peers/carrier.h"
#include "bench/peers/duet.h"

#include <stdlib.h>

enum { MESSAGES = 4096 }; /* of one call */
enum { FOR_EVER = -1 };   /* blocking calls, as the other carriers make */

struct end {
    duet_config *config;
    duet_replay *replay;
    duet_channel *channel;
    duet_message messages[MESSAGES];
};

/* Bytes of payload in a frame. */
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
    end->config = bench_duet_new_config(&bench_duet_ephemeral);
    end->replay = duet_replay_new(1);
    if (end->config != NULL && end->replay != NULL &&
        duet_config_set(end->config, DUET_SET_FRAME_SIZE, *frame) == DUET_OK &&
        duet_channel_open(&end->channel, end->config, end->replay, far ? DUET_BOTTOM : DUET_TOP, fd,
                          fd) == DUET_OK &&
        duet_channel_handshake(end->channel, FOR_EVER) == DUET_OK)
        return end;
    close_end(end);
    return NULL;
}

/* ---- The stream ---- */

static int
send_stream(void *context, const uint8_t *data, size_t size, size_t count)
{
    struct end *end = context;
    size_t sent;
    return duet_channel_send(end->channel, data, size * count, &sent, FOR_EVER) == DUET_OK ? 0 : -1;
}

static int
receive_stream(void *context, uint8_t *buffer, size_t size, size_t least, size_t *got)
{
    struct end *end = context;
    int result = duet_channel_recv(end->channel, buffer, size, got, least, FOR_EVER);
    return result == DUET_OK ? 0 : -1;
}

/* ---- Messages ---- */

static int
send_messages(void *context, const uint8_t *data, size_t size, size_t count)
{
    struct end *end = context;
    size_t sent;
    if (count > MESSAGES)
        return -1;
    for (size_t i = 0; i < count; i++)
        end->messages[i] = (duet_message){.data = data + i * size, .size = size, .code = 1};
    return duet_channel_send_messages(end->channel, end->messages, count, &sent, FOR_EVER) ==
                   DUET_OK
               ? 0
               : -1;
}

static int
receive_messages(void *context, uint8_t *buffer, size_t size, size_t least, size_t *got)
{
    struct end *end = context;
    for (*got = 0; *got < least;) {
        duet_inbox inbox = {.buffer = buffer + *got,
                            .size = size - *got,
                            .messages = end->messages,
                            .room = MESSAGES};
        if (duet_channel_recv_messages(end->channel, &inbox, FOR_EVER) != DUET_OK)
            return -1;
        for (size_t i = 0; i < inbox.count; i++)
            *got += inbox.messages[i].size;
    }
    return 0;
}

#define CARRIER(named, frame, way)                                                                 \
    {                                                                                              \
        .name = (named), .variety = &(frame), .open = open_end, .send = send_##way,                \
        .recv = receive_##way, .close = close_end                                                  \
    }

const struct carrier carrier_duet = CARRIER("duet", frame_default, stream);
const struct carrier carrier_duet_large = CARRIER("duet-64k", frame_large, stream);
const struct carrier carrier_duet_small = CARRIER("duet-stream", frame_small, stream);
const struct carrier carrier_duet_messages = CARRIER("duet", frame_default, messages);
