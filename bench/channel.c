/*
 * Measures channels: loopback TCP between two processes, plain and protected, in wall-clock time.
 *
 * One way (bulk, messages) the far end receives a number of bytes and then confirms on the control
 * socket; in ping-pong it sends each message back.
 */
#include "bench/bench.h"
#include "bench/peers/carrier.h"
#include "bench/support/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { MESSAGE = 64, BULK = 65536, MANY = 256, BUFFER = 256 * 1024, CONTENDERS = 5 };

/* A run: count messages of size bytes for each call, one way or both ways. */
struct shape {
    const char *what;
    size_t size, count;
    int there_and_back;
    int nodelay, processors;
    const struct carrier *carriers[CONTENDERS];
};

/* A request of the near end to the far one; the answer is one byte. */
struct order {
    uint64_t bytes;
    int compare; /* 1: they must be what was sent */
};

struct work {
    const struct shape *shape;
    const struct carrier *carrier;
    struct bench_link link;
    void *end;
    int compare;
    uint8_t data[BULK];
};

static const struct shape shapes[] = {
    {.what = "bulk",
     .size = BULK,
     .count = 1,
     .nodelay = 1,
     .processors = 2,
     .carriers = {&carrier_plain, &carrier_libssl, &carrier_duet, &carrier_duet_large}},
    {.what = "many",
     .size = MESSAGE,
     .count = MANY,
     .nodelay = 1,
     .processors = 2,
     .carriers = {&carrier_plain, &carrier_libssl, &carrier_duet_messages, &carrier_duet_small}},
    {.what = "each",
     .size = MESSAGE,
     .count = 1,
     .nodelay = 1,
     .processors = 2,
     .carriers = {&carrier_plain, &carrier_libssl, &carrier_duet}},
    {.what = "ping-pong, one processor",
     .size = MESSAGE,
     .count = 1,
     .there_and_back = 1,
     .nodelay = 1,
     .processors = 1,
     .carriers = {&carrier_plain, &carrier_libssl, &carrier_duet}},
    {.what = "ping-pong, two processors",
     .size = MESSAGE,
     .count = 1,
     .there_and_back = 1,
     .nodelay = 1,
     .processors = 2,
     .carriers = {&carrier_plain, &carrier_libssl, &carrier_duet}},
};

static const char *const ratios[] = {
    "libssl/duet",  "plain/duet", "libssl/duet-64k", "libssl/duet-stream", "plain/duet-64k",
    "plain/libssl", NULL};

static void
fill(uint8_t *data)
{
    for (size_t i = 0; i < BULK; i++)
        data[i] = (uint8_t)(i % MESSAGE * 3 + 1); /* all messages are equal */
}

/* ---- The far end ---- */

static int
is_expected(const uint8_t *bytes, size_t n, uint64_t at)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != (uint8_t)((at + i) % MESSAGE * 3 + 1))
            return 0;
    return 1;
}

/* Receive what was requested; with ping-pong send every message back. */
static int
obey(const struct work *work, void *end, const struct order *order, uint8_t *buffer)
{
    const struct shape *shape = work->shape;
    size_t room = shape->there_and_back ? shape->size : BUFFER;
    size_t least = shape->there_and_back ? shape->size : 1;
    for (uint64_t at = 0; at < order->bytes;) {
        size_t got;
        if (work->carrier->recv(end, buffer, room, least, &got) != 0 ||
            (order->compare && !is_expected(buffer, got, at)))
            return -1;
        if (shape->there_and_back && work->carrier->send(end, buffer, got, 1) != 0)
            return -1;
        at += got;
    }
    return 0;
}

