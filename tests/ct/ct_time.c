/*
 * Does the time of a comparison depend on its bytes? Two classes of input with the same outcome
 * are timed in random order, and Welch's t-test is asked whether their means differ (the method of
 * Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?").
 *
 *   ct_time [SECONDS]     for each case; 2 by default
 *
 * A comparison that ends at the first difference comes last: it must be found out.
 */
#include "base/equal.h"

#include <duet/duet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BATCH = 1000,  /* samples whose inputs are laid out before any of them is timed */
    BYTES = 32,    /* of an input, at most */
    REPEAT = 32,   /* calls timed as one sample: a call is shorter than the clock's step */
    CROPS = 6,     /* the tail of slow samples is the machine's: tests without it too */
    LEAST = 10000, /* samples before a case is judged */
    LIMIT = 10     /* |t| beyond which the classes differ, as the paper has it */
};

struct input {
    uint8_t bytes[BYTES];
    int class; /* 0: differs in the first byte, 1: in the last */
};

/** One thing to be timed: makes an input of a class, and calls with it. */
struct matter {
    const char *name;
    void (*make)(struct input *input);
    int (*call)(const struct input *input);
    int leaks; /* 1: the control */
};

/** Mean and variance of one class, updated as values come (Welford). */
struct moments {
    double count, mean, square;
};

