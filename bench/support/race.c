/*
 * Races: warm-up, rounds, medians (see race.h).
 */
#include "bench/support/race.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a race measured: nanoseconds of one work. */
struct samples {
    double ns[BENCH_CONTENDERS_MOST][BENCH_ROUNDS_MOST];
};

static uint64_t
read_clock(clockid_t id)
{
    struct timespec now;
    if (clock_gettime(id, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t
bench_processor_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t
bench_wall_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Run a contender so many times; *ns: how long it took. */
static int
measure(const struct bench_race *race, size_t i, uint64_t times, uint64_t *ns)
{
    const struct bench_contender *contender = &race->contenders[i];
    uint64_t begin = race->clock();
    int result = contender->run(contender->context, times);
    *ns = race->clock() - begin;
    if (result != 0)
        fprintf(stderr, "bench: %s %s: %s failed\n", race->bench, race->what, contender->name);
    return result;
}

/* How many times fill a slice; finding it is the warming up. */
static int
calibrate(const struct bench *bench, const struct bench_race *race, size_t i, uint64_t *times)
{
    uint64_t ns = 0;
    for (*times = 1;; *times *= 2) {
        if (measure(race, i, *times, &ns) != 0)
            return -1;
        if (ns >= bench->slice_ns / 2)
            break;
    }
    uint64_t wanted = *times * bench->slice_ns / ns;
    *times = wanted > 0 ? wanted : 1;
    return 0;
}

static int
run_rounds(const struct bench *bench, const struct bench_race *race, struct samples *samples)
{
    uint64_t times[BENCH_CONTENDERS_MOST];
    for (size_t i = 0; i < race->count; i++)
        if (calibrate(bench, race, i, &times[i]) != 0)
            return -1;
    for (unsigned round = 0; round < bench->rounds; round++) {
        for (size_t k = 0; k < race->count; k++) {
            size_t i = (k + round) % race->count; /* so that none is always first */
            double works = race->contenders[i].works > 0 ? race->contenders[i].works : 1;
            uint64_t ns;
            if (measure(race, i, times[i], &ns) != 0)
                return -1;
            samples->ns[i][round] = (double)ns / ((double)times[i] * works);
        }
    }
    return 0;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

void
bench_series(const struct bench *bench, const struct bench_row *row, double *values)
{
    unsigned n = bench->rounds;
    struct bench_row series = *row;
    qsort(values, n, sizeof *values, compare);
    series.median = values[n / 2];
    series.low = values[n / 4];
    series.high = values[n - 1 - n / 4];
    series.rounds = n;
    bench->take(bench->context, &series);
}

static void
report_series(const struct bench *bench, const struct bench_race *race, const char *contender,
              const char *unit, double *values)
{
    struct bench_row row = {.bench = race->bench,
                            .what = race->what,
                            .size = race->size,
                            .contender = contender,
                            .unit = unit};
    bench_series(bench, &row, values);
}

/* The contender whose name is the first size characters of name; race->count: none. */
static size_t
find(const struct bench_race *race, const char *name, size_t size)
{
    size_t i = 0;
    while (i < race->count && (strlen(race->contenders[i].name) != size ||
                               strncmp(race->contenders[i].name, name, size) != 0))
        i++;
    return i;
}

static void
report_ratio(const struct bench *bench, const struct bench_race *race, const char *ratio,
             const struct samples *samples)
{
    double values[BENCH_ROUNDS_MOST];
    const char *slash = strchr(ratio, '/');
    if (slash == NULL)
        return;
    size_t over = find(race, ratio, (size_t)(slash - ratio));
    size_t under = find(race, slash + 1, strlen(slash + 1));
    if (over == race->count || under == race->count)
        return;
    for (unsigned round = 0; round < bench->rounds; round++)
        values[round] = samples->ns[over][round] / samples->ns[under][round];
    report_series(bench, race, ratio, "ratio", values);
}

int
bench_race(const struct bench *bench, const struct bench_race *race)
{
    struct samples samples = {{{0}}};
    if (race->count > BENCH_CONTENDERS_MOST || bench->rounds > BENCH_ROUNDS_MOST)
        return -1;
    if (run_rounds(bench, race, &samples) != 0)
        return -1;
    for (size_t i = 0; race->ratios != NULL && race->ratios[i] != NULL; i++)
        report_ratio(bench, race, race->ratios[i], &samples);
    for (size_t i = 0; i < race->count; i++)
        report_series(bench, race, race->contenders[i].name, "ns", samples.ns[i]);
    return 0;
}

void
bench_count(const struct bench *bench, const struct bench_row *row)
{
    struct bench_row counted = *row;
    counted.low = counted.high = counted.median;
    counted.rounds = 1;
    bench->take(bench->context, &counted);
}
