/*
 * duet-load with an echo service: connections per second, round-trip time, many connections that
 * are held, and steady traffic that counts failures.
 */
#include "bench/tunnel/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TURN_MS = 100,
    AGAIN_NS = 20000000, /* before a connection that failed is tried again */
    SAMPLES_MOST = 1 << 21,
    OPENING_MOST = 64, /* connections of `hold` that are opened at a time */
    WAIT_S = 60
};

static struct {
    const struct load_task *task;
    uint64_t until; /* load_now() at the end */
    unsigned long connections, trips, refused, cut, wrong;
    uint64_t bytes, slowest;
    unsigned open, asked; /* hold: connections made and answered; requests under way */
    uint32_t *samples;    /* nanoseconds of each round trip, where they are wanted */
    size_t sample_count;
} run;

struct client {
    struct load_exchange exchange; /* the first: done() is given it */
    unsigned number;
    unsigned trips; /* on this connection */
    uint64_t random;
    uint64_t again; /* load_now() at which to connect; 0: it is connected */
};

static unsigned long
failures(void)
{
    return run.refused + run.cut + run.wrong;
}

static int
begin(const struct load_task *task)
{
    run.task = task;
    run.until = load_now() + (uint64_t)(task->seconds * 1e9);
    (void)load_content(0, 1);
    return 0;
}

static void
count(enum load_outcome outcome)
{
    run.trips += outcome == LOAD_DONE;
    run.refused += outcome == LOAD_REFUSED;
    run.cut += outcome == LOAD_CUT;
    run.wrong += outcome == LOAD_WRONG;
}

static int
print_run(void)
{
    printf("connections\t%lu\nround_trips\t%lu\nbytes\t%llu\nrefused\t%lu\ncut\t%lu\nwrong\t%lu\n"
           "slowest_ms\t%.1f\n",
           run.connections, run.trips, (unsigned long long)run.bytes, run.refused, run.cut,
           run.wrong, (double)run.slowest / 1e6);
    return failures() == 0 ? 0 : 1;
}

/* ---- Steady traffic, and connections per second ---- */

static uint64_t
draw(struct client *c)
{
    c->random = c->random * 6364136223846793005u + 1442695040888963407u;
    return c->random >> 33;
}

static void
ask(struct client *c)
{
    size_t most = run.task->bytes;
    size_t size = most > 1 && run.samples == NULL ? 1 + (size_t)(draw(c) % most) : most;

    load_exchange_ask(&c->exchange, c->number * UINT64_C(4099) + run.trips, size);
    run.bytes += size;
}

static void
reconnect(struct client *c)
{
    c->again = 0;
    c->trips = 0;
    run.connections++;
    if (load_exchange_open(&c->exchange, &run.task->address) == 0) {
        ask(c);
        return;
    }
    run.refused++;
    c->again = load_now() + AGAIN_NS;
}

