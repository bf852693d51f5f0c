/*
 * Sharing out a large file among streams (see range_plan.h).
 *
 * A range belongs to the stream that has taken it until it is written or given back, so the file
 * stays open as long as a range is taken.
 */
#include "range_plan.h"

#include "file_data.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 200, FAST_MS = 500, SLOW_MS = 1000, LEAST_TAKEN = 2 };

int
range_plan_init(struct range_plan *plan)
{
    memset(plan, 0, sizeof *plan);
    plan->fd = -1;
    for (size_t i = 0; i < TRANSFER_STREAMS_MOST; i++)
        plan->most[i] = LEAST_TAKEN;
    if (pthread_mutex_init(&plan->lock, NULL) != 0)
        return -1;
    return pthread_cond_init(&plan->changed, NULL) == 0 ? 0 : -1;
}

void
range_plan_free(struct range_plan *plan)
{
    pthread_cond_destroy(&plan->changed);
    pthread_mutex_destroy(&plan->lock);
}

void
range_plan_begin(struct range_plan *plan, uint32_t start, int fd, const struct stat *status,
                 uint64_t from)
{
    pthread_mutex_lock(&plan->lock);
    plan->start = start;
    plan->fd = fd;
    plan->from = from;
    plan->size = (uint64_t)status->st_size;
    plan->sparse = file_has_holes(status);
    plan->count = (plan->size - from + TRANSFER_RANGE_SIZE - 1) / TRANSFER_RANGE_SIZE;
    plan->base = plan->moved = 0;
    plan->taken = 0;
    plan->cancelled = plan->error = 0;
    plan->status = DONE_WHOLE;
    memset(plan->window, 0, sizeof plan->window);
    pthread_cond_broadcast(&plan->changed);
    pthread_mutex_unlock(&plan->lock);
}

uint64_t
range_plan_finish(struct range_plan *plan)
{
    pthread_mutex_lock(&plan->lock);
    uint64_t moved = plan->moved;
    plan->fd = -1;
    pthread_mutex_unlock(&plan->lock);
    return moved;
}

/** The first range that no stream has. Returns 1; 0: there is none. The lock is held. */
static int
find_open(const struct range_plan *plan, uint64_t *number)
{
    for (uint64_t n = plan->base; n < plan->count && n < plan->base + TRANSFER_RANGES_AHEAD; n++)
        if (plan->window[n % TRANSFER_RANGES_AHEAD].state == RANGE_OPEN) {
            *number = n;
            return 1;
        }
    return 0;
}

/** How many ranges a stream has taken. The lock is held. */
static unsigned
count_taken(const struct range_plan *plan, unsigned stream)
{
    unsigned count = 0;

    for (size_t i = 0; i < TRANSFER_RANGES_AHEAD; i++)
        count += plan->window[i].state == RANGE_TAKEN && plan->window[i].stream == stream;
    return count;
}

int
range_plan_take(struct range_plan *plan, unsigned stream, struct range *range)
{
    pthread_mutex_lock(&plan->lock);
    int result = plan->ended ? -1 : 0;
    if (plan->fd >= 0 && !plan->ended && !plan->cancelled &&
        count_taken(plan, stream) < plan->most[stream] && find_open(plan, &range->number)) {
        unsigned place = range->number % TRANSFER_RANGES_AHEAD;
        range->start = plan->start;
        range->stream = stream;
        range->at = plan->from + range->number * TRANSFER_RANGE_SIZE;
        range->end = plan->size - range->at > TRANSFER_RANGE_SIZE ? range->at + TRANSFER_RANGE_SIZE
                                                                  : plan->size;
        plan->window[place].state = RANGE_TAKEN;
        plan->window[place].stream = stream;
        plan->window[place].since = duet__os_now_ms();
        plan->window[place].moved = 0;
        plan->taken++;
        result = 1;
    }
    pthread_mutex_unlock(&plan->lock);
    return result;
}

/** Give a range back that was not sent whole. */
static void
give_back(struct range_plan *plan, const struct range *range)
{
    unsigned place = range->number % TRANSFER_RANGES_AHEAD;

    pthread_mutex_lock(&plan->lock);
    if (plan->start == range->start && plan->window[place].state == RANGE_TAKEN &&
        plan->window[place].stream == range->stream) {
        plan->window[place].state = RANGE_OPEN;
        plan->taken--;
    }
    pthread_cond_broadcast(&plan->changed);
    pthread_mutex_unlock(&plan->lock);
}

static int
is_cancelled(struct range_plan *plan)
{
    pthread_mutex_lock(&plan->lock);
    int cancelled = plan->cancelled || plan->ended;
    pthread_mutex_unlock(&plan->lock);
    return cancelled;
}

/** Send the next piece of a range, DATA or HOLE. Returns its size; 0: the file cannot be read,
 * which is noted; -1: the worker has to end. */
static ssize_t
send_piece(struct range_plan *plan, struct carrier *carrier, struct limiter *limiter,
           const struct range *range, uint64_t at)
{
    uint8_t zeros[8];
    uint64_t end;
    uint64_t data = plan->sparse ? file_next_data(plan->fd, range->end, at, &end) : at;

    if (data > at) {
        put_field(zeros, data - at, 8);
        return carrier_put(carrier, TRANSFER_HOLE, zeros, sizeof zeros) == 0 ? (ssize_t)(data - at)
                                                                             : -1;
    }
    if (!plan->sparse)
        end = range->end;
    if (limiter_keep(limiter, carrier) != 0)
        return -1;
    uint8_t *room = carrier_room(carrier);
    if (room == NULL)
        return -1;
    size_t want = end - at < TRANSFER_DATA_MOST ? (size_t)(end - at) : TRANSFER_DATA_MOST;
    ssize_t n;
    do {
        n = pread(plan->fd, room, want, (off_t)at);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        range_plan_cancel(plan, n < 0 ? DONE_FAILED : DONE_CHANGED, n < 0 ? errno : 0);
        return 0;
    }
    carrier_add(carrier, TRANSFER_DATA, (size_t)n);
    limiter_count(limiter, (uint64_t)n);
    plan->window[range->number % TRANSFER_RANGES_AHEAD].moved += (uint32_t)n;
    return n;
}

