/*
 * Sessions with a handshake and a key schedule of the application's own: they agree wherever the
 * wire is cut, end in order when a function fails at any call or breaks its rules, stay silent
 * before a hostile peer, and cannot talk with the standard ones (docs/protocol.md §6).
 */
#include "support/own_ops.h"
#include "support/pair.h"

#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pair pair;
static struct pair_end *const top = &pair.end[DUET_TOP];
static struct pair_end *const bottom = &pair.end[DUET_BOTTOM];
static struct own_context own;

enum { HANDSHAKE = 1, SCHEDULE = 2, SECRET = 4 };

static void
context_reset(void)
{
    memset(&own, 0, sizeof own);
    memset(own.secret, 0x77, sizeof own.secret);
}

/** A configuration with what is asked for. */
static duet_config *
configure(int what)
{
    uint8_t secret[64];
    duet_config *config = duet_config_new();
    duet_handshake_ops handshake = own_handshake(&own);
    duet_schedule_ops schedule = own_schedule(&own);

    assert_non_null(config);
    memset(secret, 0x5a, sizeof secret);
    if (what & SECRET)
        assert_int_equal(duet_config_add_secret(config, secret, sizeof secret), DUET_OK);
    if (what & HANDSHAKE)
        assert_int_equal(duet_config_set_handshake(config, &handshake), DUET_OK);
    if (what & SCHEDULE)
        assert_int_equal(duet_config_set_schedule(config, &schedule), DUET_OK);
    return config;
}

/** Two sessions; returns why there are none. */
static int
open_as(int top_what, int bottom_what)
{
    memset(&pair, 0, sizeof pair);
    top->config = configure(top_what);
    bottom->config = configure(bottom_what);
    return pair_sessions(&pair);
}

/** Send both ways, rekey, refresh, close; receipts and exports are the same at both ends. */
static void
talk(void)
{
    uint8_t random[DUET_FRESH_SIZE], one[32], other[32];

    memset(random, 9, sizeof random);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pair_send(&pair.end[i], 5, 1000), DUET_OK);
        assert_int_equal(duet_session_rekey(pair.end[i].session), DUET_OK);
    }
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(duet_session_refresh(top->session, random), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pair_send(&pair.end[i], 0, 300), DUET_OK);
        assert_int_equal(duet_session_close(pair.end[i].session), DUET_OK);
    }
    assert_int_equal(pair_settle(&pair), DUET_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pair.end[i].got_size, 1300);
        assert_int_equal(pair_info(&pair.end[i]).tx_epoch, 2);
        assert_int_equal(duet_session_receipt(top->session, one, (enum duet_role)i), DUET_OK);
        assert_int_equal(duet_session_receipt(bottom->session, other, (enum duet_role)i), DUET_OK);
        assert_memory_equal(one, other, sizeof one);
    }
    assert_int_equal(duet_session_export(top->session, one, 32, (const uint8_t *)"x", 1), DUET_OK);
    assert_int_equal(duet_session_export(bottom->session, other, 32, (const uint8_t *)"x", 1),
                     DUET_OK);
    assert_memory_equal(one, other, sizeof one);
}

static void
they_agree_and_talk(void **state)
{
    static const int kinds[] = {HANDSHAKE, HANDSHAKE | SCHEDULE, SCHEDULE | SECRET};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        context_reset();
        assert_int_equal(open_as(kinds[i], kinds[i]), DUET_OK);
        pair_handshake(&pair);
        talk();
        pair_close(&pair);
        assert_int_equal(own.begun, kinds[i] & HANDSHAKE ? 2 : 0);
        assert_int_equal(own.ended, own.begun);
    }
}

/** Give an end its peer's flight, cut at one place. */
static void
carry_cut(struct pair_end *from, struct pair_end *to, size_t cut)
{
    size_t size = from->wire_size;

    from->wire_size = 0;
    cut = cut < size ? cut : size;
    assert_int_equal(pair_feed(to, from->wire, cut, 0), DUET_OK);
    assert_int_equal(pair_flush(to), DUET_OK); /* nothing, or what it can say by then */
    assert_int_equal(pair_feed(to, from->wire + cut, size - cut, 0), DUET_OK);
}

