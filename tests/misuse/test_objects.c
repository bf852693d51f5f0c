/*
 * Every call on an object that is fresh, dead or closed: the same answer each time, nothing
 * written, nothing that crashes.
 */
#include "support/pair.h"

#include "session/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct pair pair;
static struct pair_end *const top = &pair.end[DUET_TOP];
static struct pair_end *const bottom = &pair.end[DUET_BOTTOM];
static const struct pair_options plain = {.pattern = DUET_PATTERN_EPHEMERAL};

static void
raw_direction(void **state)
{
    static const uint8_t bytes[64];
    uint8_t out[64];
    duet_cipher d;
    uint32_t code, len;
    size_t put;

    (void)state;
    memset(&d, 0, sizeof d); /* never started */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(duet_seal(&d, out, bytes, 8, 0), DUET_E_MISUSE);
        assert_int_equal(duet_cipher_seal_begin(&d, out, 0, 8), DUET_E_MISUSE);
        assert_int_equal(duet_cipher_seal_piece(&d, out, &put, bytes, 8), DUET_E_MISUSE);
        assert_int_equal(duet_cipher_open_header(&d, &code, &len, bytes), DUET_E_MISUSE);
        assert_int_equal(duet_cipher_open_piece(&d, out, &put, bytes, 8), DUET_E_MISUSE);
        duet_wipe(&d, sizeof d);
    }

    /* dead of a header that is noise */
    assert_int_equal(duet_cipher_init(&d, bytes, bytes, bytes, 1, 100), DUET_OK);
    int result = duet_cipher_open_header(&d, &code, &len, bytes);
    assert_int_equal(result, DUET_E_CHECKSUM);
    assert_int_equal(duet_cipher_open_header(&d, &code, &len, bytes), result);
    assert_int_equal(duet_cipher_open_piece(&d, out, &put, bytes, 8), result);
    assert_int_equal(duet_seal(&d, out, bytes, 8, 0), result);

    /* a frame is begun: nothing else may be */
    assert_int_equal(duet_cipher_init(&d, bytes, bytes, bytes, 1, 100), DUET_OK);
    assert_int_equal(duet_cipher_seal_begin(&d, out, 0, 8), DUET_OK);
    assert_int_equal(duet_cipher_seal_begin(&d, out, 0, 8), DUET_E_MISUSE);
    assert_int_equal(duet_seal(&d, out, bytes, 8, 0), DUET_E_MISUSE);
    assert_int_equal(duet_cipher_seal_piece(&d, out, &put, bytes, 9), DUET_E_MISUSE);
    assert_int_equal(duet_cipher_seal_piece(&d, out, &put, bytes, 8), DUET_OK);
    assert_int_equal(put, 8 + DUET_MAC_SIZE);
}

/** All calls on a session, each with the result that is expected of those that can fail. */
static void
assert_all(duet_session *session, int expected)
{
    static const uint8_t bytes[DUET_FRESH_SIZE] = {1};
    uint8_t out[100];
    size_t put;
    struct duet_step step = {.in = bytes, .in_size = sizeof bytes, .out = out, .out_size = 100};
    duet_info info;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(duet_session_send(session, out, 0, bytes, 8), expected);
        assert_int_equal(duet_session_send_begin(session, out, 0, 8), expected);
        assert_int_equal(duet_session_send_piece(session, out, &put, bytes, 8), expected);
        assert_int_equal(duet_session_send(session, out, DUET_CODE_PAD, NULL, 8), expected);
        for (int request = DUET_ASK_FRESH; request <= DUET_ASK_ANSWER; request++)
            if (expected != DUET_E_MISUSE ||
                (request != DUET_ASK_CLOSE && request != DUET_ASK_KNOWN))
                assert_int_equal(duet_session_ask(session, (enum duet_request)request, bytes),
                                 expected);
        assert_int_equal(duet_session_export(session, out, 8, bytes, 8),
                         expected == DUET_E_MISUSE ? DUET_OK : expected);
        assert_int_equal(duet_session_flush(session, out, sizeof out, &put),
                         expected == DUET_E_MISUSE ? DUET_OK : expected);
        assert_int_equal(put, 0);
        assert_int_equal(duet_session_recv(session, &step),
                         expected == DUET_E_MISUSE ? DUET_CLOSED : expected);
        assert_int_equal(step.used + step.put, 0);
        duet_session_info(session, &info);
        assert_false(info.may_send);
    }
}

static void
dead_session(void **state)
{
    static const uint8_t noise[100];

    (void)state;
    pair_ready(&pair, &plain);
    int result = pair_feed(top, noise, sizeof noise, 0);
    assert_int_equal(result, DUET_E_CHECKSUM);
    assert_all(top->session, result);
    assert_int_equal(duet_session_end(top->session), result); /* the first one sticks */
    pair_close(&pair);

    pair_open(&pair, &plain);
    assert_int_equal(pair_feed(bottom, noise, sizeof noise, 0), DUET_E_UNAUTHENTICATED);
    assert_all(bottom->session, DUET_E_UNAUTHENTICATED);
    pair_close(&pair);
    duet_session_free(NULL);
    duet_config_free(NULL);
}