int
range_plan_send(struct range_plan *plan, struct carrier *carrier, struct limiter *limiter,
                const struct range *range)
{
    uint8_t message[16];
    ssize_t n = 1;

    put_field(message, range->start, 4);
    put_field(message + 4, range->at, 8);
    put_field(message + 12, range->end - range->at, 4);
    if (carrier_put(carrier, TRANSFER_RANGE, message, sizeof message) != 0)
        n = -1;
    for (uint64_t at = range->at; at < range->end && n > 0; at += n > 0 ? (uint64_t)n : 0)
        n = is_cancelled(plan) ? 0 : send_piece(plan, carrier, limiter, range, at);
    if (n <= 0)
        give_back(plan, range);
    carrier_push(carrier);
    return n < 0 ? -1 : 0;
}

/** A stream gets more or fewer ranges at a time after one that took so long. The lock is held. */
static void
adapt_most(struct range_plan *plan, unsigned stream, uint64_t ms)
{
    unsigned *most = &plan->most[stream];

    if (ms < FAST_MS && *most < TRANSFER_RANGES_AHEAD)
        ++*most;
    else if (ms > SLOW_MS && *most > LEAST_TAKEN)
        --*most;
}

/** The size of a range. The lock is held. */
static uint64_t
size_of_range(const struct range_plan *plan, uint64_t number)
{
    uint64_t left = plan->size - plan->from - number * TRANSFER_RANGE_SIZE;

    return left < TRANSFER_RANGE_SIZE ? left : TRANSFER_RANGE_SIZE;
}

int
range_plan_written(struct range_plan *plan, unsigned stream, struct fields *fields, uint64_t *size)
{
    uint32_t start = (uint32_t)field(fields, 4);
    uint64_t offset = field(fields, 8), dropped = field(fields, 1);
    int bad = fields->bad || dropped > 1;

    *size = 0;
    pthread_mutex_lock(&plan->lock);
    uint64_t number = (offset - plan->from) / TRANSFER_RANGE_SIZE;
    unsigned place = number % TRANSFER_RANGES_AHEAD;
    bad = bad || plan->fd < 0 || start != plan->start || offset < plan->from ||
          (offset - plan->from) % TRANSFER_RANGE_SIZE != 0 || number < plan->base ||
          number >= plan->count || number - plan->base >= TRANSFER_RANGES_AHEAD ||
          plan->window[place].state != RANGE_TAKEN || plan->window[place].stream != stream;
    if (!bad) {
        adapt_most(plan, stream, duet__os_now_ms() - plan->window[place].since);
        plan->taken--;
        plan->window[place].state = dropped ? RANGE_OPEN : RANGE_WRITTEN;
        plan->cancelled |= (int)dropped; /* the receiver refuses the file, and says why */
        plan->moved += dropped ? 0 : plan->window[place].moved;
        *size = dropped ? 0 : size_of_range(plan, number);
        for (; plan->base < plan->count &&
               plan->window[plan->base % TRANSFER_RANGES_AHEAD].state == RANGE_WRITTEN;
             plan->base++)
            plan->window[plan->base % TRANSFER_RANGES_AHEAD].state = RANGE_OPEN;
        pthread_cond_broadcast(&plan->changed);
    }
    pthread_mutex_unlock(&plan->lock);
    return bad ? -1 : 0;
}

int
range_plan_waits(struct range_plan *plan, unsigned stream)
{
    pthread_mutex_lock(&plan->lock);
    int waits = plan->fd >= 0 && count_taken(plan, stream) > 0;
    pthread_mutex_unlock(&plan->lock);
    return waits;
}

void
range_plan_lose(struct range_plan *plan, unsigned stream)
{
    pthread_mutex_lock(&plan->lock);
    for (size_t i = 0; i < TRANSFER_RANGES_AHEAD && plan->fd >= 0; i++)
        if (plan->window[i].state == RANGE_TAKEN && plan->window[i].stream == stream) {
            plan->window[i].state = RANGE_OPEN;
            plan->taken--;
        }
    pthread_cond_broadcast(&plan->changed);
    pthread_mutex_unlock(&plan->lock);
}

void
range_plan_cancel(struct range_plan *plan, int status, int error)
{
    pthread_mutex_lock(&plan->lock);
    if (plan->status == DONE_WHOLE) {
        plan->status = status;
        plan->error = error;
    }
    plan->cancelled = 1;
    pthread_cond_broadcast(&plan->changed);
    pthread_mutex_unlock(&plan->lock);
}

int
range_plan_is_over(struct range_plan *plan)
{
    pthread_mutex_lock(&plan->lock);
    int over = plan->base == plan->count || (plan->cancelled && plan->taken == 0);
    pthread_mutex_unlock(&plan->lock);
    return over;
}

void
range_plan_wait(struct range_plan *plan)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += WAIT_MS * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&plan->lock);
    if (!plan->ended)
        (void)pthread_cond_timedwait(&plan->changed, &plan->lock, &end);
    pthread_mutex_unlock(&plan->lock);
}

void
range_plan_end(struct range_plan *plan)
{
    pthread_mutex_lock(&plan->lock);
    plan->ended = 1;
    pthread_cond_broadcast(&plan->changed);
    pthread_mutex_unlock(&plan->lock);
}
