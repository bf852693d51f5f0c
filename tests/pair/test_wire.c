/*
 * Two sessions whose wire is cut, changed and reordered at every octet: never a wrong octet out,
 * and the right result each time (docs/protocol.md §1, §4).
 */
#include "support/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pair pair;
static struct pair_end *const top = &pair.end[DUET_TOP];
static struct pair_end *const bottom = &pair.end[DUET_BOTTOM];
static uint8_t recorded[PAIR_WIRE];
static const struct pair_options patterns[] = {{.pattern = DUET_PATTERN_SECRET, .hello_pad = 5},
                                               {.pattern = DUET_PATTERN_EPHEMERAL, .hello_pad = 0},
                                               {.pattern = DUET_PATTERN_IDENTITY, .hello_pad = 9}};

enum { PATTERNS = sizeof patterns / sizeof *patterns };

/** Whatever was counted must be a prefix of what was sent: frames of 3, 70 and 0 octets. */
static void
assert_prefix(const struct pair_end *end)
{
    static const size_t sizes[] = {3, 70, 0};
    size_t at = 0;

    assert_true(end->frames <= 3);
    for (unsigned f = 0; f < end->frames; f++)
        for (size_t i = 0; i < sizes[f]; i++)
            assert_int_equal(end->got[at++], pair_octet(i));
    assert_int_equal(end->got_size, at);
}

static void
send_all(struct pair_end *end)
{
    assert_int_equal(pair_send(end, 0, 3), DUET_OK);
    assert_int_equal(pair_send(end, 7, 70), DUET_OK);
    assert_int_equal(pair_send(end, 0, 0), DUET_OK);
    assert_int_equal(duet_session_ask(end->session, DUET_ASK_CLOSE, NULL), DUET_OK);
    assert_int_equal(pair_flush(end), DUET_OK);
}

/** The flights of an initiation, by whom they are sent, until there are no more. */
static size_t
record_flight(unsigned flight)
{
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    for (unsigned i = 0;; i++) {
        struct pair_end *from = i % 2 == 0 ? top : bottom, *to = i % 2 == 0 ? bottom : top;
        assert_int_equal(pair_flush(from), DUET_OK);
        if (i == flight) {
            size_t size = from->wire_size;
            memcpy(recorded, from->wire, size);
            from->wire_size = 0;
            return size;
        }
        assert_int_equal(pair_carry(from, to), DUET_OK);
    }
}

static struct pair_end *
receiver_of(unsigned flight)
{
    return flight % 2 == 0 ? bottom : top;
}

/* Every flight octet by octet, and with its octets in pieces of other sizes. */
static void
split_everywhere(void **state)
{
    (void)state;
    for (int p = 0; p < PATTERNS; p++)
        for (size_t piece = 1; piece < 80; piece += piece < 20 ? 1 : 7) {
            pair_open(&pair, &patterns[p]);
            for (unsigned flight = 0; flight < 4; flight++) {
                struct pair_end *from = flight % 2 == 0 ? top : bottom;
                assert_int_equal(pair_flush(from), DUET_OK);
                size_t size = from->wire_size;
                from->wire_size = 0;
                assert_int_equal(pair_feed(receiver_of(flight), from->wire, size, piece), DUET_OK);
            }
            assert_true(pair_info(top).ready && pair_info(bottom).ready);
            send_all(top);
            assert_int_equal(pair_feed(bottom, top->wire, top->wire_size, piece), DUET_OK);
            assert_int_equal(bottom->frames, 3);
            assert_prefix(bottom);
            assert_true(pair_info(bottom).rx_closed);
            pair_close(&pair);
        }
}

