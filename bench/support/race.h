/*
 * A race: several contenders do the same work in turn, in many rounds; medians and quartiles.
 *
 * Each round runs each contender once, so that a change of clock rate or load affects all of them;
 * ratios are computed within a round, and then their median. A single run is never reported.
 */
#ifndef BENCH_SUPPORT_RACE_H
#define BENCH_SUPPORT_RACE_H

#include <stddef.h>
#include <stdint.h>

enum { BENCH_CONTENDERS_MOST = 16, BENCH_ROUNDS_MOST = 101 };

/** One figure: a median with its quartiles. */
struct bench_row {
    const char *bench;     /* which benchmark */
    const char *what;      /* which case of it */
    uint64_t size;         /* bytes of a message, 0 where there is none */
    const char *contender; /* its name; for a ratio "a/b", a's time to b's */
    const char *unit;      /* "ns", "bytes", "flights" or "ratio" */
    double median, low, high;
    unsigned rounds; /* 1: counted, not measured */
};

/** How long and how often is measured, and where the figures go. */
struct bench {
    unsigned rounds;   /* odd, BENCH_ROUNDS_MOST at most */
    uint64_t slice_ns; /* of each contender in each round */
    void (*take)(void *context, const struct bench_row *row);
    void *context;
};

struct bench_contender {
    const char *name;
    /** Do the work so many times. Returns 0, or -1. */
    int (*run)(void *context, uint64_t times);
    void *context;
    double works; /* how many works one time is; 0: one */
};

struct bench_race {
    const char *bench, *what;
    uint64_t size;
    uint64_t (*clock)(void); /* bench_processor_ns or bench_wall_ns */
    const struct bench_contender *contenders;
    size_t count;
    const char *const *ratios; /* "a/b", up to NULL; those with an absent contender are left out */
};

/** Nanoseconds of processor time of this thread. */
uint64_t bench_processor_ns(void);

/** Nanoseconds of the monotonic clock. */
uint64_t bench_wall_ns(void);

/** Warm up, find how many times fill a slice, run all rounds, and report the ratios and the time of
 * one work of each contender. Returns 0, or -1 when a contender failed. */
int bench_race(const struct bench *bench, const struct bench_race *race);

/** Report a figure that was counted, once or bench->rounds times; values are sorted. */
void bench_count(const struct bench *bench, const struct bench_row *row);
void bench_series(const struct bench *bench, const struct bench_row *row, double *values);

#endif
