/*
 * duet_channel_recv_all(): a message of any size in memory of the channel's (docs/protocol.md §1
 * "MORE").
 *
 * The message is gathered frame by frame, in a block that grows with it. When time runs out, or the
 * next frame would be beyond `most`, the block waits: the next duet_channel_recv_all() goes on, and
 * the calls for messages hand it out in parts. A message that was returned, or what was verified of
 * one when the channel ended, is `done`: the next receiving call wipes and frees it.
 */
#include "base/bytes.h"
#include "channel/channel.h"
#include "channel/gather.h"

#include <stdlib.h>
#include <string.h>

int
duet__gather_take(duet_channel *channel, void *buffer, size_t size, size_t *got)
{
    struct duet__gather *gather = channel->gather;

    if (!duet__channel_usable(channel))
        return channel->result;
    if (size == 0)
        return DUET_E_ROOM;
    *got = duet__min(size, gather->size - gather->at);
    memcpy(buffer, gather->bytes + gather->at, *got);
    gather->at += *got;
    if (gather->at == gather->size)
        duet__gather_free(channel);
    return DUET_OK;
}

/** The block that waits, without what was handed out; else a new one; NULL: no memory. */
static struct duet__gather *
gather_begin(duet_channel *channel)
{
    struct duet__gather *gather = channel->gather;

    if (gather == NULL) {
        channel->gather = calloc(1, sizeof *gather);
        return channel->gather;
    }
    if (gather->at > 0) {
        gather->size -= gather->at;
        memmove(gather->bytes, gather->bytes + gather->at, gather->size);
        gather->at = 0;
    }
    return gather;
}

/** 1 when a result ends a channel. */
static int
is_end(int result)
{
    const duet_result_info *info = duet_explain(result);

    return info == NULL || info->kind == DUET_CLASS_FATAL || info->kind == DUET_CLASS_THEIRS;
}

int
duet_channel_recv_all(duet_channel *channel, uint32_t *code, const void **data, size_t *size,
                      size_t most, int timeout_ms)
{
    static const uint8_t nothing[1];
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct duet__rx job = {.kind = DUET__RX_MESSAGE, .most = most, .code = DUET_CODE_MORE};
    int result = DUET_E_ROOM;

    *code = DUET_CODE_MORE;
    *data = nothing;
    *size = 0;
    duet__gather_end(channel);
    if (!duet__channel_usable(channel))
        return channel->result;
    struct duet__gather *gather = gather_begin(channel);
    if (gather == NULL)
        return DUET_E_MEMORY;
    job.gather = 1;
    job.buffer = gather->bytes;
    job.size = gather->room;
    job.got = gather->size;
    if (job.got <= most)
        result = duet__call_recv(channel, &job, &deadline);
    if (result == DUET_OK && !job.whole)
        result = DUET_E_ROOM;
    gather->size = job.got;
    gather->full = result == DUET_E_ROOM;
    gather->done = result == DUET_OK || is_end(result);
    if (result == DUET_OK)
        *code = job.code;
    if (gather->size > 0) {
        *data = gather->bytes;
        *size = gather->size;
    } else {
        duet__gather_free(channel);
    }
    return result;
}