static void
every_cut_gives_the_same(void **state)
{
    (void)state;
    for (size_t cut = 0; cut <= OWN_FLIGHT + DUET_FRAME_OVERHEAD; cut++) {
        context_reset();
        assert_int_equal(open_as(HANDSHAKE | SCHEDULE, HANDSHAKE | SCHEDULE), DUET_OK);
        assert_int_equal(pair_flush(top), DUET_OK);
        assert_int_equal(top->wire_size, OWN_FLIGHT);
        carry_cut(top, bottom, cut);
        assert_int_equal(pair_flush(bottom), DUET_OK);
        assert_int_equal(bottom->wire_size, OWN_FLIGHT + DUET_FRAME_OVERHEAD);
        carry_cut(bottom, top, cut);
        pair_handshake(&pair);
        pair_close(&pair);
    }
    for (size_t piece = 1; piece < 70; piece++) {
        context_reset();
        assert_int_equal(open_as(HANDSHAKE, HANDSHAKE), DUET_OK);
        assert_int_equal(pair_flush(top), DUET_OK);
        assert_int_equal(pair_feed(bottom, top->wire, top->wire_size, piece), DUET_OK);
        top->wire_size = 0;
        assert_int_equal(pair_flush(bottom), DUET_OK);
        assert_int_equal(pair_feed(top, bottom->wire, bottom->wire_size, piece), DUET_OK);
        bottom->wire_size = 0;
        pair_handshake(&pair);
        pair_close(&pair);
    }
}

/** What a step needs is exactly what the handshake asked for: nothing after it is read. */
static void
it_needs_no_more_than_it_asks_for(void **state)
{
    duet_step step = {0};
    uint8_t bytes[200] = {0};

    (void)state;
    context_reset();
    assert_int_equal(open_as(HANDSHAKE, HANDSHAKE), DUET_OK);
    assert_int_equal(duet_session_recv(bottom->session, &step), DUET_OK);
    assert_int_equal(step.need, OWN_FLIGHT);
    assert_int_equal(pair_flush(top), DUET_OK);
    memcpy(bytes, top->wire, OWN_FLIGHT);
    step = (duet_step){.in = bytes, .in_size = 10};
    assert_int_equal(duet_session_recv(bottom->session, &step), DUET_OK);
    assert_int_equal(step.used, 10);
    assert_int_equal(step.need, OWN_FLIGHT - 10);
    step = (duet_step){.in = bytes + 10, .in_size = sizeof bytes - 10};
    assert_int_equal(duet_session_recv(bottom->session, &step), DUET_OK);
    assert_int_equal(step.used, OWN_FLIGHT - 10);
    assert_int_equal(step.event, DUET_EVENT_NONCE);
    assert_memory_equal(step.nonce, top->wire, DUET_NONCE_SIZE);
    assert_int_equal(duet_session_recv(bottom->session, &step), DUET_E_MISUSE);
    assert_int_equal(duet_session_accept(bottom->session, 0), DUET_OK);
    /* Its bytes go out in as many pieces as there is room for. */
    size_t put, pending = pair_info(bottom).pending;
    assert_int_equal(pending, OWN_FLIGHT + DUET_FRAME_OVERHEAD);
    assert_int_equal(duet_session_flush(bottom->session, bytes, 0, &put), DUET_E_ROOM);
    assert_int_equal(duet_session_flush(bottom->session, bytes, 40, &put), DUET_OK);
    assert_int_equal(put, 40);
    assert_int_equal(duet_session_flush(bottom->session, bytes + 40, 30, &put), DUET_OK);
    assert_int_equal(put, 24);
    assert_int_equal(duet_session_flush(bottom->session, bytes + 64, 30, &put), DUET_OK);
    assert_int_equal(put, DUET_FRAME_OVERHEAD);
    top->wire_size = 0;
    assert_int_equal(pair_feed(top, bytes, 88, 0), DUET_OK);
    pair_handshake(&pair);
    pair_close(&pair);
}

/* ---- Functions that fail ---- */

/** A session that has ended says so for good, and has nothing to send. */
static void
has_ended(struct pair_end *end, int result)
{
    size_t put;

    assert_int_equal(end->session->error, result);
    assert_int_equal(pair_info(end).pending, 0);
    assert_int_equal(duet_session_flush(end->session, end->wire, PAIR_WIRE, &put), result);
    assert_int_equal(put, 0);
    assert_int_equal(duet_session_rekey(end->session), result);
    assert_true(strlen(duet_session_detail(end->session)) > 10);
    assert_null(end->session->own);
    assert_null(end->session->handshake);
}

