/*
 * Reading ahead (DUET_SET_READ_AHEAD): one read takes from a socket what the kernel holds, and all
 * whole frames that a call takes are opened from there. Many frames, large ones too, cost one
 * system call, and no byte is copied twice (docs/protocol.md §1 "A receiver").
 *
 * What a call did not take waits in the channel until the next: whole frames for which there was no
 * room, or a part of one. A channel without such bytes owns no buffer.
 */
#include "channel/channel.h"

#include <string.h>

/** Keep what is left, if anything is. */
static void
keep_rest(duet_channel *channel, struct duet__peek *peek)
{
    channel->ahead = peek->wire;
    channel->ahead_at = (uint32_t)peek->at;
    channel->ahead_size = (uint32_t)peek->size;
    peek->wire = NULL;
    if (peek->at == peek->size || channel->result != DUET_OK)
        duet__ahead_free(channel);
}

/* What waits goes first. The kernel is asked when that has no whole frame. On failure what waits
 * stays with the channel. */
int
duet__ahead_begin(duet_channel *channel, struct duet__peek *peek)
{
    size_t got = 0;

    *peek = (struct duet__peek){.wire = channel->ahead};
    if (peek->wire != NULL) {
        peek->at = channel->ahead_at;
        peek->size = channel->ahead_size;
    } else {
        peek->wire = duet__buffer_take();
        if (peek->wire == NULL)
            return DUET_E_MEMORY;
    }
    channel->ahead = NULL;
    size_t left = peek->size - peek->at;
    peek->asked = peek->size;
    if (!duet__ahead_is_part(channel, left) || channel->need > DUET__BUFFER_SIZE)
        return DUET_OK; /* something to open, or a frame that is read exactly */
    if (peek->at > 0)
        memmove(peek->wire, peek->wire + peek->at, left);
    peek->at = 0;
    peek->asked = DUET__BUFFER_SIZE;
    struct duet__os_piece piece = {peek->wire + left, peek->asked - left};
    int result = duet__io_read(channel, &piece, 1, &got);
    peek->size = left + got;
    if (result != DUET_OK)
        keep_rest(channel, peek);
    return result;
}

void
duet__ahead_end(duet_channel *channel, struct duet__peek *peek)
{
    if (peek->wire != NULL)
        keep_rest(channel, peek);
}
