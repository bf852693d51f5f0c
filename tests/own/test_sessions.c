/*
 * Sessions with a handshake and a key schedule of the application's own: they agree wherever the
 * wire is cut, and end in order when a function fails at any call or breaks its rules
 * (docs/protocol.md §6 "An application's own"). Peers are in test_peers.c.
 */
#include "own/own_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

/** Let the function that is called as number fail return failure: the session ends with expected.
 * Returns 0 when there are fewer calls, and then nothing fails. */
static int
fails_at(int what, unsigned fail, int failure, int expected)
{
    context_reset();
    own.fail = fail;
    own.failure = failure;
    int result = whole_life(what);
    int failed = own.calls >= fail;
    for (int k = 0; k < 2; k++) {
        if (pair.end[k].session != NULL && pair.end[k].session->error != DUET_OK)
            has_ended(&pair.end[k], expected);
    }
    pair_close(&pair);
    assert_int_equal(own.ended, own.begun);
    assert_int_equal(result, failed ? expected : DUET_OK);
    return failed;
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
            while (fails_at(whats[w], fail, kinds[i].failure, kinds[i].result))
                fail++;
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

/** The handshake of one role breaks one rule: its session ends, and every handshake that has begun
 * ends too. */
static void
misbehave(int role, enum own_fault fault)
{
    static uint8_t bytes[70000];
    struct pair_end *end = &pair.end[role];

    context_reset();
    own.role = role;
    own.fault = fault;
    int result = open_as(HANDSHAKE, HANDSHAKE);
    if (fault == OWN_ENDLESS) /* bounded: it ends after 64 KiB */
        result = pair_feed(end, bytes, sizeof bytes, 0);
    else if (result == DUET_OK)
        result = pair_settle(&pair);
    if (result != DUET_E_CALLBACK)
        fail_msg("fault %d of role %d gives %d", (int)fault, role, result);
    if (end->session != NULL)
        has_ended(end, DUET_E_CALLBACK);
    pair_close(&pair);
    assert_int_equal(own.ended, own.begun);
}

static void
every_misbehaviour_ends_in_order(void **state)
{
    (void)state;
    for (int fault = OWN_RIGHT + 1; fault < OWN_FAULTS; fault++) {
        if (fault != OWN_ASKS_TWICE)
            misbehave(DUET_TOP, (enum own_fault)fault);
        misbehave(DUET_BOTTOM, (enum own_fault)fault);
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

/** Directions rotate at different times: the keys of the later one are the other's of before. */
static void
a_key_of_the_other_direction_is_noticed(void **state)
{
    (void)state;
    context_reset();
    assert_int_equal(open_as(SCHEDULE | SECRET, SCHEDULE | SECRET), DUET_OK);
    pair_handshake(&pair);
    own.same_rotation = 1;
    assert_int_equal(duet_session_rekey(top->session), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    for (int frames = 0; frames < 3; frames++)
        assert_int_equal(pair_send(top, 1, 100), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    assert_int_equal(duet_session_rekey(bottom->session), DUET_OK);
    assert_int_equal(pair_flush(bottom), DUET_OK); /* ROTATE itself still counts */
    assert_int_equal(pair_send(bottom, 1, 100), DUET_E_CALLBACK);
    has_ended(bottom, DUET_E_CALLBACK);
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
    assert_int_equal(duet_config_set_own(config, &bad, NULL), DUET_E_MISUSE);
    bad = handshake;
    bad.turn = NULL;
    assert_int_equal(duet_config_set_own(config, &bad, NULL), DUET_E_MISUSE);
    bad = handshake;
    bad.turn_most = 0;
    assert_int_equal(duet_config_set_own(config, &bad, NULL), DUET_E_MISUSE);
    bad.turn_most = DUET_OWN_TURN_MOST + 1;
    assert_int_equal(duet_config_set_own(config, &bad, NULL), DUET_E_MISUSE);
    bad = handshake;
    bad.state_size = DUET_OWN_STATE_MOST + 1;
    assert_int_equal(duet_config_set_own(config, &bad, NULL), DUET_E_MISUSE);
    worse.rotate = NULL;
    assert_int_equal(duet_config_set_own(config, NULL, &worse), DUET_E_MISUSE);
    worse = schedule;
    worse.size = 0;
    assert_int_equal(duet_config_set_own(config, NULL, &worse), DUET_E_MISUSE);

    assert_int_equal(duet_config_set_own(config, &handshake, &worse), DUET_E_MISUSE);
    assert_int_equal(duet_config_set_own(config, NULL, NULL), DUET_OK);
    assert_int_equal(duet_session_new(&session, config, DUET_TOP, random, 0), DUET_E_MISUSE);
    assert_int_equal(duet_config_set_own(config, &handshake, NULL), DUET_OK);
    assert_int_equal(duet_session_new(&session, config, DUET_TOP, random, 0), DUET_OK);
    assert_int_equal(duet_config_set_own(config, &handshake, NULL), DUET_E_MISUSE);
    assert_int_equal(duet_config_set_own(config, NULL, &schedule), DUET_E_MISUSE);
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
        cmocka_unit_test(a_key_of_the_other_direction_is_noticed),
        cmocka_unit_test(misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