static int
be_far(const struct bench_link *link, void *context)
{
    const struct work *work = context;
    struct order order;
    uint8_t *buffer = malloc(BUFFER);
    void *end = work->carrier->open(work->carrier, link->fd, 1);
    int result = buffer != NULL && end != NULL ? 0 : -1;
    while (result == 0 && recv(link->control, &order, sizeof order, 0) == sizeof order) {
        result = obey(work, end, &order, buffer);
        if (result == 0 && send(link->control, "", 1, MSG_NOSIGNAL) != 1)
            result = -1;
    }
    if (end != NULL)
        work->carrier->close(end);
    free(buffer);
    return result;
}

/* ---- The near end ---- */

static int
send_and_receive(struct work *work)
{
    uint8_t back[MESSAGE];
    size_t got;
    return work->carrier->send(work->end, work->data, MESSAGE, 1) == 0 &&
                   work->carrier->recv(work->end, back, MESSAGE, MESSAGE, &got) == 0 &&
                   (!work->compare || is_expected(back, got, 0))
               ? 0
               : -1;
}

static int
run(void *context, uint64_t times)
{
    struct work *work = context;
    const struct shape *shape = work->shape;
    struct order order = {.bytes = times * shape->size * shape->count, .compare = work->compare};
    uint8_t answer;
    if (send(work->link.control, &order, sizeof order, MSG_NOSIGNAL) != sizeof order)
        return -1;
    for (uint64_t i = 0; i < times; i++)
        if ((shape->there_and_back
                 ? send_and_receive(work)
                 : work->carrier->send(work->end, work->data, shape->size, shape->count)) != 0)
            return -1;
    return recv(work->link.control, &answer, 1, 0) == 1 ? 0 : -1;
}

static int
open_work(struct work *work, const struct shape *shape, const struct carrier *carrier)
{
    int two = shape->processors == 2 && bench_processors() > 1;
    struct bench_link_options options = {
        .nodelay = shape->nodelay, .near_cpu = 0, .far_cpu = two, .far = be_far, .context = work};
    *work = (struct work){.shape = shape, .carrier = carrier};
    fill(work->data);
    if ((carrier->prepare != NULL && carrier->prepare() != 0) ||
        bench_link_open(&work->link, &options) != 0)
        return -1;
    work->end = carrier->open(carrier, work->link.fd, 0);
    work->compare = 1;
    if (work->end != NULL && run(work, 1) == 0) {
        work->compare = 0;
        return 0;
    }
    fprintf(stderr, "bench: channel %s: %s could not be set up\n", shape->what, carrier->name);
    return -1;
}

static int
close_work(struct work *work)
{
    if (work->end != NULL)
        work->carrier->close(work->end);
    return work->link.child > 0 ? bench_link_close(&work->link) : 0;
}

static int
race(const struct bench *bench, const struct shape *shape, struct work *works)
{
    struct bench_contender contenders[CONTENDERS];
    size_t count = 0;
    int result = 0;
    for (; result == 0 && count < CONTENDERS && shape->carriers[count] != NULL; count++) {
        result = open_work(&works[count], shape, shape->carriers[count]);
        contenders[count] = (struct bench_contender){.name = shape->carriers[count]->name,
                                                     .run = run,
                                                     .context = &works[count],
                                                     .works = (double)shape->count};
    }
    struct bench_race race = {.bench = "channel",
                              .what = shape->what,
                              .size = shape->size,
                              .clock = bench_wall_ns,
                              .contenders = contenders,
                              .count = count,
                              .ratios = ratios};
    if (result == 0)
        result = bench_race(bench, &race);
    for (size_t i = 0; i < count; i++)
        if (close_work(&works[i]) != 0)
            result = -1;
    return result;
}

int
bench_channel(const struct bench *bench)
{
    struct bench longer = *bench; /* a slice crosses the scheduler many times */
    struct work *works = calloc(CONTENDERS, sizeof *works);
    int result = works != NULL ? 0 : -1;
    longer.slice_ns *= 10;
    for (size_t i = 0; result == 0 && i < sizeof shapes / sizeof *shapes; i++)
        result = race(&longer, &shapes[i], works);
    free(works);
    return result;
}
