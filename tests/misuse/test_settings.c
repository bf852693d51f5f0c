/*
 * The settings of sessions without a channel: each has its effect, or the session is refused.
 * DUET_SET_FRAME_SIZE and _BUFFERED are a channel's (channel/test_settings.c).
 */
#include "support/own_ops.h"
#include "support/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct pair pair;
static struct pair_end *const top = &pair.end[DUET_TOP];
static struct pair_end *const bottom = &pair.end[DUET_BOTTOM];

/** Sessions under settings; the first configuration is that of sessions that were not used. */
static void
open_with(enum duet_setting setting, uint64_t top_value, uint64_t bottom_value)
{
    pair_open(&pair, &(struct pair_options){.pattern = DUET_PATTERN_EPHEMERAL});
    pair_thaw(&pair);
    assert_int_equal(duet_config_set(top->config, setting, top_value), DUET_OK);
    assert_int_equal(duet_config_set(bottom->config, setting, bottom_value), DUET_OK);
    assert_int_equal(pair_sessions(&pair), DUET_OK);
}

static void
patterns(void **state)
{
    (void)state;
    open_with(DUET_SET_PATTERNS, 1, 3);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(pair_info(top).pattern, DUET_PATTERN_SECRET);
    pair_close(&pair);
    open_with(DUET_SET_PATTERNS, 1, 2);
    assert_int_equal(pair_settle(&pair), DUET_E_UNAUTHENTICATED);
    pair_close(&pair);
}

static void
max_payload(void **state)
{
    (void)state;
    open_with(DUET_SET_MAX_PAYLOAD, 300, 400);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(pair_send(bottom, 1, 301), DUET_E_LENGTH);
    assert_int_equal(pair_send(bottom, 1, 300), DUET_OK);
    assert_int_equal(pair_send(top, 1, 401), DUET_E_LENGTH);
    assert_int_equal(pair_send(top, 1, 400), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    pair_close(&pair);
}

static void
speak_first(void **state)
{
    (void)state;
    for (unsigned on = 0; on < 2; on++) {
        open_with(DUET_SET_SPEAK_FIRST, 0, on);
        assert_int_equal(pair_flush(top), DUET_OK);
        assert_int_equal(pair_carry(top, bottom), DUET_OK);
        assert_int_equal(pair_flush(bottom), DUET_OK);
        assert_int_equal(pair_info(bottom).may_send, (int)on);
        assert_int_equal(pair_send(bottom, 1, 10), on ? DUET_OK : DUET_E_MISUSE);
        assert_int_equal(pair_settle(&pair), DUET_OK);
        assert_int_equal(top->got_size, on ? 10 : 0);
        pair_close(&pair);
    }
}

/** pair.c's sessions have no clock, so that any time is refused where clocks count. */
static void
max_skew(void **state)
{
    (void)state;
    for (unsigned on = 0; on < 2; on++) {
        open_with(DUET_SET_MAX_SKEW_MS, 0, on ? 1000 : 0);
        assert_int_equal(pair_settle(&pair), on ? DUET_E_UNAUTHENTICATED : DUET_OK);
        pair_close(&pair);
    }
}

static void
hybrid(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 2 && duet_has_hybrid(); value++) {
        open_with(DUET_SET_HYBRID, DUET_HYBRID_OFFER, value);
        assert_int_equal(pair_settle(&pair), DUET_OK);
        assert_int_equal(pair_info(top).hybrid, (int)value);
        pair_close(&pair);
    }
}

/** A preset session, and one with an own handshake, refuse what they could not do. */
static void
refused(void **state)
{
    static const struct {
        enum duet_setting setting;
        int own; /* with an own handshake */
        uint64_t value;
    } rows[] = {
        {DUET_SET_PATTERNS, DUET_E_MISUSE, 2},
        {DUET_SET_MAX_SKEW_MS, DUET_E_MISUSE, 1000},
        {DUET_SET_SPEAK_FIRST, DUET_OK, 1},
        {DUET_SET_HYBRID, DUET_E_MISUSE, DUET_HYBRID_REQUIRE},
    };
    static const uint8_t bytes[DUET_RANDOM_SIZE] = "only for a test";
    static struct own_context context;
    duet_handshake_ops ops = own_handshake(&context);
    duet_session *session;

    (void)state;
    memset(context.secret, 0x77, sizeof context.secret);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        duet_config *config = duet_config_new();
        if (rows[i].setting == DUET_SET_HYBRID && !duet_has_hybrid()) {
            duet_config_free(config);
            continue;
        }
        assert_int_equal(duet_config_add_secret(config, bytes, 64), DUET_OK);
        assert_int_equal(duet_config_set(config, rows[i].setting, rows[i].value), DUET_OK);
        assert_int_equal(duet_session_new_preset(&session, config, DUET_TOP, bytes, 16),
                         DUET_E_MISUSE);
        assert_null(session);
        assert_int_equal(duet_config_set_own(config, &ops, NULL), DUET_OK);
        assert_int_equal(duet_session_new(&session, config, DUET_TOP, bytes, 0), rows[i].own);
        duet_session_free(session);
        duet_config_free(config);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns), cmocka_unit_test(max_payload), cmocka_unit_test(speak_first),
        cmocka_unit_test(max_skew), cmocka_unit_test(hybrid),      cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
