/*
 * A secret's NotAfter: judged where it is added and at each handshake, so that a program that runs
 * on past the day does not use it (docs/protocol.md §2).
 */
#include "session/session.h"
#include "support/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { DAY = 86400 };

static const uint8_t bytes[2][64] = {{1}, {2}};
static const uint8_t random_bytes[DUET_RANDOM_SIZE] = {7};

#define BEFORE_MS UINT64_C(1000)
#define AFTER_MS  ((uint64_t)DAY * 1000)

/** A configuration of two secrets of which the first may be used on 1 January 1970 alone. */
static duet_config *
config_of(int count)
{
    duet_config *config = duet_config_new();

    assert_non_null(config);
    assert_int_equal(duet__config_add_secret(config, bytes[0], 64, DAY - 1), DUET_OK);
    if (count > 1)
        assert_int_equal(duet__config_add_secret(config, bytes[1], 64, 0), DUET_OK);
    return config;
}

static void
added_secrets(void **state)
{
    duet_config *config = duet_config_new();
    duet_key *secret;

    (void)state;
    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, NULL, 128, -1), DUET_E_MISUSE);
    assert_null(secret);
    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, NULL, 128, 253402300800),
                     DUET_E_MISUSE);
    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, NULL, 128, 253402300799), DUET_OK);
    assert_int_equal(duet_key_size(secret), 128);
    assert_int_equal(duet_config_add(config, secret), DUET_OK);
    duet_key_free(secret);
    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, NULL, 128, 5), DUET_OK);
    assert_int_equal(duet_key_not_after(secret), DAY - 1);
    assert_int_equal(duet_config_add(config, secret), DUET_E_MISUSE);
    assert_int_equal(config->count, 1);
    duet_key_free(secret);
    duet_config_free(config);
}

/** TOP takes the first that may still be used; without one there is no session. */
static void
top(void **state)
{
    static const uint64_t times[] = {BEFORE_MS, 0}; /* 0: no clock */
    duet_session *session;

    (void)state;
    for (int count = 1; count <= 2; count++) {
        duet_config *config = config_of(count);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(duet_session_new(&session, config, DUET_TOP, random_bytes, times[i]),
                             DUET_OK);
            assert_ptr_equal(session->psk, &config->psks[0]);
            duet_session_free(session);
        }
        int result = duet_session_new(&session, config, DUET_TOP, random_bytes, AFTER_MS);
        assert_int_equal(result, count == 1 ? DUET_E_MISUSE : DUET_OK);
        if (result == DUET_OK)
            assert_ptr_equal(session->psk, &config->psks[1]);
        duet_session_free(session);
        duet_config_free(config);
    }
}

/** What a listener at a time makes of a flight under bytes[0]. */
static int
listen_at(uint64_t now_ms, int count, char *detail, size_t size)
{
    static uint8_t wire[8192], out[1];
    duet_config *configs[2] = {duet_config_new(), config_of(count)};
    duet_session *sessions[2];
    size_t put;

    assert_int_equal(duet__config_add_secret(configs[0], bytes[0], 64, 0), DUET_OK);
    assert_int_equal(duet_session_new(&sessions[0], configs[0], DUET_TOP, random_bytes, 0),
                     DUET_OK);
    assert_int_equal(duet_session_flush(sessions[0], wire, sizeof wire, &put), DUET_OK);
    assert_int_equal(duet_session_new(&sessions[1], configs[1], DUET_BOTTOM, random_bytes, now_ms),
                     DUET_OK);
    duet_step step = {.in = wire, .in_size = put, .out = out, .out_size = sizeof out};
    int result = duet_session_recv(sessions[1], &step);
    strncpy(detail, duet_session_detail(sessions[1]), size - 1);
    for (int i = 0; i < 2; i++) {
        duet_session_free(sessions[i]);
        duet_config_free(configs[i]);
    }
    return result;
}

static void
bottom(void **state)
{
    char detail[200] = "";

    (void)state;
    assert_int_equal(listen_at(BEFORE_MS, 1, detail, sizeof detail), DUET_OK);
    assert_int_equal(listen_at(0, 1, detail, sizeof detail), DUET_OK); /* no clock */
    assert_int_equal(listen_at(BEFORE_MS, 2, detail, sizeof detail), DUET_OK);
    assert_int_equal(listen_at(AFTER_MS, 1, detail, sizeof detail), DUET_E_UNAUTHENTICATED);
    assert_non_null(strstr(detail, "past its NotAfter"));
    assert_int_equal(listen_at(AFTER_MS, 2, detail, sizeof detail), DUET_E_UNAUTHENTICATED);
    assert_non_null(strstr(detail, "1 other(s) are past their NotAfter"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(added_secrets),
        cmocka_unit_test(top),
        cmocka_unit_test(bottom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
