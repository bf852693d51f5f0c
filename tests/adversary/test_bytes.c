/*
 * Two sessions whose wire belongs to an adversary who holds no secret: each byte (with --all each
 * bit) changed, and bytes cut, put in and taken out at every place, in all patterns and both
 * directions (docs/protocol.md §1, §4, §7).
 *
 * Never a wrong byte out, the right result each time, silence before READY.
 */
#include "adversary/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Initiation ---- */

/** Do something to one flight at each of its bytes. */
static void
each_byte_of_initiation(void (*change)(unsigned flight, size_t at, size_t size))
{
    for (unsigned p = 0; p < PATTERNS; p++) {
        pair_open(&pair, &patterns[p]);
        for (unsigned flight = 0; flight < flights_of(p); flight++) {
            size_t size = record_flight(flight);
            assert_true(size > 0);
            for (size_t at = 0; at < size; at++)
                change(flight, at, size);
        }
        pair_close(&pair);
    }
}

static void
flip_in_flight(unsigned flight, size_t at, size_t size)
{
    struct pair_end *to = end_of((flight + 1) % 2);

    for (unsigned bit = 0; bit < bits; bit++) {
        assert_int_equal(record_flight(flight), size);
        recorded[0][at] ^= (uint8_t)(1u << (at + bit) % 8);
        assert_unauthenticated(to, pair_feed(to, recorded[0], size, 0));
    }
}

static void
cut_in_flight(unsigned flight, size_t at, size_t size)
{
    struct pair_end *to = end_of((flight + 1) % 2);

    assert_int_equal(record_flight(flight), size);
    assert_unauthenticated(to, pair_feed(to, recorded[0], at, 0));
}

static void
insert_in_flight(unsigned flight, size_t at, size_t size)
{
    struct pair_end *to = end_of((flight + 1) % 2);

    assert_int_equal(record_flight(flight), size);
    memmove(recorded[0] + at + 1, recorded[0] + at, size - at);
    recorded[0][at] = (uint8_t)(at * 13);
    if (recorded[0][at] == recorded[0][at + 1]) /* the same stream, one byte longer */
        recorded[0][at] ^= 1;
    assert_unauthenticated(to, pair_feed(to, recorded[0], size + 1, 0));
}

static void
initiation_flipped(void **state)
{
    (void)state;
    each_byte_of_initiation(flip_in_flight);
}

static void
initiation_cut(void **state)
{
    (void)state;
    each_byte_of_initiation(cut_in_flight);
}

static void
initiation_with_more(void **state)
{
    (void)state;
    each_byte_of_initiation(insert_in_flight);
}

/* However its bytes come together, it is the same stream. */
static void
split_everywhere(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PATTERNS; p++)
        for (size_t piece = 1; piece < 80; piece += piece < 20 || bits > 1 ? 1 : 7) {
            pair_open(&pair, &patterns[p]);
            for (unsigned flight = 0; flight < 4; flight++) {
                struct pair_end *from = end_of(flight % 2);
                assert_int_equal(pair_flush(from), DUET_OK);
                size_t size = from->wire_size;
                from->wire_size = 0;
                assert_int_equal(pair_feed(end_of((flight + 1) % 2), from->wire, size, piece),
                                 DUET_OK);
            }
            assert_true(pair_info(end_of(0)).ready && pair_info(end_of(1)).ready);
            send_all(end_of(0));
            assert_int_equal(pair_feed(end_of(1), end_of(0)->wire, end_of(0)->wire_size, piece),
                             DUET_OK);
            assert_int_equal(end_of(1)->frames, 4);
            assert_prefix(end_of(1));
            assert_true(pair_info(end_of(1)).rx_closed);
            pair_close(&pair);
            cases++;
        }
}

/* ---- Data: single bytes ---- */

/** Call for each byte of what each end sends, in each pattern. */
static void
each_byte_of_data(void (*change)(unsigned pattern, unsigned from, size_t at))
{
    for (unsigned p = 0; p < PATTERNS; p++)
        for (unsigned from = 0; from < 2; from++) {
            size_t size = open_and_send(p, from);
            pair_close(&pair);
            for (size_t at = 0; at < size; at++)
                change(p, from, at);
        }
}

static void
flip(unsigned pattern, unsigned from, size_t at)
{
    for (unsigned bit = 0; bit < bits; bit++) {
        size_t size = open_and_send(pattern, from);
        end_of(from)->wire[at] ^= (uint8_t)(1u << (at + bit) % 8);
        assert_altered(!from, end_of(from)->wire, size);
    }
}

static void
cut(unsigned pattern, unsigned from, size_t at)
{
    open_and_send(pattern, from);
    assert_altered(!from, end_of(from)->wire, at);
}

static void
take_out(unsigned pattern, unsigned from, size_t at)
{
    size_t size = open_and_send(pattern, from);
    uint8_t *wire = end_of(from)->wire;

    memmove(wire + at, wire + at + 1, size - at - 1);
    assert_altered(!from, wire, size - 1);
}

static void
put_in(unsigned pattern, unsigned from, size_t at)
{
    size_t size = open_and_send(pattern, from);
    uint8_t *wire = end_of(from)->wire;

    memmove(wire + at + 1, wire + at, size - at);
    wire[at] = (uint8_t)~wire[at + 1];
    assert_altered(!from, wire, size + 1);
}

static void
data_flipped(void **state)
{
    (void)state;
    each_byte_of_data(flip);
}

static void
data_cut(void **state)
{
    (void)state;
    each_byte_of_data(cut);
}

static void
data_taken_out(void **state)
{
    (void)state;
    each_byte_of_data(take_out);
}

static void
data_put_in(void **state)
{
    (void)state;
    each_byte_of_data(put_in);
}

int
main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_everywhere), cmocka_unit_test(initiation_flipped),
        cmocka_unit_test(initiation_cut),   cmocka_unit_test(initiation_with_more),
        cmocka_unit_test(data_flipped),     cmocka_unit_test(data_cut),
        cmocka_unit_test(data_taken_out),   cmocka_unit_test(data_put_in),
    };

    read_arguments(count, arguments);
    return cmocka_run_group_tests(tests, NULL, count_cases);
}
