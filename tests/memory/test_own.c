/*
 * What an own handshake and an own schedule leave is nowhere: the agreed secret, the application's
 * state, and the keys of each epoch, once they should be gone; after a failure all of it.
 */
#include "memory/stage.h"

#include "session/session.h"
#include "support/own_ops.h"
#include "support/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct pair pair;
static struct pair_end *const top = &pair.end[DUET_TOP];
static struct pair_end *const bottom = &pair.end[DUET_BOTTOM];
static struct own_context own;

static void
open_both(void)
{
    duet_handshake_ops handshake = own_handshake(&own);
    duet_schedule_ops schedule = own_schedule(&own);

    memset(&own, 0, sizeof own);
    memset(&pair, 0, sizeof pair);
    stage_random(own.secret, sizeof own.secret);
    scan_add("W", own.secret, sizeof own.secret);
    for (int i = 0; i < 2; i++) {
        pair.end[i].config = duet_config_new();
        assert_non_null(pair.end[i].config);
        assert_int_equal(duet_config_set_own(pair.end[i].config, &handshake, NULL), DUET_OK);
        assert_int_equal(duet_config_set_own(pair.end[i].config, NULL, &schedule), DUET_OK);
    }
    assert_int_equal(pair_sessions(&pair), DUET_OK);
}

/** The secret that both will agree on: of each half, and of the nonces that pair.c draws. */
static void
expect_secret(void)
{
    static const char *const labels[] = {"top", "bot"};
    uint8_t text[3 + 64], half[32];

    memset(text + 3, 0x11, 32);
    memset(text + 35, 0x12, 32);
    for (int i = 0; i < 2; i++) {
        memcpy(text, labels[i], 3);
        duet__hkdf_extract(half, (struct duet__bytes){own.secret, sizeof own.secret},
                           (struct duet__bytes){text, sizeof text});
        scan_add("agreed", half, sizeof half);
    }
    duet_wipe(half, sizeof half);
}

static void
add_keys(const char *name, const struct duet__cipher *cipher)
{
    scan_add(name, cipher->root, sizeof cipher->root);
    scan_add(name, cipher->key.bytes, WIRE_KEY);
    scan_add(name, cipher->chain, sizeof cipher->chain);
}

/** BOTTOM has agreed, TOP has not. */
static void
half_way(void)
{
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
}

static void
ready_both(void)
{
    pair_handshake(&pair);
    add_keys("epoch", &top->session->tx);
    add_keys("epoch", &bottom->session->tx);
    scan_add("exporter", top->session->exporter, WIRE_DIGEST);
}

static void
rotate_both(void)
{
    assert_int_equal(duet_session_rekey(top->session), DUET_OK);
    assert_int_equal(duet_session_rekey(bottom->session), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    add_keys("next epoch", &top->session->tx);
    add_keys("next epoch", &bottom->session->tx);
}

/** Both schedules fail, one after the other: nothing of their sessions is left. */
static void
fail_both(void)
{
    for (int i = 0; i < 2; i++) {
        own.fail = own.calls + 1;
        own.failure = DUET_E_CRYPTO;
        assert_int_equal(duet_session_rekey(pair.end[i].session), DUET_OK);
        assert_int_equal(pair_flush(&pair.end[i]), DUET_OK); /* ROTATE itself still counts */
        assert_int_equal(pair_send(&pair.end[i], 1, 1), DUET_E_CRYPTO);
    }
}

static void
free_both(void)
{
    pair_close(&pair);
    duet_wipe(&own, sizeof own);
}

static void
begin(void)
{
    stage_begin();
    stage_run(open_both);
    stage_run(expect_secret);
    assert_there("W");
    stage_run(half_way);
    assert_gone("agreed");
    stage_run(ready_both);
    assert_gone("agreed");
    assert_copies("epoch", 2); /* one at each end */
    assert_copies("exporter", 2);
}

static void
whole_life(void **state)
{
    (void)state;
    begin();
    stage_run(rotate_both);
    assert_gone("epoch");
    assert_copies("next epoch", 2);
    stage_run(free_both);
    assert_gone(NULL);
    stage_end();
}

static void
after_a_failure(void **state)
{
    (void)state;
    begin();
    stage_run(fail_both);
    assert_gone("epoch");
    assert_gone("exporter");
    stage_run(free_both);
    assert_gone(NULL);
    stage_end();
}

/** An agreement that is refused is wiped too, with the state of the functions. */
static void
refused(void **state)
{
    (void)state;
    stage_begin();
    stage_run(open_both);
    own.fault = OWN_LONG_SALT;
    own.role = DUET_BOTTOM;
    stage_run(expect_secret);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_E_CALLBACK);
    assert_gone("agreed");
    stage_run(free_both);
    assert_gone(NULL);
    stage_end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_life),
        cmocka_unit_test(after_a_failure),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
