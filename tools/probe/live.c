/*
 * Sessions by the key, as TOP: a first flight to cut and change, and a session whose frame is
 * changed on its way once both parties have proven themselves.
 *
 * The channel writes to a stream of ours, which passes bytes on to the socket or keeps them.
 */
#include "os/os.h"
#include "probe.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT_MOST = 65536, PAYLOAD = 3000, FRAMES_AFTER = 2 };

struct live {
    duet_channel *channel;
    int fd; /* -1: what is written is kept, and nothing comes */
    int keeps;
    size_t kept;
    uint8_t bytes[KEPT_MOST]; /* what is kept */
};

/** What is flipped at which byte of the frame; CHECKSUM is the XOR of LENGTH, CODE and SEQ. */
static const struct bend {
    const char *name;
    struct {
        int at; /* negative: from the end */
        uint8_t bits;
    } flips[2];
} bends[] = {
    {"live: CODE", {{7, 2}, {15, 2}}},
    {"live: SEQ", {{11, 1}, {15, 1}}},
    {"live: CHECKSUM", {{15, 1}, {15, 0}}},
    {"live: payload", {{1000, 1}, {1000, 0}}},
    {"live: MAC", {{-1, 1}, {-1, 0}}},
    {"live: LENGTH by 1 KiB", {{2, 4}, {14, 4}}},
    {"live: LENGTH by 512 KiB", {{1, 8}, {13, 8}}},
};
enum { BENDS = sizeof bends / sizeof bends[0] };

const char *
live_bend_name(unsigned argument)
{
    return argument < BENDS ? bends[argument].name : NULL;
}

/* ---- The stream ---- */

static int
live_read(void *context, uint8_t *buffer, size_t size, size_t *got)
{
    struct live *live = context;
    struct duet__os_piece piece = {buffer, size};

    *got = 0;
    if (live->fd < 0)
        return DUET_AGAIN;
    int result = duet__os_read(live->fd, DUET__OS_SOCKET, &piece, 1, got);
    return result == DUET_E_TRUNCATED ? DUET_CLOSED : result;
}

static int
live_write(void *context, const uint8_t *buffer, size_t size, size_t *put)
{
    struct live *live = context;

    *put = 0;
    if (live->fd >= 0 && !live->keeps)
        return duet__os_write(live->fd, DUET__OS_SOCKET, buffer, size, put);
    size_t room = sizeof live->bytes - live->kept;
    *put = size < room ? size : room;
    memcpy(live->bytes + live->kept, buffer, *put);
    live->kept += *put;
    return *put > 0 ? DUET_OK : DUET_AGAIN;
}

static int
live_wait(void *context, unsigned want, int timeout_ms)
{
    (void)context;
    (void)want;
    (void)timeout_ms; /* no call here waits */
    return DUET_OK;
}

/* ---- Sessions ---- */

struct live *
live_new(const duet_config *config, int fd)
{
    struct live *live = calloc(1, sizeof *live);

    if (live == NULL)
        return NULL;
    live->fd = fd;
    duet_stream stream = {live, live_read, live_write, live_wait};
    if (duet_channel_open_stream(&live->channel, config, NULL, DUET_TOP, &stream) == DUET_OK)
        return live;
    free(live);
    return NULL;
}

void
live_free(struct live *live)
{
    if (live == NULL)
        return;
    duet_channel_free(live->channel);
    free(live);
}

int
live_step(struct live *live)
{
    int result = duet_channel_handshake(live->channel, 0);

    return result == DUET_OK ? duet_channel_flush(live->channel, 0) : result;
}

static uint8_t *
copy_kept(const struct live *live, size_t *size)
{
    uint8_t *bytes = malloc(live->kept + 1);

    if (bytes != NULL)
        memcpy(bytes, live->bytes, live->kept);
    *size = live->kept;
    return bytes;
}

uint8_t *
live_flight(const duet_config *config, size_t *size)
{
    struct live *live = live_new(config, -1);
    uint8_t *bytes = NULL;

    if (live == NULL)
        return NULL;
    if (live_step(live) == DUET_AGAIN && live->kept > 1)
        bytes = copy_kept(live, size);
    live_free(live);
    return bytes;
}

uint8_t *
live_bend(struct live *live, unsigned argument, size_t *size)
{
    const struct bend *bend = &bends[argument];
    uint8_t payload[PAYLOAD];
    size_t sent, frame = 0;

    live->keeps = 1;
    for (unsigned i = 0; i <= FRAMES_AFTER; i++) {
        if (duet__os_random(payload, sizeof payload) != 0 ||
            duet_channel_send(live->channel, payload, sizeof payload, &sent, 0) != DUET_OK)
            return NULL;
        if (i == 0)
            frame = live->kept;
    }
    for (unsigned i = 0; i < 2 && frame > PAYLOAD; i++) {
        int at = bend->flips[i].at;
        live->bytes[at < 0 ? frame - (size_t)-at : (size_t)at] ^= bend->flips[i].bits;
    }
    return copy_kept(live, size);
}
