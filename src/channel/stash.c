/*
 * The stash: where a frame that time cut in two waits, and one of another code than a call takes.
 *
 * Allocated only for such a frame, and bounded for the whole process, so that slow peers on many
 * channels cannot fill memory together.
 */
#include "channel/channel.h"

#include <duet/secret.h>
#include <stdatomic.h>
#include <stdlib.h>

static _Atomic size_t all; /* octets that the channels of this process hold */

int
duet__stash_make(duet_channel *channel)
{
    size_t size = (size_t)channel->rx_length + 1; /* an empty frame has a stash too */

    if (channel->stash != NULL)
        return 0;
    if (channel->rx_length > DUET__STASH_MOST)
        return -1;
    if (atomic_fetch_add(&all, size) + size <= DUET__STASH_ALL)
        channel->stash = malloc(size);
    if (channel->stash != NULL)
        return 0;
    atomic_fetch_sub(&all, size);
    return -1;
}

void
duet__stash_drop(duet_channel *channel)
{
    if (channel->stash == NULL)
        return;
    duet_wipe(channel->stash, channel->rx_length);
    free(channel->stash);
    channel->stash = NULL;
    atomic_fetch_sub(&all, (size_t)channel->rx_length + 1);
}
