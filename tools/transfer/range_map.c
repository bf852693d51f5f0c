/*
 * Which ranges of a file are written (see range_map.h).
 *
 * A range counts when all of it has come on one stream. One that a lost stream has begun comes
 * again on another, with the same content.
 */
#include "range_map.h"

#include "os/os.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 200 };

int
range_map_init(struct range_map *map)
{
    memset(map, 0, sizeof *map);
    map->fd = -1;
    if (pthread_mutex_init(&map->lock, NULL) != 0)
        return -1;
    return pthread_cond_init(&map->changed, NULL) == 0 ? 0 : -1;
}

void
range_map_free(struct range_map *map)
{
    pthread_cond_destroy(&map->changed);
    pthread_mutex_destroy(&map->lock);
}

void
range_map_open(struct range_map *map, uint32_t start, int fd, uint64_t from, uint64_t size)
{
    pthread_mutex_lock(&map->lock);
    map->state = fd >= 0 ? MAP_OPEN : MAP_CLOSED;
    map->start = start;
    map->fd = fd;
    map->from = from;
    map->size = size;
    map->count = (size - from + TRANSFER_RANGE_SIZE - 1) / TRANSFER_RANGE_SIZE;
    map->base = map->bits = map->moved = 0;
    map->used = map->error = 0;
    pthread_cond_broadcast(&map->changed);
    pthread_mutex_unlock(&map->lock);
}

int
range_map_close(struct range_map *map)
{
    pthread_mutex_lock(&map->lock);
    if (map->state == MAP_OPEN)
        map->state = MAP_CLOSED;
    while (map->writers > 0)
        pthread_cond_wait(&map->changed, &map->lock);
    map->fd = -1;
    int whole = map->error == 0 && map->base == map->count;
    errno = map->error;
    pthread_mutex_unlock(&map->lock);
    return whole ? 0 : -1;
}

int
range_map_is_used(struct range_map *map)
{
    pthread_mutex_lock(&map->lock);
    int used = map->used;
    pthread_mutex_unlock(&map->lock);
    return used;
}

/* ---- One range ---- */

/** 1 when a START comes after another. They are counted round. */
static int
is_later(uint32_t start, uint32_t other)
{
    return start - other - 1 < UINT32_MAX / 2;
}

/** Wait until a file is started. Returns 0, or -1: the worker has to end. The lock is held. */
static int
wait_for_start(struct range_map *map, uint32_t start, struct carrier *carrier)
{
    while (map->state == MAP_EMPTY || is_later(start, map->start)) {
        struct timespec end;
        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_nsec += WAIT_MS * 1000000L;
        if (end.tv_nsec >= 1000000000L) {
            end.tv_sec++;
            end.tv_nsec -= 1000000000L;
        }
        (void)pthread_cond_timedwait(&map->changed, &map->lock, &end);
        if (carrier_stopped(carrier))
            return -1;
    }
    return 0;
}

/** 1 when a range is one that the sender may send now. The lock is held. */
static int
is_in_window(const struct range_map *map, uint64_t offset, uint64_t size)
{
    if (offset < map->from || offset >= map->size ||
        (offset - map->from) % TRANSFER_RANGE_SIZE != 0)
        return 0;
    uint64_t left = map->size - offset;
    uint64_t number = (offset - map->from) / TRANSFER_RANGE_SIZE;
    return size == (left < TRANSFER_RANGE_SIZE ? left : TRANSFER_RANGE_SIZE) &&
           (number < map->base || number - map->base < TRANSFER_RANGES_AHEAD);
}

int
range_in_begin(struct range_map *map, struct range_in *in, struct fields *fields,
               struct carrier *carrier, int waits)
{
    uint32_t start = (uint32_t)field(fields, 4);
    uint64_t offset = field(fields, 8), size = field(fields, 4);
    int bad = fields->bad || size == 0 || size > TRANSFER_RANGE_SIZE;

