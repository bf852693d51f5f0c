/*
 * The extension `kem` where it has no place, and how long its secrets are kept (docs/protocol.md §4
 * "Hybrid"). Its values are in vectors/test_hybrid.c.
 */
#include "support/pair.h"

#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct pair pair;
static struct pair_end *const top = &pair.end[DUET_TOP];
static struct pair_end *const bottom = &pair.end[DUET_BOTTOM];

/** Pattern 0 has no ML-KEM: both ends skip the extension unread. */
static void
in_pattern_0(void **state)
{
    static const char kem[] = {0, 1, 0, 2, 1, 7};

    (void)state;
    for (int i = 0; i < 2; i++) {
        pair_open(&pair, &(struct pair_options){.pattern = DUET_PATTERN_SECRET});
        pair.end[i].config->extensions[0] = (struct duet__bytes){kem, sizeof kem};
        assert_int_equal(pair_sessions(&pair), DUET_OK);
        assert_int_equal(pair_settle(&pair), DUET_OK);
        assert_int_equal(pair_info(top).ready, 1);
        pair_close(&pair);
    }
}

/** 1 when bytes are wiped. */
static int
is_wiped(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return 0;
    return 1;
}

/** The seed is wiped with the key pair made, the pair and ss before m3 goes out, which may wait for
 * as long as the wire is full. */
static void
secrets_go_early(void **state)
{
    (void)state;
    if (!duet_has_hybrid())
        skip();
    pair_open(&pair, &(struct pair_options){.pattern = DUET_PATTERN_IDENTITY});
    const struct duet__hybrid *hybrid = &top->session->handshake->messages.hybrid;
    assert_true(is_wiped(hybrid->draw, sizeof hybrid->draw));
    assert_non_null(hybrid->pair);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    const struct duet__hybrid *answer = &bottom->session->handshake->messages.hybrid;
    assert_true(is_wiped(answer->draw, sizeof answer->draw));
    assert_false(is_wiped(answer->shared, sizeof answer->shared));
    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(pair_carry(bottom, top), DUET_OK);
    assert_non_null(top->session->handshake); /* m3 is not flushed */
    assert_null(hybrid->pair);
    assert_true(is_wiped(hybrid->shared, sizeof hybrid->shared));
    pair_handshake(&pair);
    assert_int_equal(pair_info(top).hybrid, 1);
    assert_int_equal(pair_info(bottom).hybrid, 1);
    pair_close(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_pattern_0),
        cmocka_unit_test(secrets_go_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