static uint64_t
draw(void)
{
    static uint64_t state = 0x9E3779B97F4A7C15u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static double
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ---- What is timed ---- */

static const uint8_t expected[BYTES] = {3, 1, 4, 1, 5, 9, 2, 6};
static duet_cipher begun, fresh; /* before the MAC of a frame, before its header */
static uint8_t right_mac[DUET_MAC_SIZE], right_header[DUET_HEADER_SIZE];

/** Right but for one byte of the first n. */
static void
spoil(struct input *input, const uint8_t *right, size_t n)
{
    memcpy(input->bytes, right, n);
    input->bytes[input->class == 0 ? 0 : n - 1] ^= (uint8_t)(draw() | 1);
}

static void
make_8(struct input *input)
{
    spoil(input, expected, 8);
}

static void
make_32(struct input *input)
{
    spoil(input, expected, 32);
}

static void
make_mac(struct input *input)
{
    spoil(input, right_mac, sizeof right_mac);
}

/** Of a header LENGTH is wrong, or CHECKSUM: the sum is, in both. */
static void
make_header(struct input *input)
{
    spoil(input, right_header, sizeof right_header);
}

static int
equal_8(const struct input *input)
{
    return duet__equal(input->bytes, expected, 8);
}

static int
equal_32(const struct input *input)
{
    return duet__equal(input->bytes, expected, 32);
}

static int
open_mac(const struct input *input)
{
    duet_cipher d = begun;
    uint8_t none[1];
    size_t put;

    return duet_cipher_open_piece(&d, none, &put, input->bytes, DUET_MAC_SIZE);
}

static int
open_header(const struct input *input)
{
    duet_cipher d = fresh;
    uint32_t code, length;

    return duet_cipher_open_header(&d, &code, &length, input->bytes);
}

/** What must not be done: the first difference ends it. */
static int
leaky(const struct input *input)
{
    const volatile uint8_t *bytes = input->bytes;

    for (size_t i = 0; i < 8; i++)
        if (bytes[i] != expected[i])
            return 0;
    return 1;
}

static const struct matter matters[] = {
    {"equal, 8 bytes", make_8, equal_8, 0},    {"equal, 32 bytes", make_32, equal_32, 0},
    {"MAC of a frame", make_mac, open_mac, 0}, {"header's sum", make_header, open_header, 0},
    {"control, ends early", make_8, leaky, 1},
};

/** A frame of 40 bytes, sealed; two receivers of it, one of which has all but its MAC. */
static int
prepare(void)
{
    static const uint8_t key[32] = {1}, block[16] = {2}, chain[32] = {3}, payload[40] = {4};
    uint8_t frame[sizeof payload + DUET_FRAME_OVERHEAD], out[sizeof payload];
    uint32_t code, length;
    size_t put;
    duet_cipher sender;

    if (duet_cipher_init(&sender, key, block, chain, 1, 100) != DUET_OK ||
        duet_cipher_init(&fresh, key, block, chain, 1, 100) != DUET_OK ||
        duet_seal(&sender, frame, payload, sizeof payload, 0) != DUET_OK)
        return -1;
    memcpy(right_header, frame, sizeof right_header);
    memcpy(right_mac, frame + DUET_HEADER_SIZE + sizeof payload, sizeof right_mac);
    begun = fresh;
    if (duet_cipher_open_header(&begun, &code, &length, frame) != DUET_OK)
        return -1;
    return duet_cipher_open_piece(&begun, out, &put, frame + DUET_HEADER_SIZE, sizeof payload) ==
                   DUET_AGAIN
               ? 0
               : -1;
}

/* ---- The test ---- */

static void
add(struct moments *m, double value)
{
    double off = value - m->mean;

    m->count++;
    m->mean += off / m->count;
    m->square += off * (value - m->mean);
}

/** Welch's t of two classes; 0 while there is too little of one. */
static double
welch(const struct moments m[2])
{
    const double least = (double)LEAST / 10;

    if (m[0].count < least || m[1].count < least)
        return 0;
    double spread =
        m[0].square / (m[0].count - 1) / m[0].count + m[1].square / (m[1].count - 1) / m[1].count;
    return spread > 0 ? fabs(m[0].mean - m[1].mean) / sqrt(spread) : 0;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** Bounds over which a sample counts as the machine's: percentiles of the first batch. */
static void
set_crops(double crops[CROPS], const double *times)
{
    static const int percent[CROPS] = {40, 60, 80, 90, 97, 100};
    double sorted[BATCH];

    memcpy(sorted, times, sizeof sorted);
    qsort(sorted, BATCH, sizeof *sorted, by_size);
    for (int i = 0; i < CROPS; i++)
        crops[i] = percent[i] == 100 ? INFINITY : sorted[BATCH * percent[i] / 100];
}

/** Time a batch; the calls' results are summed so that none is left out. */
static void
measure(const struct matter *matter, struct input *inputs, double *times)
{
    static volatile int sink;

    for (int i = 0; i < BATCH; i++) {
        inputs[i].class = (int)(draw() >> 33 & 1);
        matter->make(&inputs[i]);
    }
    for (int i = 0; i < BATCH; i++) {
        double begin = now_ns();
        for (int k = 0; k < REPEAT; k++)
            sink = matter->call(&inputs[i]);
        times[i] = now_ns() - begin;
    }
    (void)sink;
}

/** The largest t of all crops, after some seconds. */
static double
judge(const struct matter *matter, double seconds, double *samples)
{
    static struct input inputs[BATCH];
    static double times[BATCH];
    struct moments m[CROPS][2] = {{{0, 0, 0}}};
    double crops[CROPS], worst = 0, end = now_ns() + seconds * 1e9;

    measure(matter, inputs, times); /* warms up */
    set_crops(crops, times);
    for (long n = 0; n < LEAST || now_ns() < end; n += BATCH) {
        *samples = (double)(n + BATCH);
        measure(matter, inputs, times);
        for (int i = 0; i < BATCH; i++)
            for (int c = 0; c < CROPS; c++)
                if (times[i] <= crops[c])
                    add(&m[c][inputs[i].class], times[i]);
    }
    for (int c = 0; c < CROPS; c++)
        worst = fmax(worst, welch(m[c]));
    return worst;
}

int
main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
    int bad = 0;

    if (prepare() != 0) {
        fputs("no frame could be prepared\n", stderr);
        return 1;
    }
    for (size_t i = 0; i < sizeof matters / sizeof *matters; i++) {
        double samples, t = judge(&matters[i], seconds, &samples);
        int found = t > (double)LIMIT;
        const char *verdict = found == matters[i].leaks ? "as it should be" : "WRONG";
        printf("%-20s t = %8.2f over %8.0f samples: %s, %s\n", matters[i].name, t, samples,
               found ? "differs" : "does not show", verdict);
        bad |= found != matters[i].leaks;
    }
    return bad;
}
