/*
 * The block in which duet_channel_recv_all() gathers a message (docs/protocol.md §1 "MORE").
 *
 * It grows with what has come. The next receiving call wipes and frees a block that is `done`, and
 * goes on with one that is not.
 */
#include "channel/gather.h"

#include "channel/channel.h"

#include <duet/secret.h>
#include <stdlib.h>
#include <string.h>

void
duet__gather_free(duet_channel *channel)
{
    struct duet__gather *gather = channel->gather;

    if (gather == NULL)
        return;
    if (gather->bytes != NULL)
        duet_wipe(gather->bytes, gather->room);
    free(gather->bytes);
    free(gather);
    channel->gather = NULL;
}

void
duet__gather_end(duet_channel *channel)
{
    if (channel->gather != NULL && channel->gather->done)
        duet__gather_free(channel);
}

int
duet__gather_waits(const duet_channel *channel, int full)
{
    const struct duet__gather *gather = channel->gather;

    return gather != NULL && !gather->done && gather->at < gather->size && (gather->full || !full);
}

/** Let the block have room for size bytes. Returns DUET_OK; DUET_E_MEMORY: nothing changed. */
static int
gather_reserve(struct duet__gather *gather, size_t used, size_t size, size_t most)
{
    size_t grown = gather->room <= most / 2 ? 2 * gather->room : most;

    if (grown < size)
        grown = size;
    uint8_t *bytes = malloc(grown > 0 ? grown : 1);
    if (bytes == NULL)
        return DUET_E_MEMORY;
    if (gather->bytes != NULL) { /* moved by hand: realloc() would leave payload behind */
        memcpy(bytes, gather->bytes, used);
        duet_wipe(gather->bytes, gather->room);
        free(gather->bytes);
    }
    gather->bytes = bytes;
    gather->room = grown;
    return DUET_OK;
}

int
duet__gather_place(duet_channel *channel, struct duet__rx *job)
{
    size_t n = channel->rx_length - channel->rx_taken;

    if (n > job->most - job->got)
        return duet__recv_had_some(job) ? DUET__RECV_STOP : DUET_E_ROOM;
    /* Nothing is allocated for a great LENGTH that is not verified. */
    if (channel->recv_phase == DUET__RECV_BEGUN && n > DUET__PARTIAL_MOST)
        return duet__partial_reserve(channel, 0);
    int result = gather_reserve(channel->gather, job->got, job->got + n, job->most);
    job->buffer = channel->gather->bytes;
    job->size = channel->gather->room;
    return result;
}
