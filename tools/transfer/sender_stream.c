/*
 * A further stream at the sending end: takes ranges of the file under way and sends them (see
 * streams.h, range_plan.h).
 */
#include "sender.h"

#include "log.h"

/** Take one message, if it comes within ms (negative: as long as it takes). Returns 1, 0, or -1:
 * none comes any more, or it makes no sense. */
static int
take_report(struct sender *s, struct stream *stream, int ms)
{
    duet_message message;
    uint64_t size;
    int result = carrier_take(&stream->carrier, &message, ms);

    if (result != 1)
        return result;
    struct fields fields = {message.data, message.size, 0};
    if (message.code != TRANSFER_WRITTEN ||
        range_plan_written(&s->plan, stream->number, &fields, &size) != 0) {
        log_error(EXIT_FAILED, "the peer's message on a further stream makes no sense");
        return -1;
    }
    progress_beside(&s->carrier.progress, size);
    return 1;
}

/** Send the next range, or wait for one. Returns 1 to go on; 0: none follows; -1: the stream ends.
 */
static int
serve_range(struct sender *s, struct stream *stream)
{
    struct range range;
    int got;

    while ((got = take_report(s, stream, 0)) == 1)
        ;
    if (got < 0)
        return -1;
    int taken = range_plan_take(&s->plan, stream->number, &range);
    if (taken == 1)
        return range_plan_send(&s->plan, &stream->carrier, &s->limiter, &range) == 0 ? 1 : -1;
    if (range_plan_waits(&s->plan, stream->number))
        return take_report(s, stream, -1) == 1 ? 1 : -1;
    if (taken < 0)
        return 0;
    range_plan_wait(&s->plan);
    return 1;
}

int
sender_stream_work(void *context)
{
    struct stream *stream = context;
    struct sender *s = stream->all->context;
    duet_message message;
    int going = stream_join(stream) == 0 ? 1 : -1;

    while (going == 1)
        going = serve_range(s, stream);
    if (going < 0)
        return EXIT_FAILED;
    carrier_end(&stream->carrier);
    going = carrier_take(&stream->carrier, &message, -1);
    return going < 0 && !carrier_stopped(&stream->carrier) ? EXIT_DONE : EXIT_FAILED;
}

void
sender_stream_lost(struct stream *stream)
{
    struct sender *s = stream->all->context;

    range_plan_lose(&s->plan, stream->number);
}
