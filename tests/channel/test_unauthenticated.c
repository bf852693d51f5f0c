/*
 * What a peer that proves nothing costs a listener: bytes that are allocated, counted (docs/protocol.md
 * §4 "HELLO"). The dearest one replays a header that it has recorded, with a LENGTH that it made
 * longer, and sends as much after it.
 */
#include "channel/couple.h"
#include "support/between.h"
#include "support/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { FLIGHT = 4096, SENT = 12000 };
enum { COST = 6144, COST_OF_NOISE = 4096 }; /* bytes of heap */

static struct couple couple;

/** A first flight of TOP's. Returns its bytes. */
static size_t
record_flight(uint8_t flight[FLIGHT])
{
    uint8_t random[DUET_RANDOM_SIZE] = {7};
    duet_session *session;
    size_t put;

    assert_int_equal(duet_session_new(&session, couple.config[DUET_TOP], DUET_TOP, random, 0),
                     DUET_OK);
    assert_int_equal(duet_session_flush(session, flight, FLIGHT, &put), DUET_OK);
    duet_session_free(session);
    return put;
}

/** What BOTTOM's channel holds once an unauthenticated peer has sent bytes, and what it says then. */
static size_t
cost(const uint8_t *bytes, size_t size, int expected)
{
    size_t before = heap_ours.held;

    assert_int_equal(couple_open_end(&couple, DUET_BOTTOM), DUET_OK);
    for (size_t at = 0; at < size; at += 1000) {
        size_t n = size - at < 1000 ? size - at : 1000;
        assert_int_equal(write(couple.fd[DUET_TOP], bytes + at, n), n);
        int result = duet_channel_handshake(couple.end[DUET_BOTTOM], 0);
        assert_int_equal(result, at + n < size ? DUET_AGAIN : expected);
    }
    couple_free_kept_buffers();
    return heap_ours.held - before;
}

static void
a_recorded_header(void **state)
{
    static uint8_t bytes[FLIGHT + SENT];

    (void)state;
    couple_prepare(&couple, COUPLE_STANDARD, COUPLE_UNIX);
    assert_true(record_flight(bytes) > DUET_NONCE_SIZE + DUET_HEADER_SIZE);
    for (size_t i = 0; i < 2; i++) /* bits 11 to 13 of LENGTH, and of CHECKSUM */
        bytes[DUET_NONCE_SIZE + 12 * i + 2] ^= 0x38;
    size_t held = cost(bytes, SENT, DUET_AGAIN);
    print_message("a recorded header costs %zu bytes\n", held);
    assert_between(held, 1, COST);
    couple_close(&couple);
}

/** What noise of that size costs. */
static size_t
cost_of_noise(size_t size, int expected)
{
    static uint8_t noise[SENT];

    couple_prepare(&couple, COUPLE_STANDARD, COUPLE_UNIX);
    memset(noise, 0x3a, sizeof noise);
    size_t held = cost(noise, size, expected);
    print_message("%zu bytes of noise cost %zu bytes\n", size, held);
    couple_close(&couple);
    return held;
}

static void
a_random_header(void **state)
{
    (void)state;
    assert_between(cost_of_noise(47, DUET_AGAIN), 1, COST_OF_NOISE);
    assert_between(cost_of_noise(48, DUET_E_UNAUTHENTICATED), 1, COST_OF_NOISE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorded_header),
        cmocka_unit_test(a_random_header),
    };

    return heap_counts() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
