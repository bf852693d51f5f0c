/*
 * What the tests of an altered wire share (see wire.h).
 */
#include "adversary/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct pair pair;
uint8_t recorded[2][PAIR_WIRE];
size_t recorded_size[2];
size_t starts[FRAMES + 1];
unsigned bits = 1;
unsigned long cases;

const struct pair_options patterns[PATTERNS] = {
    {.pattern = DUET_PATTERN_SECRET, .hello_size = 205},
    {.pattern = DUET_PATTERN_EPHEMERAL, .hello_size = 0},
    {.pattern = DUET_PATTERN_IDENTITY, .hello_size = 209}};

struct pair_end *
end_of(unsigned role)
{
    return &pair.end[role];
}

/* ---- What is sent, and what may come out ---- */

static const size_t payloads[] = {3, 70, 0, 5}; /* of the application's frames, in their order */

void
assert_prefix(const struct pair_end *end)
{
    size_t at = 0;

    assert_true(end->frames <= sizeof payloads / sizeof *payloads);
    for (unsigned f = 0; f < end->frames; f++)
        for (size_t i = 0; i < payloads[f]; i++)
            assert_int_equal(end->got[at++], pair_byte(i));
    assert_int_equal(end->got_size, at);
}

static void
mark_frame(const struct pair_end *end, unsigned *n)
{
    starts[++*n] = end->wire_size;
}

void
send_all(struct pair_end *end)
{
    uint8_t ping[DUET_PING_SIZE] = {1};
    unsigned n = 0;

    starts[0] = end->wire_size;
    assert_int_equal(pair_send(end, 0, payloads[0]), DUET_OK);
    mark_frame(end, &n);
    assert_int_equal(duet_session_ping(end->session, ping), DUET_OK);
    assert_int_equal(pair_flush(end), DUET_OK);
    mark_frame(end, &n);
    assert_int_equal(pair_send(end, DUET_CODE_MORE, payloads[1]), DUET_OK);
    mark_frame(end, &n);
    assert_int_equal(pair_send(end, 7, payloads[2]), DUET_OK);
    mark_frame(end, &n);
    assert_int_equal(duet_session_rekey(end->session), DUET_OK);
    assert_int_equal(pair_flush(end), DUET_OK);
    mark_frame(end, &n);
    assert_int_equal(pair_send(end, 0, payloads[3]), DUET_OK);
    mark_frame(end, &n);
    assert_int_equal(duet_session_close(end->session), DUET_OK);
    assert_int_equal(pair_flush(end), DUET_OK);
    mark_frame(end, &n);
}

static int
is_violation(int result)
{
    return result == DUET_E_CHECKSUM || result == DUET_E_SEQUENCE || result == DUET_E_TOO_LONG ||
           result == DUET_E_FORGED;
}

/** It is dead: every call says the same, and nothing is sent. */
static void
assert_dead(struct pair_end *end, int result)
{
    size_t before = end->wire_size;

    assert_prefix(end);
    assert_int_equal(pair_flush(end), result);
    assert_int_equal(pair_send(end, 0, 1), result);
    assert_int_equal(duet_session_end(end->session), result);
    assert_int_equal(pair_info(end).pending, 0);
    assert_int_equal(end->wire_size, before);
    cases++;
}

void
assert_unauthenticated(struct pair_end *end, int result)
{
    if (result == DUET_OK) /* it waits for more */
        result = duet_session_end(end->session);
    assert_int_equal(result, DUET_E_UNAUTHENTICATED);
    assert_false(pair_info(end).ready);
    assert_int_equal(end->got_size, 0);
    assert_dead(end, DUET_E_UNAUTHENTICATED);
}

size_t
open_and_send(unsigned pattern, unsigned from)
{
    pair_ready(&pair, &patterns[pattern]);
    send_all(end_of(from));
    return end_of(from)->wire_size;
}

void
assert_altered(unsigned to, const uint8_t *wire, size_t size)
{
    int result = pair_feed(end_of(to), wire, size, 0);

    if (result == DUET_OK) { /* what is missing is waited for */
        assert_int_equal(duet_session_end(end_of(to)->session), DUET_E_TRUNCATED);
        result = DUET_E_TRUNCATED;
    }
    assert_true(is_violation(result) || result == DUET_E_TRUNCATED);
    assert_dead(end_of(to), result);
    pair_close(&pair);
}

size_t
record_flight(unsigned flight)
{
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    for (unsigned i = 0;; i++) {
        struct pair_end *from = end_of(i % 2), *to = end_of((i + 1) % 2);
        assert_int_equal(pair_flush(from), DUET_OK);
        if (i == flight) {
            size_t size = from->wire_size;
            memcpy(recorded[0], from->wire, size);
            from->wire_size = 0;
            return size;
        }
        assert_int_equal(pair_carry(from, to), DUET_OK);
    }
}

unsigned
flights_of(unsigned pattern)
{
    return patterns[pattern].pattern == DUET_PATTERN_IDENTITY ? 4 : 3;
}

/* ---- The programs ---- */

void
read_arguments(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "--all") == 0)
        bits = 8;
}

int
count_cases(void **state)
{
    (void)state;
    printf("%lu cases of an altered wire, %u of 8 bits of a byte\n", cases, bits);
    return 0;
}
