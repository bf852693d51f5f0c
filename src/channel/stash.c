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

static _Atomic size_t all; /* bytes that the channels of this process hold */

/** Have a stash for the frame under way. Returns 0, or -1: no memory, or the bound is reached. */
static int
make(duet_channel *channel)
{
    size_t size = (size_t)channel->rx_length + 1; /* an empty frame has a stash too */

    if (channel->stash != NULL)
        return 0;
    if (atomic_fetch_add(&all, size) + size <= DUET__STASH_ALL)
        channel->stash = malloc(size);
    if (channel->stash != NULL)
        return 0;
    atomic_fetch_sub(&all, size);
    return -1;
}

/* Left where it lies, the frame would be at the mercy of whoever has that buffer meanwhile. */
int
duet__stash_for(duet_channel *channel)
{
    if (make(channel) == 0)
        return DUET_OK;
    return duet__channel_die(channel, DUET_E_MEMORY,
                             "no memory to set a frame aside that came in parts", 0);
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