/** One octet of a flight changed: the receiver answers nothing, and is dead or waits for more. */
static void
flip_in_flight(unsigned flight, size_t at, size_t size)
{
    struct pair_end *to = receiver_of(flight);

    assert_int_equal(record_flight(flight), size);
    recorded[at] ^= (uint8_t)(1u << at % 8);
    int result = pair_feed(to, recorded, size, 0);
    if (result == DUET_OK) /* a LENGTH and CHECKSUM that agree by chance can't be: it is one bit */
        result = duet_session_end(to->session);
    assert_int_equal(result, DUET_E_STRANGER);
    assert_false(pair_info(to).ready);
    assert_int_equal(pair_info(to).owed, 0);
    assert_int_equal(pair_flush(to), DUET_E_STRANGER);
}

static void
flip_every_octet_of_initiation(void **state)
{
    (void)state;
    for (int p = 0; p < PATTERNS; p++) {
        unsigned flights = patterns[p].pattern == DUET_PATTERN_IDENTITY ? 4 : 3;
        pair_open(&pair, &patterns[p]);
        for (unsigned flight = 0; flight < flights; flight++) {
            size_t size = record_flight(flight);
            assert_true(size > 0);
            for (size_t at = 0; at < size; at++)
                flip_in_flight(flight, at, size);
        }
        pair_close(&pair);
    }
}

static int
is_violation(int result)
{
    return result == DUET_E_CHECKSUM || result == DUET_E_SEQUENCE || result == DUET_E_TOO_LONG ||
           result == DUET_E_FORGED;
}

static void
flip_every_octet_of_data(void **state)
{
    size_t size = 1;

    (void)state;
    for (size_t at = 0; at < size; at++) {
        pair_ready(&pair, &patterns[1]);
        send_all(top);
        size = top->wire_size;
        top->wire[at] ^= (uint8_t)(1u << at % 8);
        int result = pair_carry(top, bottom);
        assert_true(is_violation(result));
        assert_prefix(bottom);
        assert_int_equal(pair_flush(bottom), result);
        assert_int_equal(pair_send(bottom, 0, 1), result);
        assert_int_equal(duet_session_end(bottom->session), result);
        pair_close(&pair);
    }
}

static void
cut_at_every_octet(void **state)
{
    size_t size = 1;

    (void)state;
    for (size_t at = 0; at < size; at++) {
        pair_ready(&pair, &patterns[1]);
        send_all(top);
        size = top->wire_size;
        assert_int_equal(pair_feed(bottom, top->wire, at, 0), DUET_OK);
        assert_int_equal(duet_session_end(bottom->session), DUET_E_TRUNCATED);
        assert_prefix(bottom);
        pair_close(&pair);
    }
}

/* Frames of 27, 94, 24 and 24 octets. */
static void
reorder(size_t first, size_t first_size, size_t second, size_t second_size)
{
    uint8_t wire[256];

    pair_ready(&pair, &patterns[1]);
    send_all(top);
    memcpy(wire, top->wire + first, first_size);
    memcpy(wire + first_size, top->wire + second, second_size);
    int result = pair_feed(bottom, wire, first_size + second_size, 0);
    assert_true(is_violation(result));
    assert_prefix(bottom);
    pair_close(&pair);
}

static void
dropped_doubled_swapped(void **state)
{
    (void)state;
    reorder(0, 27, 27 + 94, 24);  /* the second is dropped */
    reorder(0, 27, 0, 27);        /* the first is doubled */
    reorder(27, 94, 0, 27);       /* the first two are swapped */
    reorder(27 + 94, 24, 0, 121); /* the third comes first */
}

static void
reflected(void **state)
{
    (void)state;
    pair_ready(&pair, &patterns[1]);
    send_all(top);
    assert_true(is_violation(pair_feed(top, top->wire, top->wire_size, 0)));
    pair_close(&pair);
    pair_open(&pair, &patterns[1]);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_feed(top, top->wire, top->wire_size, 0), DUET_E_STRANGER);
    pair_close(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_everywhere),
        cmocka_unit_test(flip_every_octet_of_initiation),
        cmocka_unit_test(flip_every_octet_of_data),
        cmocka_unit_test(cut_at_every_octet),
        cmocka_unit_test(dropped_doubled_swapped),
        cmocka_unit_test(reflected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
