/*
 * The memory of partial frames: payload that a call has read and cannot deliver, because a deadline
 * cut the frame in two or the frame is not for that call (reassembly, docs/protocol.md §1).
 *
 * Each channel holds one at most. It grows with what has come, not with the LENGTH of a header that
 * nobody has verified, and depends on no other channel: half a frame costs its own bytes, and no
 * peer uses up what others need.
 */
#include "channel/channel.h"

#include "base/bytes.h"

#include <duet/secret.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 4096 }; /* bytes of the first block, where the frame is that long */

int
duet__partial_reserve(duet_channel *channel, size_t size)
{
    size_t whole = channel->rx_length > 0 ? channel->rx_length : 1;

    if (channel->partial != NULL && size <= channel->partial_size)
        return DUET_OK;
    /* Doubled, so that a frame that comes in many pieces is copied once more at most. */
    size_t grown = 2 * (size_t)channel->partial_size;
    grown = duet__min(size > grown ? size : grown, whole);
    if (grown < FIRST)
        grown = duet__min(FIRST, whole);
    uint8_t *bytes = malloc(grown);
    if (bytes == NULL)
        return DUET_E_MEMORY;
    /* Moved by hand: realloc() would leave payload behind. */
    if (channel->partial != NULL) {
        memcpy(bytes, channel->partial, channel->rx_done);
        duet_wipe(channel->partial, channel->rx_done);
        free(channel->partial);
    }
    channel->partial = bytes;
    channel->partial_size = (uint32_t)grown;
    return DUET_OK;
}

void
duet__partial_free(duet_channel *channel)
{
    if (channel->partial == NULL)
        return;
    duet_wipe(channel->partial, channel->partial_size);
    free(channel->partial);
    channel->partial = NULL;
    channel->partial_size = 0;
}
