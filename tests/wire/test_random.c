/*
 * What is on the wire cannot be distinguished from random bytes: the openings of thousands of sessions of
 * each pattern, byte by byte over all of them and as one stream, and a long stream of zeros.
 *
 * Each figure is given as how many standard deviations it is off what random bytes give; beyond
 * LIMIT it is no chance: 2 in 10^9 for one figure. Streams with a bias show that they are found
 * out.
 */
#include "wire/flights.h"

#include "os/os.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SESSIONS = 2000, PLACES = 160, LAGS = 16, ROOM = 1 << 25 };

static const double limit = 6;

/** Bytes as they came, and for the first places of each opening how often each value did. */
struct tap {
    uint8_t *bytes;
    size_t size;
    unsigned openings[2];
    unsigned seen[2][PLACES][256];
    int fresh[2]; /* 1: the next flight opens a session */
};

static struct tap *
tap_new(void)
{
    struct tap *tap = calloc(1, sizeof *tap);

    assert_non_null(tap);
    tap->bytes = malloc(ROOM);
    assert_non_null(tap->bytes);
    return tap;
}

static void
tap_free(struct tap *tap)
{
    free(tap->bytes);
    free(tap);
}

static void
take(void *context, enum duet_role from, const uint8_t *bytes, size_t size)
{
    struct tap *tap = context;

    assert_true(tap->size + size <= ROOM);
    memcpy(tap->bytes + tap->size, bytes, size);
    tap->size += size;
    if (!tap->fresh[from] || size < PLACES)
        return;
    tap->fresh[from] = 0;
    tap->openings[from]++;
    for (size_t i = 0; i < PLACES; i++)
        tap->seen[from][i][bytes[i]]++;
}

/* ---- Figures, in standard deviations ---- */

/** Chi-square of 256 counts, as a normal deviate (Wilson and Hilferty). */
static double
chi(const unsigned counts[256], double total)
{
    const double freedom = 255;
    double sum = 0;

    for (int i = 0; i < 256; i++)
        sum += (counts[i] - total / 256) * (counts[i] - total / 256) / (total / 256);
    return (cbrt(sum / freedom) - (1 - 2 / (9 * freedom))) / sqrt(2 / (9 * freedom));
}

static double
byte_frequency(const uint8_t *bytes, size_t size)
{
    unsigned counts[256] = {0};

    for (size_t i = 0; i < size; i++)
        counts[bytes[i]]++;
    return chi(counts, (double)size);
}

static double
monobit(const uint8_t *bytes, size_t size)
{
    double ones = 0, bits = 8.0 * (double)size;

    for (size_t i = 0; i < size; i++)
        ones += __builtin_popcount(bytes[i]);
    return (2 * ones - bits) / sqrt(bits);
}

/** How often a bit differs from the one before it: half of the times. */
static double
runs(const uint8_t *bytes, size_t size)
{
    double changes = 0, pairs = 8.0 * (double)size - 1;

    for (size_t i = 0; i < size; i++) {
        unsigned before = i > 0 ? bytes[i - 1] & 1u : bytes[0] >> 7;
        unsigned turned = bytes[i] ^ (before << 7 | bytes[i] >> 1);
        changes += __builtin_popcount(turned & 255u);
    }
    return (2 * changes - pairs) / sqrt(pairs);
}

static double
correlation(const uint8_t *bytes, size_t size, size_t lag)
{
    const double mean = 127.5, variance = 65535.0 / 12;
    double sum = 0;

    for (size_t i = 0; i + lag < size; i++)
        sum += (bytes[i] - mean) * (bytes[i + lag] - mean);
    return sum / variance / sqrt((double)(size - lag));
}

/** The figure that is furthest off, and what it is. */
struct worst {
    double off;
    const char *name;
};

static void
note(struct worst *worst, const char *name, double off)
{
    if (fabs(off) <= worst->off)
        return;
    worst->off = fabs(off);
    worst->name = name;
}

