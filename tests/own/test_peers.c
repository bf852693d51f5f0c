/*
 * Peers of a session with functions of the application's own: one that alters, repeats or invents
 * bytes meets silence, one with other functions cannot talk with it, and what a right one agreed to
 * holds (docs/protocol.md §6 "An application's own").
 */
#include "own/own_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Peers that are not what they should be ---- */

/** BOTTOM has ended without a byte on the wire. */
static void
is_silent(void)
{
    has_ended(bottom, DUET_E_UNAUTHENTICATED);
    assert_int_equal(bottom->wire_size, 0);
}

static void
an_altered_flight_meets_silence(void **state)
{
    (void)state;
    for (size_t i = 0; i < OWN_FLIGHT + DUET_FRAME_OVERHEAD; i++) {
        context_reset();
        assert_int_equal(open_as(HANDSHAKE, HANDSHAKE), DUET_OK);
        assert_int_equal(pair_flush(top), DUET_OK);
        if (i < OWN_FLIGHT) {
            top->wire[i] ^= 1;
            assert_int_equal(pair_carry(top, bottom), DUET_E_UNAUTHENTICATED);
            is_silent();
        } else {
            assert_int_equal(pair_carry(top, bottom), DUET_OK);
        }
        pair_close(&pair);

        context_reset();
        assert_int_equal(open_as(HANDSHAKE, HANDSHAKE), DUET_OK);
        assert_int_equal(pair_flush(top), DUET_OK);
        assert_int_equal(pair_carry(top, bottom), DUET_OK);
        assert_int_equal(pair_flush(bottom), DUET_OK);
        bottom->wire[i] ^= 0x80;
        assert_int_equal(pair_carry(bottom, top), DUET_E_UNAUTHENTICATED);
        has_ended(top, DUET_E_UNAUTHENTICATED);
        pair_close(&pair);
    }
}

static void
other_peers_meet_silence(void **state)
{
    static uint8_t noise[70000];

    (void)state;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * i >> 7);
    context_reset(); /* anything */
    assert_int_equal(open_as(HANDSHAKE, HANDSHAKE), DUET_OK);
    assert_int_equal(pair_feed(bottom, noise, sizeof noise, 0), DUET_E_UNAUTHENTICATED);
    is_silent();
    pair_close(&pair);
    context_reset(); /* one that closes */
    assert_int_equal(open_as(HANDSHAKE, HANDSHAKE), DUET_OK);
    assert_int_equal(pair_feed(bottom, noise, 63, 0), DUET_OK);
    assert_int_equal(duet_session_end(bottom->session), DUET_E_UNAUTHENTICATED);
    is_silent();
    pair_close(&pair);
    context_reset(); /* a replay */
    assert_int_equal(open_as(HANDSHAKE, HANDSHAKE), DUET_OK);
    bottom->nonce_known = 1;
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_E_UNAUTHENTICATED);
    is_silent();
    pair_close(&pair);
    context_reset(); /* TOP's own flight back to it */
    assert_int_equal(open_as(HANDSHAKE, HANDSHAKE), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_feed(top, top->wire, top->wire_size, 0), DUET_E_UNAUTHENTICATED);
    assert_string_equal(duet_session_detail(top->session), "the answer is not for this secret");
    pair_close(&pair);
}

/** One side has the functions, the other does not, or not the same. */
static void
they_do_not_talk_with_the_standard(void **state)
{
    static const int kinds[][2] = {{HANDSHAKE, SECRET},
                                   {SECRET, HANDSHAKE},
                                   {SCHEDULE | SECRET, SECRET},
                                   {SECRET, SCHEDULE | SECRET},
                                   {HANDSHAKE | SCHEDULE, HANDSHAKE},
                                   {HANDSHAKE, HANDSHAKE | SCHEDULE}};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        context_reset();
        assert_int_equal(open_as(kinds[i][0], kinds[i][1]), DUET_OK);
        int result = pair_settle(&pair);
        if (result == DUET_OK && !pair_info(top).ready) /* it waits for more than ever comes */
            result = duet_session_end(bottom->session);
        assert_int_equal(result, DUET_E_UNAUTHENTICATED);
        assert_false(pair_info(top).ready);
        assert_false(pair_info(bottom).ready);
        pair_close(&pair);
    }
}

/* ---- What was agreed ---- */

static void
trusted_peers_hold(void **state)
{
    static struct duet__peer list[1];
    static const struct {
        int with_key, key, trusted;
    } cases[] = {{1, 0x21, 1}, {1, 0x22, 0}, {0, 0x21, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        context_reset();
        own.with_key = cases[i].with_key;
        memset(own.peer_key, cases[i].key, sizeof own.peer_key);
        memset(list[0].public_key, 0x21, sizeof list[0].public_key);
        memset(&pair, 0, sizeof pair);
        top->config = configure(HANDSHAKE);
        bottom->config = configure(HANDSHAKE);
        assert_int_equal(duet__config_set_peers(bottom->config, &(struct duet__peers){list, 1}),
                         DUET_OK);
        assert_int_equal(pair_sessions(&pair), DUET_OK);
        assert_int_equal(pair_settle(&pair), cases[i].trusted ? DUET_OK : DUET_E_UNTRUSTED);
        if (cases[i].trusted) {
            assert_true(pair_info(bottom).has_peer_key);
            assert_memory_equal(pair_info(bottom).peer_key, list[0].public_key, DUET_KEY_SIZE);
        } else {
            has_ended(bottom, DUET_E_UNTRUSTED);
            assert_int_equal(bottom->wire_size, 0);
        }
        pair_close(&pair);
    }
}

/** Without a list any proven key is taken, but not this side's own: a reflection, or a stolen
 * identity. */
static void
our_own_key_is_no_peers(void **state)
{
    struct duet__identity identity;

    (void)state;
    for (int is_ours = 0; is_ours < 2; is_ours++) {
        context_reset();
        memset(&pair, 0, sizeof pair);
        memset(identity.private_key, 0x31, sizeof identity.private_key);
        top->config = configure(HANDSHAKE);
        bottom->config = configure(HANDSHAKE);
        assert_int_equal(duet__config_set_identity(bottom->config, &identity), DUET_OK);
        own.with_key = 1;
        memcpy(own.peer_key, bottom->config->identity.public_key, sizeof own.peer_key);
        own.peer_key[0] ^= !is_ours;
        assert_int_equal(pair_sessions(&pair), DUET_OK);
        assert_int_equal(pair_settle(&pair), is_ours ? DUET_E_UNTRUSTED : DUET_OK);
        if (is_ours)
            has_ended(bottom, DUET_E_UNTRUSTED);
        pair_close(&pair);
    }
}

/** A listener that holds several secrets tries each under the own schedule. */
static void
several_secrets(void **state)
{
    uint8_t other[64];

    (void)state;
    context_reset();
    memset(&pair, 0, sizeof pair);
    memset(other, 0x11, sizeof other);
    top->config = configure(SCHEDULE | SECRET);
    bottom->config = configure(SCHEDULE);
    assert_int_equal(duet_config_add_secret(bottom->config, other, 64), DUET_OK);
    memset(other, 0x5a, sizeof other);
    assert_int_equal(duet_config_add_secret(bottom->config, other, 64), DUET_OK);
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    pair_handshake(&pair);
    talk();
    pair_close(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_altered_flight_meets_silence),
        cmocka_unit_test(other_peers_meet_silence),
        cmocka_unit_test(they_do_not_talk_with_the_standard),
        cmocka_unit_test(trusted_peers_hold),
        cmocka_unit_test(our_own_key_is_no_peers),
        cmocka_unit_test(several_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