static void
closed_session(void **state)
{
    (void)state;
    pair_ready(&pair, &plain);
    assert_int_equal(duet_session_close(top->session), DUET_OK);
    assert_int_equal(duet_session_close(bottom->session), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(duet_session_close(top->session), DUET_E_MISUSE);
    assert_all(top->session, DUET_E_MISUSE);
    assert_string_equal(duet_session_detail(top->session), "");
    pair_close(&pair);
}

static void
fresh_session(void **state)
{
    static const uint8_t bytes[100];
    uint8_t out[200];
    struct duet_step step = {.in = bytes, .in_size = sizeof bytes};
    duet_info info;

    (void)state;
    pair_open(&pair, &plain);
    assert_int_equal(duet_session_send(top->session, out, 0, bytes, 8), DUET_E_MISUSE);
    assert_int_equal(duet_session_send(top->session, out, DUET_CODE_PAD, NULL, 8), DUET_E_MISUSE);
    assert_int_equal(duet_session_export(top->session, out, 8, NULL, 0), DUET_E_MISUSE);
    assert_int_equal(duet_session_accept(top->session, 0), DUET_E_MISUSE);
    assert_int_equal(duet_session_refresh(top->session, bytes), DUET_E_MISUSE);
    assert_int_equal(duet_session_ping(top->session, NULL), DUET_E_MISUSE);
    assert_int_equal(duet_session_recv(top->session, &step), DUET_E_MISUSE); /* it speaks first */
    duet_session_info(bottom->session, &info);
    assert_int_equal(info.pending, 0);
    assert_int_equal((int)info.pattern, -1);
    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(duet_session_end(bottom->session), DUET_E_UNAUTHENTICATED);
    pair_close(&pair);
}

/** All changes of a configuration return the same. */
static void
assert_changes(duet_config *config, int expected)
{
    static const uint8_t bytes[64] = {9};
    static struct duet__profile profile;
    struct duet__peer peer = {.name = "peer", .public_key = {9}};
    const struct duet__peers peers = {&peer, 1};
    duet_key *identity;

    duet__profile_init(&profile);
    assert_int_equal(duet_key_new(&identity, DUET_KIND_IDENTITY, bytes, DUET_KEY_SIZE, 0), DUET_OK);
    assert_int_equal(duet__config_add_secret(config, bytes, sizeof bytes, 0), expected);
    assert_int_equal(duet_config_add(config, identity), expected);
    duet_key_free(identity);
    assert_int_equal(duet__config_set_peers(config, &peers), expected);
    assert_int_equal(duet__config_set_profile(config, &profile), expected);
    assert_int_equal(duet_config_set(config, DUET_SET_PATTERNS, 1u << DUET_PATTERN_EPHEMERAL),
                     expected);
}

/** The first session freezes its configuration, even once that session is gone; one that could not
 * be made does not. */
static void
config_in_use(void **state)
{
    static const uint8_t random[DUET_RANDOM_SIZE] = {1}, salt[16] = {2}, secret[64] = {3};
    duet_config *config = duet_config_new();
    duet_session *session;

    (void)state;
    assert_non_null(config);
    assert_int_equal(duet_session_new(&session, config, DUET_TOP, random, 0), DUET_E_MISUSE);
    assert_int_equal(duet__config_add_secret(config, secret, sizeof secret, 0), DUET_OK);
    assert_int_equal(duet_session_new_preset(&session, config, DUET_TOP, salt, 15), DUET_E_MISUSE);
    assert_int_equal(duet_session_new_preset(&session, config, DUET_TOP, salt, 16), DUET_OK);
    assert_changes(config, DUET_E_MISUSE);
    duet_session_free(session);
    assert_changes(config, DUET_E_MISUSE);
    assert_int_equal(duet_session_new_preset(&session, config, DUET_TOP, salt, 16), DUET_OK);
    duet_session_free(session);
    duet_config_free(config);

    config = duet_config_new();
    assert_changes(config, DUET_OK);
    assert_int_equal(duet__config_set_peers(config, &(struct duet__peers){NULL, 0}), DUET_OK);
    assert_int_equal(duet_config_set(config, DUET_SET_PATTERNS, 1u << DUET_PATTERN_IDENTITY),
                     DUET_OK);
    assert_int_equal(duet_session_new(&session, config, DUET_TOP, random, 0), DUET_OK);
    assert_changes(config, DUET_E_MISUSE);
    duet_session_free(session);
    duet_config_free(config);
}

/** Sessions go on after the application has given their configurations up. */
static void
config_given_up(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_options){.pattern = DUET_PATTERN_IDENTITY});
    for (int i = 0; i < 2; i++) {
        duet_config_free(pair.end[i].config);
        pair.end[i].config = NULL;
    }
    pair_handshake(&pair);
    assert_int_equal(pair_send(top, 7, 100), DUET_OK);
    assert_int_equal(duet_session_rekey(top->session), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(pair_info(top).tx_epoch, 1);
    pair_close(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_direction),  cmocka_unit_test(dead_session),
        cmocka_unit_test(closed_session), cmocka_unit_test(fresh_session),
        cmocka_unit_test(config_in_use),  cmocka_unit_test(config_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