/** All that two sessions do, until one fails. Returns its result, or DUET_OK. */
static int
whole_life(int what)
{
    int result = open_as(what, what);

    if (result == DUET_OK)
        result = pair_settle(&pair);
    for (int i = 0; i < 2 && result == DUET_OK; i++) {
        struct pair_end *end = &pair.end[i];
        result = duet_session_rekey(end->session);
        for (int k = 0; k < 2 && result == DUET_OK; k++)
            result = pair_send(end, 7, 100);
        if (result == DUET_OK)
            result = pair_settle(&pair);
    }
    if (result == DUET_OK)
        result = pair_settle(&pair);
    return result;
}

/** Each call fails in turn: the session whose it was ends with the result that fits. */
static void
any_call_may_fail(void **state)
{
    static const struct {
        int failure, result;
    } kinds[] = {{DUET_E_CRYPTO, DUET_E_CRYPTO},
                 {DUET_E_MISUSE, DUET_E_CALLBACK},
                 {DUET_AGAIN, DUET_E_CALLBACK},
                 {-1000, DUET_E_CALLBACK},
                 {1, DUET_E_CALLBACK}};
    static const int whats[] = {HANDSHAKE, HANDSHAKE | SCHEDULE, SCHEDULE | SECRET};

    (void)state;
    for (size_t w = 0; w < sizeof whats / sizeof *whats; w++) {
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            unsigned fail = 1;
            for (;; fail++) {
                context_reset();
                own.fail = fail;
                own.failure = kinds[i].failure;
                int result = whole_life(whats[w]);
                int failed = own.calls >= fail;
                for (int k = 0; k < 2; k++)
                    if (pair.end[k].session != NULL && pair.end[k].session->error != DUET_OK)
                        has_ended(&pair.end[k], kinds[i].result);
                pair_close(&pair);
                assert_int_equal(own.ended, own.begun);
                assert_int_equal(result, failed ? kinds[i].result : DUET_OK);
                if (!failed)
                    break;
            }
            assert_true(fail > (whats[w] == HANDSHAKE ? 7 : 8));
        }
    }
}

/** A frame that was verified before the rotation failed still counts. */
static void
what_was_verified_counts(void **state)
{
    (void)state;
    context_reset();
    assert_int_equal(open_as(SCHEDULE | SECRET, SCHEDULE | SECRET), DUET_OK);
    pair_handshake(&pair);
    top->session->tx.rotate_frames = bottom->session->rx.rotate_frames = 1;
    for (unsigned frames = top->session->tx.frames; frames < 2; frames++) {
        own.fail = frames == 1 ? own.calls + 2 : 0; /* BOTTOM's */
        own.failure = DUET_E_CRYPTO;
        assert_int_equal(pair_send(top, 3, 50), DUET_OK);
    }
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    assert_int_equal(bottom->got_size, 50);
    has_ended(bottom, DUET_E_CRYPTO);
    pair_close(&pair);
}

static void
every_misbehaviour_ends_in_order(void **state)
{
    (void)state;
    for (int role = 0; role < 2; role++) {
        for (int fault = OWN_RIGHT + 1; fault < OWN_FAULTS; fault++) {
            struct pair_end *end = &pair.end[role];
            if (fault == OWN_ASKS_TWICE && role == DUET_TOP)
                continue;
            context_reset();
            own.role = role;
            own.fault = (enum own_fault)fault;
            int result = open_as(HANDSHAKE, HANDSHAKE);
            if (result == DUET_OK)
                result = fault == OWN_ENDLESS ? DUET_OK : pair_settle(&pair);
            if (fault == OWN_ENDLESS) { /* bounded: it ends after 64 KiB */
                static uint8_t bytes[70000];
                result = pair_feed(end, bytes, sizeof bytes, 0);
            }
            if (result != DUET_E_CALLBACK)
                fail_msg("fault %d of role %d gives %d", fault, role, result);
            if (end->session != NULL)
                has_ended(end, DUET_E_CALLBACK);
            pair_close(&pair);
            assert_int_equal(own.ended, own.begun);
        }
    }
}

