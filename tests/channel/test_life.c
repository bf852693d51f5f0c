/*
 * A channel's life: unauthenticated peers, replayed flights, forks, and the memory of an idle one.
 */
#include "channel/channel.h"
#include "channel/ends.h"
#include "support/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
silent_to_unauthenticated(void **state)
{
    struct ends ends;
    uint8_t noise[5000];
    size_t n;

    (void)state;
    ends_open(&ends);
    ends_fill(noise, sizeof noise, 41);
    assert_int_equal(write(ends.bottom_far, noise, sizeof noise), sizeof noise);
    assert_int_equal(duet_channel_handshake(ends.bottom, ENDS_PATIENCE), DUET_E_UNAUTHENTICATED);
    assert_int_equal(duet_channel_handshake(ends.bottom, ENDS_PATIENCE), DUET_E_UNAUTHENTICATED);
    assert_int_equal(duet_channel_recv(ends.bottom, noise, 1, &n, 1, ENDS_PATIENCE),
                     DUET_E_UNAUTHENTICATED);
    assert_int_equal(duet_channel_close(ends.bottom, ENDS_PATIENCE), DUET_E_UNAUTHENTICATED);
    assert_true(strlen(duet_channel_detail(ends.bottom)) > 0);
    assert_int_equal(ends_waiting(ends.bottom_far), 0);
    ends_close(&ends);
}

static void
silent_peer(void **state)
{
    struct ends ends;

    (void)state;
    ends_open(&ends);
    assert_int_equal(duet_channel_handshake(ends.top, 20), DUET_SLOW);
    assert_int_equal(duet_channel_handshake(ends.bottom, 20), DUET_SLOW);
    assert_int_equal(duet_channel_handshake(ends.bottom, 0), DUET_AGAIN);
    shutdown(ends.bottom_far, SHUT_WR);
    assert_int_equal(duet_channel_handshake(ends.bottom, -1), DUET_E_UNAUTHENTICATED);
    ends_close(&ends);
}

/** A recorded first flight is refused in silence the second time, and so is TOP's own when it is
 * sent back to a listener of the same program. */
static void
replayed_flight(void **state)
{
    struct ends ends;
    uint8_t flight[65536];
    duet_channel *again;
    int fd[2];

    (void)state;
    ends_open(&ends);
    assert_int_equal(duet_channel_handshake(ends.top, 0), DUET_AGAIN);
    ssize_t size = recv(ends.top_far, flight, sizeof flight, MSG_PEEK);
    assert_true(size > 0);
    ends_handshake(&ends);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(duet_channel_open(&again, ends.config, ends.replay, DUET_BOTTOM, fd[0], fd[0]),
                     DUET_OK);
    assert_int_equal(write(fd[1], flight, (size_t)size), size);
    assert_int_equal(duet_channel_handshake(again, ENDS_PATIENCE), DUET_E_UNAUTHENTICATED);
    assert_int_equal(ends_waiting(fd[1]), 0);
    duet_channel_free(again);
    close(fd[0]);
    close(fd[1]);
    ends_close(&ends);
}

