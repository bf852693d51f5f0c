/*
 * Races on a clock that the contenders move themselves: medians, quartiles, ratios within a round.
 */
#include "bench/support/race.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 5, ROWS = 8 };

static uint64_t now; /* nanoseconds */

/* Takes base, and drift more in each call. */
struct clockwork {
    uint64_t base, drift;
    unsigned calls;
};

struct taken {
    struct bench_row rows[ROWS];
    size_t count;
};

static uint64_t
fake_clock(void)
{
    return now;
}

static int
tick(void *context, uint64_t times)
{
    struct clockwork *work = context;
    now += times * (work->base + work->drift * work->calls++);
    return 0;
}

static int
fail_at_once(void *context, uint64_t times)
{
    (void)context;
    (void)times;
    return -1;
}

static void
take(void *context, const struct bench_row *row)
{
    struct taken *taken = context;
    assert_true(taken->count < ROWS);
    taken->rows[taken->count++] = *row;
}

static int
race(struct taken *taken, const struct bench_contender *contenders, size_t count)
{
    static const char *const ratios[] = {"slow/fast", "slow/absent", NULL};
    struct bench bench = {.rounds = ROUNDS, .slice_ns = 1, .take = take, .context = taken};
    struct bench_race of = {.bench = "test",
                            .what = "clockwork",
                            .clock = fake_clock,
                            .contenders = contenders,
                            .count = count,
                            .ratios = ratios};
    memset(taken, 0, sizeof *taken);
    return bench_race(&bench, &of);
}

static void
medians_and_ratios(void **state)
{
    struct clockwork slow = {.base = 300}, fast = {.base = 100};
    const struct bench_contender contenders[] = {{"slow", tick, &slow, 0},
                                                 {"fast", tick, &fast, 0}};
    struct taken taken;
    (void)state;

    assert_int_equal(race(&taken, contenders, 2), 0);
    assert_int_equal(taken.count, 3); /* one ratio, as the other has no such contender */
    assert_string_equal(taken.rows[0].contender, "slow/fast");
    assert_string_equal(taken.rows[0].unit, "ratio");
    assert_true(taken.rows[0].median == 3.0);
    assert_true(taken.rows[1].median == 300.0 && taken.rows[2].median == 100.0);
    assert_string_equal(taken.rows[2].unit, "ns");
    assert_int_equal(taken.rows[2].rounds, ROUNDS);
    assert_int_equal(slow.calls, 1 + ROUNDS); /* one to warm up */
}

/* Both get slower by the same factor, as when the clock of the processor sinks: the ratio stays. */
static void
drift_is_no_difference(void **state)
{
    struct clockwork slow = {.base = 200, .drift = 20}, fast = {.base = 100, .drift = 10};
    const struct bench_contender contenders[] = {{"slow", tick, &slow, 0},
                                                 {"fast", tick, &fast, 0}};
    struct taken taken;
    (void)state;

    assert_int_equal(race(&taken, contenders, 2), 0);
    assert_true(taken.rows[0].low == 2.0 && taken.rows[0].high == 2.0);
    /* rounds 1 to 5 took 110 to 150 */
    assert_true(taken.rows[2].low == 120.0);
    assert_true(taken.rows[2].median == 130.0);
    assert_true(taken.rows[2].high == 140.0);
}

static void
several_works_at_a_time(void **state)
{
    struct clockwork work = {.base = 300};
    const struct bench_contender contender = {"slow", tick, &work, 3};
    struct taken taken;
    (void)state;

    assert_int_equal(race(&taken, &contender, 1), 0);
    assert_int_equal(taken.count, 1);
    assert_true(taken.rows[0].median == 100.0);
}

static void
one_failure_ends_it(void **state)
{
    struct clockwork work = {.base = 300};
    const struct bench_contender contenders[] = {{"slow", tick, &work, 0},
                                                 {"fast", fail_at_once, NULL, 0}};
    struct taken taken;
    (void)state;

    assert_int_equal(race(&taken, contenders, 2), -1);
    assert_int_equal(taken.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(medians_and_ratios),
        cmocka_unit_test(drift_is_no_difference),
        cmocka_unit_test(several_works_at_a_time),
        cmocka_unit_test(one_failure_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