static struct worst
judge_stream(const uint8_t *bytes, size_t size)
{
    struct worst worst = {0, "none"};

    note(&worst, "bits", monobit(bytes, size));
    note(&worst, "bytes", byte_frequency(bytes, size));
    note(&worst, "runs", runs(bytes, size));
    for (size_t lag = 1; lag <= LAGS; lag++)
        note(&worst, "correlation", correlation(bytes, size, lag));
    return worst;
}

static struct worst
judge_places(const struct tap *tap)
{
    struct worst worst = {0, "none"};

    for (int from = 0; from < 2; from++)
        for (size_t i = 0; i < PLACES; i++)
            note(&worst, "a place in the opening",
                 chi(tap->seen[from][i], (double)tap->openings[from]));
    return worst;
}

static void
assert_random(struct worst worst, const char *what, size_t size)
{
    printf("%s, %zu bytes: %.2f deviations off at most (%s)\n", what, size, worst.off, worst.name);
    assert_true(worst.off < limit);
}

/* ---- What is tapped ---- */

static void
openings(void **state)
{
    static const char *const names[] = {"pattern 0", "pattern 1", "pattern 2"};

    (void)state;
    for (int pattern = 0; pattern < 3; pattern++) {
        struct tap *tap = tap_new();
        for (int i = 0; i < SESSIONS; i++) {
            tap->fresh[DUET_TOP] = tap->fresh[DUET_BOTTOM] = 1;
            flights_session((enum duet_pattern)pattern, take, tap);
        }
        assert_int_equal(tap->openings[DUET_TOP], SESSIONS);
        assert_int_equal(tap->openings[DUET_BOTTOM], SESSIONS);
        assert_random(judge_places(tap), names[pattern], tap->size);
        assert_random(judge_stream(tap->bytes, tap->size), names[pattern], tap->size);
        tap_free(tap);
    }
}

static void
stream(void **state)
{
    struct tap *tap = tap_new();

    (void)state;
    flights_stream(1 << 24, take, tap);
    assert_random(judge_stream(tap->bytes, tap->size), "zeros", tap->size);
    tap_free(tap);
}

/* ---- The controls ---- */

static void
biased(void **state)
{
    const size_t size = 1 << 22;
    uint8_t *bytes = malloc(size);

    (void)state;
    assert_non_null(bytes);
    assert_int_equal(duet__os_random(bytes, size), 0);
    assert_true(judge_stream(bytes, size).off < limit);
    for (size_t i = 0; i < size; i += 64) /* one bit in 512 is always set */
        bytes[i] |= 1;
    assert_true(fabs(monobit(bytes, size)) > limit);
    assert_int_equal(duet__os_random(bytes, size), 0);
    for (size_t i = 0; i < size; i += 100) /* one byte in a hundred is an A */
        bytes[i] = 'A';
    assert_true(fabs(byte_frequency(bytes, size)) > limit);
    assert_int_equal(duet__os_random(bytes, size), 0);
    for (size_t i = 8; i < size; i += 50) /* one in fifty repeats what came eight before */
        bytes[i] = bytes[i - 8];
    assert_true(fabs(correlation(bytes, size, 8)) > limit);
    for (size_t i = 0; i < size; i += 16)
        bytes[i] = 0x55;
    assert_true(fabs(runs(bytes, size)) > limit);
    free(bytes);
}

/** A version byte that half of all openings bear at one place. */
static void
marked(void **state)
{
    struct tap *tap = tap_new();
    uint8_t bytes[PLACES];

    (void)state;
    for (int i = 0; i < SESSIONS; i++) {
        tap->fresh[DUET_TOP] = tap->fresh[DUET_BOTTOM] = 1;
        assert_int_equal(duet__os_random(bytes, sizeof bytes), 0);
        take(tap, DUET_BOTTOM, bytes, sizeof bytes);
        bytes[40] = i % 16 == 0 ? 1 : bytes[40];
        take(tap, DUET_TOP, bytes, sizeof bytes);
    }
    assert_true(judge_places(tap).off > limit);
    tap_free(tap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(biased),
        cmocka_unit_test(marked),
        cmocka_unit_test(openings),
        cmocka_unit_test(stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