    in->active = 0;
    pthread_mutex_lock(&map->lock);
    if (!bad && waits)
        bad = wait_for_start(map, start, carrier) != 0;
    /* One of a file before comes late, on a stream that the sender has given up. */
    int open = map->state == MAP_OPEN && start == map->start;
    bad = bad || map->state == MAP_EMPTY || is_later(start, map->start) ||
          (open && !is_in_window(map, offset, size));
    map->used |= !bad && open;
    pthread_mutex_unlock(&map->lock);
    if (bad)
        return -1;
    *in = (struct range_in){.active = 1,
                            .start = start,
                            .from = offset,
                            .at = offset,
                            .end = offset + size,
                            .dropped = !open};
    return 0;
}

/** Write bytes where they belong. Returns 0, or errno. */
static int
write_at(int fd, const uint8_t *bytes, size_t size, uint64_t at)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, bytes, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes += n;
        size -= (size_t)n;
        at += (uint64_t)n;
    }
    return 0;
}

/** Begin to write to a range's file. Returns its descriptor; -1: it is not written any more. */
static int
writer_enter(struct range_map *map, const struct range_in *in)
{
    pthread_mutex_lock(&map->lock);
    int open = map->state == MAP_OPEN && map->start == in->start && map->error == 0;
    map->writers += (unsigned)open;
    int fd = open ? map->fd : -1;
    pthread_mutex_unlock(&map->lock);
    return fd;
}

static void
writer_leave(struct range_map *map, int error)
{
    pthread_mutex_lock(&map->lock);
    map->writers--;
    if (map->error == 0)
        map->error = error;
    pthread_cond_broadcast(&map->changed);
    pthread_mutex_unlock(&map->lock);
}

/** All of a range has come: mark it. */
static void
mark_written(struct range_map *map, struct range_in *in)
{
    pthread_mutex_lock(&map->lock);
    if (in->dropped || map->state != MAP_OPEN || map->start != in->start || map->error != 0) {
        in->dropped = 1;
    } else {
        uint64_t number = (in->from - map->from) / TRANSFER_RANGE_SIZE;
        uint64_t bit = number >= map->base ? UINT64_C(1) << (number - map->base) : 0;
        if ((map->bits & bit) != 0)
            bit = 0;
        in->again = bit == 0;
        map->moved += bit != 0 ? in->moved : 0;
        map->bits |= bit;
        for (; (map->bits & 1) != 0; map->base++)
            map->bits >>= 1;
    }
    pthread_mutex_unlock(&map->lock);
}

int
range_in_add(struct range_map *map, struct range_in *in, const uint8_t *bytes, uint64_t size)
{
    if (!in->active || size == 0 || size > in->end - in->at)
        return -1;
    int fd = in->dropped ? -1 : writer_enter(map, in);
    if (fd < 0) {
        in->dropped = 1;
    } else {
        int error = bytes != NULL ? write_at(fd, bytes, (size_t)size, in->at) : 0;
        if (error == 0 && in->at + size == in->end)
            duet__os_write_out(fd, in->from, in->end - in->from);
        writer_leave(map, error);
        in->dropped = error != 0;
    }
    in->moved += bytes != NULL ? size : 0;
    in->at += size;
    if (in->at < in->end)
        return 0;
    in->active = 0;
    mark_written(map, in);
    return 1;
}

uint64_t
range_in_progress(struct range_in *in, int lost)
{
    int counts = !in->dropped && !in->again && !(lost && in->active);
    uint64_t now = counts ? in->at - in->from : 0;
    uint64_t more = now - in->reported;

    in->reported = now;
    return more;
}

int
range_in_report(const struct range_in *in, struct carrier *carrier)
{
    uint8_t message[13];

    put_field(message, in->start, 4);
    put_field(message + 4, in->from, 8);
    message[12] = (uint8_t)in->dropped;
    if (carrier_put(carrier, TRANSFER_WRITTEN, message, sizeof message) != 0)
        return -1;
    carrier_push(carrier);
    return 0;
}
