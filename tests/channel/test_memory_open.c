/*
 * The n-th allocation fails, for every n, while a channel is made and while it does its handshake:
 * DUET_E_MEMORY where the same call works when memory is there again, never the peer's fault, and
 * nothing is lost. The other calls are in test_memory.c.
 */
#include "channel/channel.h"
#include "channel/couple.h"
#include "support/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct couple couple;

/** Opening: DUET_E_MEMORY, no channel, and what was given stays the caller's. */
static void
opening(void **state)
{
    (void)state;
    for (int form = 0; form < 2 * COUPLE_KINDS; form++)
        for (int role = 0; role < 2; role++)
            for (long i = 0, unused = 0; !unused; i++) {
                size_t live = heap_ours.live;
                couple_prepare(&couple, (enum couple_kind)(form / 2), (enum couple_wire)(form % 2));
                heap_until = i;
                int result = couple_open_end(&couple, (enum duet_role)role);
                unused = heap_until >= 0;
                heap_until = -1;
                assert_int_equal(result, unused ? DUET_OK : DUET_E_MEMORY);
                if (!unused) {
                    assert_null(couple.end[role]);
                    assert_int_equal(couple_open_end(&couple, (enum duet_role)role), DUET_OK);
                }
                couple_close(&couple);
                assert_int_equal(heap_ours.live, live);
                assert_true(i < 100);
            }
}

/** The handshake at one end without the i-th allocation. Returns 1 when there was no i-th. */
static int
shake_without(enum duet_role role, long i)
{
    int unused = 0, result[2] = {DUET_AGAIN, DUET_AGAIN};
    long left = i;

    for (int turn = 0; turn < 100; turn++) {
        enum duet_role other = role == DUET_TOP ? DUET_BOTTOM : DUET_TOP;
        if (result[other] == DUET_AGAIN)
            result[other] = duet_channel_handshake(couple.end[other], 0);
        couple_free_kept_buffers();
        heap_until = left;
        if (result[role] == DUET_AGAIN)
            result[role] = duet_channel_handshake(couple.end[role], 0);
        unused = left >= 0 && heap_until >= 0;
        left = heap_until;
        heap_until = -1;
        if (result[role] == DUET_E_MEMORY) {
            assert_int_equal(couple.end[role]->result, DUET_OK);
            result[role] = DUET_AGAIN;
        }
    }
    if (couple.end[role]->result != DUET_OK) {
        assert_false(unused);
        assert_int_equal(duet_explain(result[role])->kind, DUET_CLASS_FATAL);
        assert_int_not_equal(result[role], DUET_E_MEMORY);
        assert_int_not_equal(result[role], DUET_E_UNAUTHENTICATED); /* the peer did nothing wrong */
        assert_int_equal(duet_channel_handshake(couple.end[role], 0), result[role]);
        return 0;
    }
    assert_int_equal(result[DUET_TOP], DUET_OK);
    assert_int_equal(result[DUET_BOTTOM], DUET_OK);
    couple_check_works(&couple);
    return unused;
}

static void
handshakes(void **state)
{
    (void)state;
    for (int form = 0; form < 2 * COUPLE_WIRES; form++)
        for (int role = 0; role < 2; role++)
            for (long i = 0, unused = 0; !unused; i++) {
                size_t live = heap_ours.live;
                couple_prepare(&couple, (enum couple_kind)(form / COUPLE_WIRES),
                               (enum couple_wire)(form % COUPLE_WIRES));
                couple_open(&couple);
                unused = shake_without((enum duet_role)role, i);
                couple_close(&couple);
                couple_free_kept_buffers();
                assert_int_equal(heap_ours.live, live);
                assert_true(i < 100);
            }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening),
        cmocka_unit_test(handshakes),
    };

    return heap_counts() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
