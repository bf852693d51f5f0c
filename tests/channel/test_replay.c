/*
 * The replay cache (docs/protocol.md §4 "Replay"): every nonce is fresh once, oldest go out
 * first, two processes share it, and a holder killed under the lock does not break it.
 */
#include "channel/replay.h"

#include "os/os.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
nonce_of(uint8_t nonce[DUET_NONCE_SIZE], uint32_t number)
{
    for (size_t i = 0; i < DUET_NONCE_SIZE; i++)
        nonce[i] = (uint8_t)(number >> (8 * (i % 4)) ^ (i / 4 * 37));
}

/** 0 when the nonce of a number was fresh. */
static int
take(duet_replay *replay, uint32_t number, uint64_t now, uint64_t keep)
{
    uint8_t nonce[DUET_NONCE_SIZE];
    nonce_of(nonce, number);
    return duet__replay_take(replay, nonce, now, keep);
}

/** 0 when a time is above the floor. */
static int
settle(duet_replay *replay, uint32_t number, uint64_t time)
{
    uint8_t nonce[DUET_NONCE_SIZE];
    nonce_of(nonce, number);
    return duet__replay_time(replay, nonce, time, time);
}

/** What was made before the program began, or at that moment, may be a replay. */
static void
floor_of_the_start(void **state)
{
    uint64_t before = duet__os_unix_ms();
    duet_replay *replay = duet_replay_new(10);
    uint64_t after = duet__os_unix_ms();

    (void)state;
    assert_int_equal(take(replay, 1, 0, 1000), 0);
    assert_int_equal(settle(replay, 1, before), 1);
    assert_int_equal(settle(replay, 1, after + 1), 0);
    assert_int_equal(settle(replay, 2, after + 1), 1); /* never taken */
    duet_replay_free(replay);
}

/** The greatest time of what is pushed out early is the floor, to the millisecond. */
static void
floor_of_the_pushed_out(void **state)
{
    duet_replay *replay = duet_replay_new(2);
    uint64_t base = duet__os_unix_ms() + 1000;

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(take(replay, i, 0, 5000), 0);
        assert_int_equal(settle(replay, i, base + 10 - i), 0);
    }
    assert_int_equal(take(replay, 2, 4999, 5000), 0); /* pushes out 0, of base + 10 */
    assert_int_equal(settle(replay, 2, base + 10), 1);
    assert_int_equal(settle(replay, 2, base + 11), 0);
    assert_int_equal(take(replay, 0, 4999, 5000), 0); /* forgotten, but below the floor */
    assert_int_equal(settle(replay, 0, base + 10), 1);
    duet_replay_free(replay);
}

/** What had its time leaves no floor. */
static void
no_floor_of_the_expired(void **state)
{
    duet_replay *replay = duet_replay_new(2);
    uint64_t base = duet__os_unix_ms() + 1000;

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(take(replay, i, 0, 5000), 0);
        assert_int_equal(settle(replay, i, base + 100), 0);
    }
    assert_int_equal(take(replay, 2, 5000, 5000), 0);
    assert_int_equal(settle(replay, 2, base), 0);
    duet_replay_free(replay);
}

/** Dials push out other dials, and nothing that was received. */
static void
dials_push_out_dials(void **state)
{
    duet_replay *replay = duet_replay_new(10);
    uint8_t nonce[DUET_NONCE_SIZE];

    (void)state;
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(take(replay, i, 0, 0), 0);
    for (uint32_t i = 100; i < 200; i++) {
        nonce_of(nonce, i);
        assert_int_equal(duet__replay_sent(replay, nonce, 0, 0, 0), 0);
    }
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(take(replay, i, 0, 0), 1);
    assert_int_equal(take(replay, 199, 0, 0), 1); /* our own, sent back to us */
    duet_replay_free(replay);
}

static void
fresh_once(void **state)
{
    duet_replay *replay = duet_replay_new(5000);
    (void)state;
    assert_non_null(replay);
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(take(replay, i, 0, 0), 0);
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(take(replay, i, 0, 0), 1);
    duet_replay_free(replay);
}

static void
oldest_out_first(void **state)
{
    duet_replay *replay = duet_replay_new(100);
    (void)state;
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(take(replay, i, 0, 0), 0);
    for (uint32_t i = 900; i < 1000; i++)
        assert_int_equal(take(replay, i, 0, 0), 1);
    /* Each that is stored anew pushes out the oldest that is left. */
    assert_int_equal(take(replay, 899, 0, 0), 0);
    assert_int_equal(take(replay, 900, 0, 0), 0);
    assert_int_equal(take(replay, 902, 0, 0), 1);
    duet_replay_free(replay);
}

