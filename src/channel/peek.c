/*
 * Receiving from a TCP socket by looking first: all whole frames that a call takes are opened from
 * what the kernel holds, and exactly their bytes are removed, so that many small frames cost two
 * system calls and what the application did not ask for stays where it is.
 *
 * A frame that is not whole stays in the kernel too, under a low-water mark so that poll() does not
 * tell of it over and over; what the kernel would not hold, or a call waits for, goes in pieces
 * (recv.c). Frames of LARGE bytes and more are read in one piece each, which costs less than to
 * copy them twice.
 */
#include "channel/channel.h"

enum {
    LARGE = 8 * 1024, /* bytes of payload from which exact reads were measured to win */
    SPARE = 256       /* bytes looked at beyond what the call is known to take */
};

static size_t
least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

int
duet__look_fits(const duet_channel *channel)
{
    return duet__io_looks(channel) && channel->stash == NULL && !channel->rx_closed &&
           (channel->rx_state == DUET__RX_NONE ||
            (channel->rx_state == DUET__RX_BEGUN && channel->rx_done == 0));
}

int
duet__peek_fits(const duet_channel *channel, const struct duet__rx *job)
{
    if (!duet__look_fits(channel))
        return 0;
    if (channel->rx_state == DUET__RX_NONE)
        return channel->last < LARGE;
    return job->polled || channel->rx_length < LARGE;
}

/** How much to look at: what the job can take, if frames go on as small as they may be. */
static size_t
window(const duet_channel *channel, const struct duet__rx *job)
{
    size_t one = (size_t)channel->last + DUET_FRAME_OVERHEAD;
    size_t size = 2 * least_of(job->size - job->got, DUET__LOOK);

    if (job->kind == DUET__RX_MESSAGE)
        size = one;
    if (job->kind == DUET__RX_BATCH)
        size = least_of(size, one * least_of(job->inbox->room - job->inbox->count, DUET__LOOK));
    if (channel->rx_state == DUET__RX_BEGUN && size < channel->need)
        size = channel->need;
    return least_of(size + SPARE, DUET__LOOK);
}

/** Take a header, or a frame of the library's as far as it is here. */
static int
take_control(duet_channel *channel, struct duet__look *look)
{
    struct duet_step step = {.in = look->wire + look->at, .in_size = look->size - look->at};

    int result = duet_session_recv(channel->session, &step);
    look->at += step.used;
    return duet__rx_judge(channel, &step, result);
}

/** The body of the application's frame under way is all here: say where it goes. */
static int
begin_body(duet_channel *channel, struct duet__rx *job, const struct duet__look *look,
           struct duet_step *step)
{
    int result = duet__rx_place(channel, job);

    if (result != DUET_OK)
        return result;
    *step = (struct duet_step){.in = look->wire + look->at, .in_size = channel->need};
    step->out = channel->stash != NULL ? channel->stash : channel->rx_at;
    step->out_size = channel->rx_length;
    return DUET_OK;
}

int
duet__look_next(duet_channel *channel, struct duet__rx *job, struct duet__look *look,
                struct duet_step *step)
{
    step->in = NULL;
    while (look->at < look->size && !duet__rx_complete(job)) {
        if (channel->rx_closed || channel->rx_state == DUET__RX_HELD)
            return DUET_OK;
        if (channel->rx_state == DUET__RX_BEGUN)
            return channel->need > look->size - look->at ? DUET_OK
                                                         : begin_body(channel, job, look, step);
        int result = take_control(channel, look);
        if (result != DUET_OK)
            return result;
    }
    return DUET_OK;
}

int
duet__look_opened(duet_channel *channel, struct duet__rx *job, struct duet__look *look,
                  const struct duet_step *step, int result)
{
    look->at += step->used;
    channel->rx_done = (uint32_t)step->put;
    result = duet__rx_judge(channel, step, result);
    if (result == DUET_OK && channel->stash == NULL)
        duet__rx_deliver(channel, job);
    return result;
}

/** Take all whole frames of what was looked at, and the header behind them. */
static int
take_whole(duet_channel *channel, struct duet__rx *job, struct duet__look *look)
{
    struct duet_step step;

    int result = duet__look_next(channel, job, look, &step);
    while (result == DUET_OK && step.in != NULL) {
        result = duet_session_recv(channel->session, &step);
        result = duet__look_opened(channel, job, look, &step, result);
        if (result == DUET_OK)
            result = duet__look_next(channel, job, look, &step);
    }
    return result;
}

/** The frame under way is not all in the kernel. */
static int
not_whole(duet_channel *channel, struct duet__rx *job)
{
    int result = duet__rx_place(channel, job);

    if (result != DUET_OK)
        return result;
    /* Whoever has something polls again or not; the mark can wait until it comes for nothing. */
    if (duet__rx_had_some(job) && duet__rx_satisfied(job))
        return DUET_AGAIN;
    if (job->polled && !channel->low_water && duet__io_low_water(channel, channel->need) == 0)
        return DUET_AGAIN;
    if (job->polled && channel->low_water && !duet__os_readable(channel->io.rfd))
        return DUET_AGAIN;
    /* More than the kernel holds, or the end of the stream behind it. */
    return duet__rx_pieces(channel, job);
}

/** Look; waiting there is for calls that have not what they wait for. */
static int
look_at(duet_channel *channel, const struct duet__rx *job, uint8_t *at, size_t size, size_t *got)
{
    if (duet__rx_satisfied(job))
        channel->patient = 0;
    return duet__io_look(channel, at, size, got);
}

/** A polled call and a large frame: it is read once it is whole. */
static int
count_step(duet_channel *channel, struct duet__rx *job)
{
    size_t there;

    int result = look_at(channel, job, NULL, channel->need, &there);
    if (result != DUET_OK)
        return result;
    if (there < channel->need)
        return not_whole(channel, job);
    result = duet__rx_place(channel, job);
    return result == DUET_OK ? duet__rx_pieces(channel, job) : result;
}

int
duet__look_begin(duet_channel *channel, const struct duet__rx *job, struct duet__look *look)
{
    look->at = 0;
    look->asked = window(channel, job);
    return look_at(channel, job, look->wire, look->asked, &look->size);
}

int
duet__look_end(duet_channel *channel, const struct duet__look *look)
{
    if (channel->result != DUET_OK)
        return channel->result;
    if (look->at == 0)
        return DUET_OK;
    duet__io_no_low_water(channel);
    return duet__io_drop(channel, look->at);
}

int
duet__peek_step(duet_channel *channel, struct duet__rx *job)
{
    struct duet__look look;

    if (channel->rx_closed)
        return DUET_CLOSED;
    if (channel->rx_state == DUET__RX_BEGUN && channel->rx_length >= LARGE)
        return count_step(channel, job);
    int result = duet__look_begin(channel, job, &look);
    if (result != DUET_OK)
        return result;
    result = take_whole(channel, job, &look);
    int dropped = duet__look_end(channel, &look);
    if (dropped != DUET_OK)
        return dropped;
    if (result != DUET_OK || look.size == look.asked || duet__rx_complete(job))
        return result;
    /* All that the kernel held was seen. */
    if (channel->rx_state == DUET__RX_BEGUN)
        return not_whole(channel, job);
    channel->dry = 1;
    return DUET_OK;
}
