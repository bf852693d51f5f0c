/*
 * How many allocations a connection takes, ours and libcrypto's: they are bounded, and after the
 * set-up there is none (docs/architecture.md, "Memory").
 */
#include "support/between.h"
#include "support/heap.h"
#include "support/pair.h"

#include "crypto/aead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pair pair;

/** Both ends together: for each a session, the handshake's block, its messages and a HELLO, in
 * pattern 2 BOTTOM two. X25519 alone makes libcrypto allocate. */
static void
of_a_connection(void **state)
{
    static const struct {
        unsigned ours, steps; /* steps: of X25519, both ends together */
    } bounds[] = {{8, 0}, {8, 4}, {9, 8}};

    (void)state;
    for (int pattern = 0; pattern < 3; pattern++) {
        pair_open(&pair, &(struct pair_options){.pattern = (enum duet_pattern)pattern});
        pair_handshake(&pair); /* a first one, after which libcrypto has looked everything up */
        heap_restart();
        assert_int_equal(pair_sessions(&pair), DUET_OK);
        pair_handshake(&pair);
        assert_int_equal(heap_ours.calls, bounds[pattern].ours);
        /* In a hybrid session also three steps of ML-KEM. */
        unsigned kem = duet_has_hybrid() && bounds[pattern].steps > 0 ? 3 : 0;
        assert_between(heap_libcrypto.calls, 0, 25 * (bounds[pattern].steps + kem));
        if (bounds[pattern].steps == 0)
            assert_int_equal(heap_libcrypto.calls, 0);
        pair_close(&pair);
    }
}

static void
none_for_frames(void **state)
{
    (void)state;
    pair_ready(&pair, &(struct pair_options){.rotate_frames = 3});
    heap_restart();
    for (size_t n = 0; n < 2000; n += 37) {
        assert_int_equal(pair_send(&pair.end[DUET_TOP], 7, n), DUET_OK);
        assert_int_equal(pair_carry(&pair.end[DUET_TOP], &pair.end[DUET_BOTTOM]), DUET_OK);
    }
    assert_true(pair_info(&pair.end[DUET_TOP]).tx_epoch > 0);
    assert_int_equal(heap_ours.calls, 0);
    assert_int_equal(heap_libcrypto.calls, 0);
    pair_close(&pair);
}

static void
none_for_a_noise_message(void **state)
{
    static const uint8_t key[32] = {1};
    const struct duet__aead with = {key, 5, {"ad", 2}};
    uint8_t bytes[40 + DUET__TAG] = {0};

    (void)state;
    heap_restart();
    assert_int_equal(duet__aead_encrypt(&with, bytes, bytes, 40), DUET_OK);
    assert_int_equal(duet__aead_decrypt(&with, bytes, bytes, sizeof bytes), DUET_OK);
    assert_int_equal(heap_libcrypto.calls, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_connection),
        cmocka_unit_test(none_for_frames),
        cmocka_unit_test(none_for_a_noise_message),
    };
    if (heap_count_libcrypto() != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