static void
sample(uint64_t ns)
{
    if (ns > run.slowest)
        run.slowest = ns;
    if (run.samples != NULL && run.sample_count < SAMPLES_MOST)
        run.samples[run.sample_count++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static void
answered(struct load_exchange *exchange, enum load_outcome outcome)
{
    struct client *c = (struct client *)exchange;
    uint64_t now = load_now();

    count(outcome);
    if (outcome != LOAD_DONE) {
        c->again = now + AGAIN_NS;
        return;
    }
    sample(now - exchange->since);
    if (now >= run.until) {
        load_close(&exchange->source);
        return;
    }
    if (run.task->trips == 0 || ++c->trips < run.task->trips) {
        ask(c);
        return;
    }
    load_close(&exchange->source);
    c->again = now;
}

/** Run clients until the time is over; each that lost its connection makes another. */
static int
turn(struct client *clients)
{
    unsigned open = 1;

    for (unsigned i = 0; i < run.task->count; i++) {
        clients[i].number = i;
        clients[i].random = i + 1;
        clients[i].exchange.done = answered;
        reconnect(&clients[i]);
    }
    while (open > 0 && load_now() < run.until + WAIT_S * UINT64_C(1000000000)) {
        uint64_t now = load_now();
        open = 0;
        for (unsigned i = 0; i < run.task->count; i++) {
            if (clients[i].again != 0 && clients[i].again <= now && now < run.until)
                reconnect(&clients[i]);
            open += clients[i].exchange.source.fd >= 0;
        }
        if (load_turn(open > 0 ? 10 : TURN_MS) != 0)
            return -1;
        open += load_now() < run.until;
    }
    for (unsigned i = 0; i < run.task->count; i++)
        run.cut += clients[i].exchange.source.fd >= 0; /* it would never end */
    return 0;
}

static int
with_clients(const struct load_task *task)
{
    struct client *clients = calloc(task->count, sizeof *clients);
    int result = clients == NULL ? -1 : begin(task);

    if (result == 0)
        result = turn(clients);
    free(clients);
    return result;
}

int
load_steady(const struct load_task *task)
{
    return with_clients(task) != 0 ? 1 : print_run();
}

int
load_rate(const struct load_task *task)
{
    uint64_t since = load_now();

    if (with_clients(task) != 0)
        return 1;
    printf("connections_per_second\t%.1f\n",
           (double)run.trips * 1e9 / (double)(load_now() - since));
    return print_run();
}

static int
compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/** Microseconds that so many hundredths of the sorted samples took at most. */
static double
quantile(size_t hundredths)
{
    size_t place = run.sample_count * hundredths / 100;
    return run.samples[place] / 1e3;
}

int
load_latency(const struct load_task *task)
{
    run.samples = malloc(SAMPLES_MOST * sizeof *run.samples);
    if (run.samples == NULL || with_clients(task) != 0 || run.sample_count == 0)
        return 1;
    qsort(run.samples, run.sample_count, sizeof *run.samples, compare);
    printf("round_trips_per_second\t%.0f\nmedian_us\t%.1f\np99_us\t%.1f\n",
           (double)run.sample_count / task->seconds, quantile(50), quantile(99));
    free(run.samples);
    return print_run();
}

/* ---- Many connections that are held ---- */

static void
held(struct load_exchange *exchange, enum load_outcome outcome)
{
    (void)exchange;
    count(outcome);
    run.asked--;
    run.open += outcome == LOAD_DONE;
}

/** Wait until at most so many requests are under way. Returns 0, or -1 when it takes too long. */
static int
until_asked(unsigned most)
{
    uint64_t end = load_now() + WAIT_S * UINT64_C(1000000000);

    while (run.asked > most)
        if (load_now() > end || load_turn(TURN_MS) != 0)
            return -1;
    return 0;
}

static int
open_all(struct client *clients)
{
    for (unsigned i = 0; i < run.task->count; i++) {
        clients[i].exchange.done = held;
        run.connections++;
        if (load_exchange_open(&clients[i].exchange, &run.task->address) != 0) {
            run.refused++;
            continue;
        }
        run.asked++;
        load_exchange_ask(&clients[i].exchange, i, 16);
        if (until_asked(OPENING_MOST) != 0)
            return -1;
    }
    return until_asked(0);
}

/** Once a line has come on standard input: a request on each, all at a time. */
static int
ask_all(struct client *clients)
{
    run.open = 0;
    for (unsigned i = 0; i < run.task->count; i++) {
        if (clients[i].exchange.source.fd < 0)
            continue;
        run.asked++;
        run.bytes += run.task->bytes;
        load_exchange_ask(&clients[i].exchange, i, run.task->bytes);
    }
    return until_asked(0);
}

static int
hold(struct client *clients)
{
    char line[16];

    if (open_all(clients) != 0)
        return 1;
    printf("held\t%u\n", run.open);
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        return failures() == 0 ? 0 : 1;
    int result = ask_all(clients);
    printf("answered\t%u\n", run.open);
    return print_run() != 0 || result != 0 || run.open != run.task->count;
}

int
load_hold(const struct load_task *task)
{
    struct client *clients = calloc(task->count, sizeof *clients);

    if (clients == NULL || begin(task) != 0) {
        free(clients);
        return 1;
    }
    int result = hold(clients);
    free(clients);
    return result;
}