/** A schedule that gives one epoch twice, or both directions the same, would repeat keystream. */
static void
a_repeated_key_is_noticed(void **state)
{
    uint8_t salt[16] = {1};
    duet_session *session;

    (void)state;
    context_reset();
    own.same_epoch = 1;
    assert_int_equal(open_as(SCHEDULE | SECRET, SCHEDULE | SECRET), DUET_OK);
    pair_handshake(&pair);
    assert_int_equal(duet_session_rekey(top->session), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK); /* ROTATE itself still counts */
    assert_int_equal(pair_send(top, 1, 10), DUET_E_CALLBACK);
    has_ended(top, DUET_E_CALLBACK);
    pair_close(&pair);

    context_reset();
    own.same_direction = 1;
    duet_config *config = configure(SCHEDULE | SECRET);
    assert_int_equal(duet_session_new_preset(&session, config, DUET_TOP, salt, sizeof salt),
                     DUET_E_CALLBACK);
    assert_null(session);
    duet_config_free(config);
    assert_int_equal(open_as(HANDSHAKE | SCHEDULE, HANDSHAKE | SCHEDULE), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_E_CALLBACK);
    pair_close(&pair);
}

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
    static duet_peer list[1];
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
        assert_int_equal(duet_config_set_peers(bottom->config, &(duet_peers){list, 1}), DUET_OK);
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

static void
misuse(void **state)
{
    (void)state;
    context_reset();
    duet_config *config = configure(0);
    duet_handshake_ops handshake = own_handshake(&own), bad = handshake;
    duet_schedule_ops schedule = own_schedule(&own), worse = schedule;
    duet_session *session;
    uint8_t random[DUET_RANDOM_SIZE] = {3};

    bad.size--;
    assert_int_equal(duet_config_set_handshake(config, &bad), DUET_E_MISUSE);
    bad = handshake;
    bad.turn = NULL;
    assert_int_equal(duet_config_set_handshake(config, &bad), DUET_E_MISUSE);
    bad = handshake;
    bad.turn_most = 0;
    assert_int_equal(duet_config_set_handshake(config, &bad), DUET_E_MISUSE);
    bad.turn_most = DUET_OWN_TURN_MOST + 1;
    assert_int_equal(duet_config_set_handshake(config, &bad), DUET_E_MISUSE);
    bad = handshake;
    bad.state_size = DUET_OWN_STATE_MOST + 1;
    assert_int_equal(duet_config_set_handshake(config, &bad), DUET_E_MISUSE);
    worse.rotate = NULL;
    assert_int_equal(duet_config_set_schedule(config, &worse), DUET_E_MISUSE);
    worse = schedule;
    worse.size = 0;
    assert_int_equal(duet_config_set_schedule(config, &worse), DUET_E_MISUSE);

    assert_int_equal(duet_config_set_handshake(config, &handshake), DUET_OK);
    assert_int_equal(duet_config_set_handshake(config, NULL), DUET_OK);
    assert_int_equal(duet_session_new(&session, config, DUET_TOP, random, 0), DUET_E_MISUSE);
    assert_int_equal(duet_config_set_handshake(config, &handshake), DUET_OK);
    assert_int_equal(duet_session_new(&session, config, DUET_TOP, random, 0), DUET_OK);
    assert_int_equal(duet_config_set_handshake(config, &handshake), DUET_E_MISUSE);
    assert_int_equal(duet_config_set_schedule(config, NULL), DUET_E_MISUSE);
    duet_session_free(session);
    duet_config_free(config);
    assert_int_equal(own.ended, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_agree_and_talk),
        cmocka_unit_test(every_cut_gives_the_same),
        cmocka_unit_test(it_needs_no_more_than_it_asks_for),
        cmocka_unit_test(any_call_may_fail),
        cmocka_unit_test(what_was_verified_counts),
        cmocka_unit_test(every_misbehaviour_ends_in_order),
        cmocka_unit_test(a_repeated_key_is_noticed),
        cmocka_unit_test(an_altered_flight_meets_silence),
        cmocka_unit_test(other_peers_meet_silence),
        cmocka_unit_test(they_do_not_talk_with_the_standard),
        cmocka_unit_test(trusted_peers_hold),
        cmocka_unit_test(several_secrets),
        cmocka_unit_test(misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