static void
own_flight_comes_back(void **state)
{
    duet_config *config = ends_config();
    duet_replay *replay = duet_replay_new(4);
    duet_channel *top, *bottom;
    int fd[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(duet_channel_open(&top, config, replay, DUET_TOP, fd[0], fd[0]), DUET_OK);
    assert_int_equal(duet_channel_open(&bottom, config, replay, DUET_BOTTOM, fd[1], fd[1]),
                     DUET_OK);
    assert_int_equal(duet_channel_handshake(top, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_handshake(bottom, ENDS_PATIENCE), DUET_E_UNAUTHENTICATED);
    assert_int_equal(ends_waiting(fd[0]), 0);
    duet_channel_free(top);
    duet_channel_free(bottom);
    duet_replay_free(replay);
    duet_config_free(config);
    close(fd[0]);
    close(fd[1]);
}

/** BOTTOM may speak in its first flight when it was asked to. */
static void
speaks_first(void **state)
{
    struct ends ends;
    size_t n;
    uint8_t bytes[8];
    duet_config *config = ends_config();

    (void)state;
    assert_int_equal(duet_config_set(config, DUET_SET_SPEAK_FIRST, 1), DUET_OK);
    ends_open_with(&ends, config, 0);
    assert_int_equal(duet_channel_handshake(ends.top, 0), DUET_AGAIN);
    ends_carry_all(&ends);
    assert_int_equal(duet_channel_handshake(ends.bottom, 0), DUET_OK);
    assert_int_equal(duet_channel_send(ends.bottom, "first", 5, &n, 0), DUET_OK);
    ends_carry_all(&ends);
    assert_int_equal(duet_channel_recv(ends.top, bytes, 5, &n, 5, 0), DUET_OK);
    assert_memory_equal(bytes, "first", 5);
    /* An unauthenticated peer in TOP's place is noticed later. */
    shutdown(ends.bottom_far, SHUT_WR);
    assert_int_equal(duet_channel_recv(ends.bottom, bytes, 5, &n, 5, 0), DUET_E_UNAUTHENTICATED);
    ends_close(&ends);
}

static int
in_a_child(struct ends *ends)
{
    uint8_t byte;
    size_t n;
    for (int i = 0; i < 2; i++) {
        if (duet_channel_send(ends->top, "x", 1, &n, 0) != DUET_E_FORKED ||
            duet_channel_recv(ends->top, &byte, 1, &n, 1, 0) != DUET_E_FORKED ||
            duet_channel_close(ends->bottom, 0) != DUET_E_FORKED)
            return 1;
    }
    ends_close(ends);
    return 0;
}

static void
forked(void **state)
{
    struct ends ends;
    size_t n;
    uint8_t byte;
    int status;

    (void)state;
    ends_open_direct(&ends);
    ends_handshake(&ends);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(in_a_child(&ends));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    /* Not a byte went out, and the parent goes on. */
    assert_int_equal(ends_waiting(ends.bottom_fd), 0);
    assert_int_equal(duet_channel_send(ends.top, "x", 1, &n, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(ends.bottom, &byte, 1, &n, 1, 0), DUET_OK);
    ends_close(&ends);
}

static void
preset(void **state)
{
    duet_config *config = ends_config();
    duet_session *session;
    duet_channel *top, *bottom;
    uint8_t salt[16] = "only for a test";
    uint8_t bytes[100];
    size_t n;
    int fd[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(duet_session_new_preset(&session, config, DUET_TOP, salt, sizeof salt),
                     DUET_OK);
    assert_int_equal(duet_channel_open_preset(&top, session, NULL, fd[0], fd[0]), DUET_OK);
    assert_int_equal(duet_session_new_preset(&session, config, DUET_BOTTOM, salt, sizeof salt),
                     DUET_OK);
    assert_int_equal(duet_channel_open_preset(&bottom, session, NULL, fd[1], fd[1]), DUET_OK);
    assert_int_equal(duet_channel_handshake(top, 0), DUET_OK);
    assert_int_equal(duet_channel_send(top, "at once", 7, &n, 0), DUET_OK);
    assert_int_equal(ends_waiting(fd[1]), 7 + DUET_FRAME_OVERHEAD);
    assert_int_equal(duet_channel_recv(bottom, bytes, sizeof bytes, &n, 1, 0), DUET_OK);
    assert_memory_equal(bytes, "at once", 7);
    assert_int_equal(duet_channel_close(bottom, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(top, bytes, sizeof bytes, &n, 1, 0), DUET_CLOSED);
    duet_channel_free(top);
    duet_channel_free(bottom);
    duet_config_free(config);
    close(fd[0]);
    close(fd[1]);
}

/** A preset channel splits by its configuration's frame size too, which outlives the handle. */
static void
preset_frame_size(void **state)
{
    duet_config *config = ends_config();
    duet_session *session;
    duet_channel *top;
    static uint8_t bytes[1000];
    uint8_t salt[16] = "another";
    size_t n;
    int fd[2];

    (void)state;
    ends_sockets(ENDS_DIRECT, &fd[0], &fd[1]);
    assert_int_equal(duet_config_set(config, DUET_SET_FRAME_SIZE, 100), DUET_OK);
    assert_int_equal(duet_session_new_preset(&session, config, DUET_TOP, salt, sizeof salt),
                     DUET_OK);
    duet_config_free(config);
    assert_int_equal(duet_channel_open_preset(&top, session, NULL, fd[0], fd[0]), DUET_OK);
    assert_int_equal(duet_channel_send(top, bytes, sizeof bytes, &n, 0), DUET_OK);
    assert_int_equal(ends_waiting(fd[1]), sizeof bytes + 10 * DUET_FRAME_OVERHEAD);
    duet_channel_free(top);
    close(fd[0]);
    close(fd[1]);
}

/** Blocks that are allocated now, libcrypto's included. */
static size_t
blocks(void)
{
    return heap_ours.live + heap_libcrypto.live;
}

/** An idle connection has one block of the channel's and what its session needs, no buffer. */
static void
costs_little_while_idle(void **state)
{
    struct ends ends;
    static uint8_t bytes[300000];
    size_t n;

    (void)state;
    assert_true(sizeof(struct duet_channel) <= 256);
    ends_open_direct(&ends);
    ends_handshake(&ends);
    size_t before = blocks();
    size_t calls = heap_ours.calls;
    assert_int_equal(duet_channel_send(ends.top, bytes, 100000, &n, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(ends.bottom, bytes, 50000, &n, 50000, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(ends.bottom, bytes, 100000, &n, 1, 0), DUET_OK);
    assert_int_equal(duet_channel_send(ends.top, bytes, sizeof bytes, &n, 0), DUET_AGAIN);
    while (duet_channel_flush(ends.top, 0) != DUET_OK)
        assert_true(duet_channel_recv(ends.bottom, bytes, sizeof bytes, &n, 1, 0) == DUET_OK);
    while (duet_channel_recv(ends.bottom, bytes, sizeof bytes, &n, 1, 0) == DUET_OK)
        continue;
    assert_int_equal(blocks(), before);
    assert_true(!heap_counts() || heap_ours.calls > calls); /* what was sent had to be kept */
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_to_unauthenticated),
        cmocka_unit_test(silent_peer),
        cmocka_unit_test(replayed_flight),
        cmocka_unit_test(own_flight_comes_back),
        cmocka_unit_test(speaks_first),
        cmocka_unit_test(forked),
        cmocka_unit_test(preset),
        cmocka_unit_test(preset_frame_size),
        cmocka_unit_test(costs_little_while_idle),
    };
    if (heap_count_libcrypto() != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