static void
one_entry(void **state)
{
    duet_replay *replay = duet_replay_new(1);
    (void)state;
    assert_int_equal(take(replay, 1, 0, 0), 0);
    assert_int_equal(take(replay, 1, 0, 0), 1);
    assert_int_equal(take(replay, 2, 0, 0), 0);
    assert_int_equal(take(replay, 1, 0, 0), 0);
    duet_replay_free(replay);
}

static void
kept_for_their_time(void **state)
{
    duet_replay *replay = duet_replay_new(10);
    (void)state;
    assert_int_equal(take(replay, 1, 1000, 500), 0);
    assert_int_equal(take(replay, 1, 1499, 500), 1);
    assert_int_equal(take(replay, 1, 1500, 500), 0);
    /* One that is kept for good holds those after it. */
    assert_int_equal(take(replay, 2, 1500, 0), 0);
    assert_int_equal(take(replay, 3, 1500, 500), 0);
    assert_int_equal(take(replay, 2, 999999, 0), 1);
    assert_int_equal(take(replay, 3, 999999, 500), 1);
    duet_replay_free(replay);
}

/** Sessions with different skews share the cache: the longest window counts, and what a shorter one
 * has dropped raises the floor when a longer one comes. */
static void
longest_window_counts(void **state)
{
    duet_replay *replay = duet_replay_new(10);
    uint64_t base = duet__os_unix_ms() + 1000;

    (void)state;
    assert_int_equal(take(replay, 1, 0, 500), 0);
    assert_int_equal(settle(replay, 1, base + 1), 0);
    assert_int_equal(take(replay, 2, 500, 500), 0); /* drops 1 */
    assert_int_equal(settle(replay, 2, base), 0);
    assert_int_equal(take(replay, 1, 600, 5000), 0); /* not known any more, but below the floor */
    assert_int_equal(settle(replay, 1, base + 1), 1);
    assert_int_equal(take(replay, 2, 5499, 500), 1); /* 500 ms would be over */
    assert_int_equal(take(replay, 2, 5500, 500), 0);
    duet_replay_free(replay);
}

/** What a session without clocks has taken raises the floor when it is pushed out, but not beyond
 * what one with clocks would take. */
static void
floor_without_clocks(void **state)
{
    duet_replay *replay = duet_replay_new(1);
    uint64_t base = duet__os_unix_ms() + 1000;
    uint8_t nonce[DUET_NONCE_SIZE];

    (void)state;
    assert_int_equal(take(replay, 1, 0, 5000), 0);
    assert_int_equal(take(replay, 2, 0, 0), 0);
    nonce_of(nonce, 2);
    assert_int_equal(duet__replay_time(replay, nonce, UINT64_MAX, base), 0);
    assert_int_equal(take(replay, 3, 0, 5000), 0);
    assert_int_equal(settle(replay, 3, base + 5000), 1);
    assert_int_equal(settle(replay, 3, base + 5001), 0);
    duet_replay_free(replay);
}

/** Our own flights, too, when dials push them out. */
static void
floor_of_dials(void **state)
{
    duet_replay *replay = duet_replay_new(1);
    uint64_t base = duet__os_unix_ms() + 1000;
    uint8_t nonce[DUET_NONCE_SIZE];

    (void)state;
    nonce_of(nonce, 1);
    assert_int_equal(duet__replay_sent(replay, nonce, 0, 5000, base), 0);
    assert_int_equal(duet__replay_sent(replay, nonce, 0, 5000, base), 1);
    nonce_of(nonce, 2);
    assert_int_equal(duet__replay_sent(replay, nonce, 1, 5000, base + 1), 0);
    assert_int_equal(take(replay, 1, 1, 5000), 0); /* sent back to us, and forgotten */
    assert_int_equal(settle(replay, 1, base), 1);
    duet_replay_free(replay);
}

static void
sizes(void **state)
{
    (void)state;
    assert_null(duet_replay_new(0));
    assert_null(duet_replay_new(((size_t)1 << 24) + 1));
    duet_replay *replay = duet_replay_new(DUET_REPLAY_DEFAULT);
    assert_non_null(replay);
    duet_replay_free(replay);
    duet_replay_free(NULL);
}

enum { RACE = 3000 };

/** Take all nonces and count the fresh ones. */
static int
race(duet_replay *replay)
{
    int fresh = 0;
    for (uint32_t i = 0; i < RACE; i++)
        fresh += take(replay, i, 0, 0) == 0;
    return fresh;
}

