/*
 * Ranges at the receiving end, on the first stream and on further ones (see streams.h,
 * range_map.h).
 */
#include "receiver.h"

#include "log.h"

#include <errno.h>
#include <string.h>

/* ---- On the first stream ---- */

int
receiver_answer_begin(struct receiver *r, struct fields *fields, int offered)
{
    uint8_t begin[5] = {0};
    uint64_t count = offered ? field(fields, 1) : 1;

    if (fields->bad || count == 0 || (offered && fields->left < TRANSFER_TOKEN))
        return -1;
    if (count > r->most_streams)
        count = r->most_streams;
    if (r->store.stream || r->store.dry)
        count = 1;
    if (count > 1)
        memcpy(r->streams.token, fields->at, TRANSFER_TOKEN);
    put_field(begin, TRANSFER_VERSION, 2);
    put_field(begin + 2, offered ? BEGIN_STREAMS : 0, 2);
    begin[4] = (uint8_t)count;
    r->stopped |= carrier_put(&r->carrier, TRANSFER_BEGIN, begin, offered ? 5 : 4) != 0;
    streams_start(&r->streams, (unsigned)count);
    return 0;
}

int
receiver_range(struct receiver *r, struct fields *fields)
{
    progress_beside(&r->carrier.progress, range_in_progress(&r->range, 1));
    return r->current != NULL && r->streams.count > 1
               ? range_in_begin(&r->map, &r->range, fields, &r->carrier, 0)
               : -1;
}

int
receiver_range_content(struct receiver *r, const uint8_t *bytes, uint64_t size)
{
    int result = range_in_add(&r->map, &r->range, bytes, size);

    if (result >= 0)
        progress_beside(&r->carrier.progress, range_in_progress(&r->range, 0));
    if (result == 1)
        r->stopped |= range_in_report(&r->range, &r->carrier) != 0;
    return result < 0 ? -1 : 0;
}

int
receiver_end_ranges(struct receiver *r, struct store_item *item)
{
    int used = range_map_is_used(&r->map);

    if (range_map_close(&r->map) == 0 && used) {
        item->at = item->size;
        item->moved += r->map.moved;
    } else if (used && errno != 0) {
        return store_fail(&r->store, item);
    }
    return 0;
}

/* ---- On a further one ---- */

/** One message. Returns 0, or -1: it makes no sense, or the worker has to end. */
static int
take_content(struct receiver *r, struct stream *stream, struct range_in *in,
             const duet_message *message)
{
    struct fields fields = {message->data, message->size, 0};
    int result = -1;

    if (message->code == TRANSFER_RANGE)
        progress_beside(&r->carrier.progress, range_in_progress(in, 1));
    if (message->code == TRANSFER_RANGE)
        return range_in_begin(&r->map, in, &fields, &stream->carrier, 1);
    if (message->code == TRANSFER_DATA)
        result = range_in_add(&r->map, in, message->data, message->size);
    else if (message->code == TRANSFER_HOLE)
        result = range_in_add(&r->map, in, NULL, field(&fields, 8));
    if (result >= 0)
        progress_beside(&r->carrier.progress, range_in_progress(in, 0));
    return result == 1 ? range_in_report(in, &stream->carrier) : result;
}

/** Take ranges until the stream ends. Returns an exit code. */
static int
take_ranges(struct receiver *r, struct stream *stream, struct range_in *in)
{
    duet_message message;

    while (carrier_take(&stream->carrier, &message, -1) == 1)
        if (take_content(r, stream, in, &message) != 0) {
            if (!carrier_stopped(&stream->carrier))
                log_error(EXIT_FAILED, "the peer's message on a further stream makes no sense");
            return EXIT_FAILED;
        }
    if (carrier_stopped(&stream->carrier))
        return EXIT_FAILED;
    carrier_end(&stream->carrier);
    return EXIT_DONE;
}

int
receiver_stream_work(void *context)
{
    struct stream *stream = context;
    struct receiver *r = stream->all->context;
    struct range_in in = {0};

    if (stream_join(stream) != 0)
        return EXIT_FAILED;
    int code = take_ranges(r, stream, &in);
    progress_beside(&r->carrier.progress, range_in_progress(&in, 1));
    return code;
}

/* ---- Both ---- */

int
receiver_init(struct receiver *r)
{
    for (size_t i = 0; i < RECEIVER_WINDOW; i++)
        r->items[i].fd = -1;
    return range_map_init(&r->map) == 0 &&
                   streams_init(&r->streams, &r->carrier, receiver_stream_work, r) == 0
               ? 0
               : -1;
}
