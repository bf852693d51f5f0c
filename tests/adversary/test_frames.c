/*
 * As test_bytes.c, with whole frames and directions: frames dropped, doubled and exchanged;
 * reflected, replayed to who knows them and who does not, and led into other sessions
 * (docs/protocol.md §1, §4 "Replay", §7).
 */
#include "adversary/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Data: whole frames ---- */

/** Frames in another order; order[i] is the frame that comes i-th. */
static void
assert_order(unsigned pattern, unsigned from, const unsigned *order, unsigned count)
{
    size_t size = 0;

    open_and_send(pattern, from);
    for (unsigned i = 0; i < count; i++) {
        size_t begin = starts[order[i]], n = starts[order[i] + 1] - begin;
        memcpy(recorded[from] + size, end_of(from)->wire + begin, n);
        size += n;
    }
    assert_altered(!from, recorded[from], size);
}

/** All frames but the i-th. */
static void
assert_dropped(unsigned pattern, unsigned from, unsigned i)
{
    unsigned order[SENT], n = 0;

    for (unsigned k = 0; k < SENT; k++)
        if (k != i)
            order[n++] = k;
    assert_order(pattern, from, order, n);
}

/** The i-th twice. */
static void
assert_doubled(unsigned pattern, unsigned from, unsigned i)
{
    unsigned order[SENT + 1];

    for (unsigned k = 0; k <= SENT; k++)
        order[k] = k <= i ? k : k - 1;
    assert_order(pattern, from, order, SENT + 1);
}

/** The i-th and the j-th exchanged. */
static void
assert_swapped(unsigned pattern, unsigned from, unsigned i, unsigned j)
{
    unsigned order[SENT];

    for (unsigned k = 0; k < SENT; k++)
        order[k] = k == i ? j : k == j ? i : k;
    assert_order(pattern, from, order, SENT);
}

static void
dropped_doubled_swapped(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PATTERNS; p++)
        for (unsigned from = 0; from < 2; from++)
            for (unsigned i = 0; i < SENT; i++) {
                assert_dropped(p, from, i);
                if (i < SENT - 1) /* behind CLOSE nothing is read */
                    assert_doubled(p, from, i);
                for (unsigned j = i + 1; j < SENT; j++)
                    assert_swapped(p, from, i, j);
            }
}

/* ---- Other places: reflected, replayed, led elsewhere ---- */

/** A session from first byte to CLOSE, its directions recorded. */
static void
record_session(unsigned pattern)
{
    pair_open(&pair, &patterns[pattern]);
    recorded_size[0] = recorded_size[1] = 0;
    for (unsigned i = 0; i < 6; i++) {
        struct pair_end *from = end_of(i % 2);
        if (i >= 4)
            send_all(from);
        assert_int_equal(pair_flush(from), DUET_OK);
        memcpy(recorded[i % 2] + recorded_size[i % 2], from->wire, from->wire_size);
        recorded_size[i % 2] += from->wire_size;
        assert_int_equal(pair_carry(from, end_of((i + 1) % 2)), DUET_OK);
    }
    assert_true(pair_info(end_of(0)).rx_closed && pair_info(end_of(1)).rx_closed);
}

/** Fresh sessions under the same secret, with randomness that the recorded one did not have. */
static void
fresh_sessions(int known)
{
    uint8_t random[DUET_RANDOM_SIZE];

    for (unsigned role = 0; role < 2; role++) {
        struct pair_end *end = end_of(role);
        duet_session_free(end->session);
        end->wire_size = end->got_size = end->pending = 0;
        end->frames = 0;
        end->nonce_known = known;
        memset(random, 0xa0 + (int)role, sizeof random);
        assert_int_equal(
            duet_session_new(&end->session, end->config, (enum duet_role)role, random, 0), DUET_OK);
    }
}

/** A direction of the recorded session to a fresh end of `role`, in pieces. */
static void
replay(unsigned direction, unsigned role, int known, size_t piece)
{
    struct pair_end *to = end_of(role);

    fresh_sessions(known);
    assert_int_equal(pair_flush(end_of(DUET_TOP)), DUET_OK);
    int result = pair_feed(to, recorded[direction], recorded_size[direction], piece);
    size_t said = to->wire_size;
    assert_unauthenticated(to, result);
    if (role == DUET_BOTTOM && (known || direction != DUET_TOP))
        assert_int_equal(said, 0);
}

static void
replayed(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PATTERNS; p++) {
        record_session(p);
        for (size_t piece = 0; piece < 60; piece++) {
            replay(DUET_TOP, DUET_BOTTOM, 1, piece);    /* the listener remembers it */
            replay(DUET_TOP, DUET_BOTTOM, 0, piece);    /* another listener */
            replay(DUET_BOTTOM, DUET_TOP, 0, piece);    /* an answer of yesterday */
            replay(DUET_TOP, DUET_TOP, 0, piece);       /* the directions exchanged */
            replay(DUET_BOTTOM, DUET_BOTTOM, 0, piece); /* likewise */
        }
        pair_close(&pair);
    }
}

static void
reflect_flight(unsigned pattern)
{
    pair_open(&pair, &patterns[pattern]);
    size_t size = record_flight(0);
    for (size_t at = 0; at < size; at++) {
        record_flight(0);
        assert_unauthenticated(end_of(0), pair_feed(end_of(0), recorded[0] + at, size - at, 0));
    }
    pair_close(&pair);
}

static void
reflect_frames(unsigned pattern, unsigned from)
{
    size_t size = open_and_send(pattern, from);

    pair_close(&pair);
    for (size_t at = 0; at < size; at++) {
        open_and_send(pattern, from);
        assert_altered(from, end_of(from)->wire + at, size - at);
    }
}

/* Each end's own bytes come back to it, from any byte of them on. */
static void
reflected(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PATTERNS; p++) {
        reflect_flight(p);
        for (unsigned from = 0; from < 2; from++)
            reflect_frames(p, from);
    }
}

/* The data of one session, under the same secret and from its first frame on, in another one. */
static void
led_elsewhere(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PATTERNS; p++)
        for (unsigned from = 0; from < 2; from++) {
            size_t size = open_and_send(p, from);
            memcpy(recorded[0], end_of(from)->wire, size);
            fresh_sessions(0);
            pair_handshake(&pair);
            assert_altered(!from, recorded[0], size);
        }
}

int
main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dropped_doubled_swapped),
        cmocka_unit_test(replayed),
        cmocka_unit_test(reflected),
        cmocka_unit_test(led_elsewhere),
    };

    read_arguments(count, arguments);
    return cmocka_run_group_tests(tests, NULL, count_cases);
}