static void
two_processes(void **state)
{
    duet_replay *replay = duet_replay_new(RACE);
    int out[2];
    int theirs = 0;
    int status;

    (void)state;
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int fresh = race(replay);
        _exit(write(out[1], &fresh, sizeof fresh) == (ssize_t)sizeof fresh ? 0 : 1);
    }
    int ours = race(replay);
    assert_int_equal(read(out[0], &theirs, sizeof theirs), sizeof theirs);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(ours + theirs, RACE);
    close(out[0]);
    close(out[1]);
    duet_replay_free(replay);
}

/** Store nonces for ever; a byte on the descriptor reports the first. */
static void
store_without_end(duet_replay *replay, uint32_t round, int begun)
{
    for (uint32_t i = 0;; i++) {
        take(replay, round << 24 | i, 0, 0);
        if (i == 0)
            (void)!write(begun, "", 1);
    }
}

/** A process that is killed while it stores nonces, with whatever it held at that moment. */
static void
holder_killed(void **state)
{
    duet_replay *replay = duet_replay_new(50);
    int status;

    (void)state;
    for (uint32_t round = 0; round < 20; round++) {
        int begun[2];
        char byte;
        assert_int_equal(pipe(begun), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            store_without_end(replay, round, begun[1]);
        assert_int_equal(read(begun[0], &byte, 1), 1);
        usleep(100 * round);
        kill(child, SIGKILL);
        close(begun[0]);
        close(begun[1]);
        assert_int_equal(waitpid(child, &status, 0), child);
        for (uint32_t i = 0; i < 50; i++)
            assert_int_equal(take(replay, 0xF0000000u + (round << 8) + i, 0, 0), 0);
        for (uint32_t i = 0; i < 50; i++)
            assert_int_equal(take(replay, 0xF0000000u + (round << 8) + i, 0, 0), 1);
    }
    duet_replay_free(replay);
}

/** What is behind a descriptor is the same cache for a program that maps it later: it knows what the
 * first has seen, in both directions. */
static void
taken_over(void **state)
{
    int first = -1, second;

    (void)state;
    duet__os_shared_behind(&first);
    duet_replay *old = duet_replay_new(50);
    assert_non_null(old);
    assert_true(first >= 0);
    assert_int_equal(take(old, 1, 0, 0), 0);
    second = dup(first);
    duet__os_shared_behind(&second);
    duet_replay *new = duet_replay_new(50);
    assert_non_null(new);
    assert_ptr_not_equal(new, old);
    assert_int_equal(take(new, 1, 0, 0), 1);
    assert_int_equal(take(new, 2, 0, 0), 0);
    assert_int_equal(take(old, 2, 0, 0), 1);
    duet_replay_free(old);
    assert_int_equal(take(new, 1, 0, 0), 1);
    duet_replay_free(new);
    close(first);
    close(second);
}

/** A cache of another form is not used, and not changed. */
static void
not_taken_over(void **state)
{
    int fd = -1;

    (void)state;
    duet__os_shared_behind(&fd);
    duet_replay *old = duet_replay_new(50);
    assert_non_null(old);
    assert_int_equal(take(old, 1, 0, 0), 0);
    for (size_t entries = 49; entries <= 51; entries += 2) {
        duet__os_shared_behind(&fd);
        assert_null(duet_replay_new(entries));
    }
    uint64_t form = 1;
    assert_int_equal(pwrite(fd, &form, sizeof form, 0), sizeof form);
    duet__os_shared_behind(&fd);
    assert_null(duet_replay_new(50));
    assert_int_equal(take(old, 1, 0, 0), 1);
    /* And the one after that is a new one, behind nothing. */
    duet_replay *other = duet_replay_new(50);
    assert_non_null(other);
    assert_int_equal(take(other, 1, 0, 0), 0);
    duet_replay_free(other);
    duet_replay_free(old);
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floor_of_the_start),
        cmocka_unit_test(floor_of_the_pushed_out),
        cmocka_unit_test(no_floor_of_the_expired),
        cmocka_unit_test(dials_push_out_dials),
        cmocka_unit_test(fresh_once),
        cmocka_unit_test(oldest_out_first),
        cmocka_unit_test(one_entry),
        cmocka_unit_test(kept_for_their_time),
        cmocka_unit_test(longest_window_counts),
        cmocka_unit_test(floor_without_clocks),
        cmocka_unit_test(floor_of_dials),
        cmocka_unit_test(sizes),
        cmocka_unit_test(two_processes),
        cmocka_unit_test(holder_killed),
        cmocka_unit_test(taken_over),
        cmocka_unit_test(not_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
