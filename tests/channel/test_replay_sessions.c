/*
 * duet_replay_check() (docs/protocol.md §4 "Replay"): a session without a channel is protected as a
 * channel's is: each flight once, the floor where clocks count, and our own flights apart.
 */
#include "channel/ends.h"
#include "os/os.h"
#include "support/own_ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SKEW_MS = 600000 };

/** A first flight. */
struct flight {
    uint8_t bytes[4096];
    size_t size;
};

static duet_config *plain, *with_clocks, *own;
static struct own_context own_context;

static duet_session *
make(const duet_config *config, enum duet_role role, uint8_t seed, uint64_t now_ms)
{
    uint8_t random[DUET_RANDOM_SIZE];
    duet_session *session;

    memset(random, seed, sizeof random);
    assert_int_equal(duet_session_new(&session, config, role, random, now_ms), DUET_OK);
    return session;
}

/** The flight of a TOP that begins at a time. */
static struct flight
fly(const duet_config *config, uint8_t seed, uint64_t now_ms)
{
    duet_session *top = make(config, DUET_TOP, seed, now_ms);
    struct flight flight;

    assert_int_equal(duet_session_flush(top, flight.bytes, sizeof flight.bytes, &flight.size),
                     DUET_OK);
    duet_session_free(top);
    return flight;
}

/** What a new listener's session does with a flight. */
static int
listen_to(const duet_config *config, duet_replay *replay, const struct flight *flight,
          uint64_t now_ms)
{
    duet_session *bottom = make(config, DUET_BOTTOM, 99, now_ms);
    duet_step step = {.in = flight->bytes, .in_size = flight->size};

    assert_int_equal(duet_replay_check(replay, bottom, now_ms), DUET_E_MISUSE); /* no nonce yet */
    while (step.event != DUET_EVENT_NONCE) {
        assert_true(step.in_size > 0);
        assert_int_equal(duet_session_recv(bottom, &step), DUET_OK);
        step.in += step.used;
        step.in_size -= step.used;
    }
    int result = duet_replay_check(replay, bottom, now_ms);
    duet_info info;
    duet_session_info(bottom, &info);
    assert_int_equal(info.pending > 0, result == DUET_OK);
    assert_int_equal(duet_replay_check(replay, bottom, now_ms),
                     result == DUET_OK ? DUET_E_MISUSE : result);
    duet_session_free(bottom);
    return result;
}

static void
each_flight_once(void **state)
{
    duet_replay *replay = duet_replay_new(100);
    struct flight a = fly(plain, 1, 0), b = fly(plain, 2, 0);

    (void)state;
    assert_int_equal(listen_to(plain, replay, &a, 0), DUET_OK);
    assert_int_equal(listen_to(plain, replay, &a, 0), DUET_E_UNAUTHENTICATED);
    assert_int_equal(listen_to(plain, replay, &b, 0), DUET_OK);
    assert_int_equal(listen_to(plain, replay, &b, 0), DUET_E_UNAUTHENTICATED);
    assert_int_equal(listen_to(plain, NULL, &b, 0), DUET_E_UNAUTHENTICATED); /* cannot be used */
    duet_replay_free(replay);
}

/** Where clocks count: nothing from before the program began, nothing that was pushed out. */
static void
floor_as_a_channel_has_it(void **state)
{
    uint64_t before = duet__os_unix_ms();
    duet_replay *replay = duet_replay_new(1);
    uint64_t now = duet__os_unix_ms() + 1000;
    struct flight old = fly(with_clocks, 1, before), far = fly(with_clocks, 2, now - SKEW_MS - 1);
    struct flight a = fly(with_clocks, 3, now + 10), b = fly(with_clocks, 4, now + 20);

    (void)state;
    assert_int_equal(listen_to(with_clocks, replay, &old, now), DUET_E_UNAUTHENTICATED);
    assert_int_equal(listen_to(with_clocks, replay, &far, now), DUET_E_UNAUTHENTICATED);
    assert_int_equal(listen_to(with_clocks, replay, &a, now), DUET_OK);
    assert_int_equal(listen_to(with_clocks, replay, &b, now), DUET_OK); /* pushes out a */
    assert_int_equal(listen_to(with_clocks, replay, &a, now), DUET_E_UNAUTHENTICATED);
    assert_int_equal(listen_to(plain, replay, &b, now), DUET_OK); /* no clocks, no floor */
    duet_replay_free(replay);
}

/** Ours are refused when they come back, and push out nothing that was received. */
static void
own_flights_apart(void **state)
{
    duet_replay *ours = duet_replay_new(2), *theirs = duet_replay_new(2);
    struct flight back, received = fly(plain, 50, 0);

    (void)state;
    assert_int_equal(listen_to(plain, ours, &received, 0), DUET_OK);
    for (uint8_t seed = 1; seed < 10; seed++) {
        duet_session *top = make(plain, DUET_TOP, seed, 0);
        assert_int_equal(duet_replay_check(ours, top, 0), DUET_OK);
        assert_int_equal(duet_replay_check(ours, top, 0), DUET_E_MISUSE); /* the same bytes again */
        assert_int_equal(duet_replay_check(NULL, top, 0), DUET_E_MISUSE);
        assert_int_equal(duet_session_flush(top, back.bytes, sizeof back.bytes, &back.size),
                         DUET_OK);
        assert_int_equal(duet_replay_check(theirs, top, 0), DUET_E_MISUSE); /* too late */
        assert_int_equal(listen_to(plain, ours, &back, 0), DUET_E_UNAUTHENTICATED);
        assert_int_equal(listen_to(plain, theirs, &back, 0), DUET_OK);
        duet_session_free(top);
    }
    assert_int_equal(listen_to(plain, ours, &received, 0), DUET_E_UNAUTHENTICATED);
    duet_replay_free(ours);
    duet_replay_free(theirs);
}

/** An own handshake: its nonces are looked up too, whatever clock it has. */
static void
own_handshakes(void **state)
{
    duet_replay *replay = duet_replay_new(10);
    struct flight a = fly(own, 1, 0);
    duet_session *top = make(own, DUET_TOP, 2, 0);

    (void)state;
    assert_int_equal(listen_to(own, replay, &a, 0), DUET_OK);
    assert_int_equal(listen_to(own, replay, &a, 0), DUET_E_UNAUTHENTICATED);
    assert_int_equal(duet_replay_check(replay, top, 0), DUET_OK);
    assert_int_equal(duet_session_flush(top, a.bytes, sizeof a.bytes, &a.size), DUET_OK);
    assert_int_equal(listen_to(own, replay, &a, 0), DUET_E_UNAUTHENTICATED);
    duet_session_free(top);
    duet_replay_free(replay);
}

/** A preset session has no flight. */
static void
preset_sessions(void **state)
{
    static const uint8_t salt[16] = "only for a test";
    duet_replay *replay = duet_replay_new(10);
    duet_session *session;

    (void)state;
    for (int role = 0; role < 2; role++) {
        assert_int_equal(
            duet_session_new_preset(&session, plain, (enum duet_role)role, salt, sizeof salt),
            DUET_OK);
        assert_int_equal(duet_replay_check(replay, session, 0), DUET_E_MISUSE);
        duet_session_free(session);
    }
    duet_replay_free(replay);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_flight_once),  cmocka_unit_test(floor_as_a_channel_has_it),
        cmocka_unit_test(own_flights_apart), cmocka_unit_test(own_handshakes),
        cmocka_unit_test(preset_sessions),
    };
    duet_handshake_ops ops = own_handshake(&own_context);

    memset(own_context.secret, 0x77, sizeof own_context.secret);
    plain = ends_config();
    with_clocks = ends_config();
    own = ends_config();
    if (duet_config_set(with_clocks, DUET_SET_MAX_SKEW_MS, SKEW_MS) != DUET_OK ||
        duet_config_set_own(own, &ops, NULL) != DUET_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    duet_config_free(plain);
    duet_config_free(with_clocks);
    duet_config_free(own);
    return failed;
}
