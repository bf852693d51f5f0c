/*
 * Sending: a frame begun is accepted, nothing is lost when the descriptor takes a part, and a peer
 * that went away raises no signal and hides nothing that it sent before.
 */
#include "channel/ends.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { MUCH = 3 << 20 };
static uint8_t sent[MUCH], had[MUCH];

/** Polled on both sides, whatever part of it the sockets take at a time. */
static void
more_than_the_socket_takes(void **state)
{
    struct ends ends;
    size_t n;
    size_t out = 0;
    size_t in = 0;
    unsigned kept = 0;

    (void)state;
    ends_open_direct(&ends);
    ends_handshake(&ends);
    ends_fill(sent, MUCH, 3);
    while (in < MUCH) {
        int result = duet_channel_send(ends.top, sent + out, MUCH - out, &n, 0);
        out += n;
        assert_true(result == DUET_AGAIN || (result == DUET_OK && out == MUCH));
        if (result == DUET_AGAIN) {
            assert_int_equal(duet_channel_state(ends.top) & (DUET_WANT_WRITE | DUET_WANT_READ),
                             DUET_WANT_WRITE);
            kept |= duet_channel_state(ends.top) & DUET_STATE_SEND;
        }
        result = duet_channel_recv(ends.bottom, had + in, MUCH - in, &n, MUCH - in, 0);
        assert_true(result == DUET_AGAIN || result == DUET_OK);
        in += n;
    }
    assert_true(kept);
    assert_int_equal(duet_channel_flush(ends.top, 0), DUET_OK);
    assert_memory_equal(had, sent, MUCH);
    ends_close(&ends);
}

static void
slow_peer(void **state)
{
    struct ends ends;
    size_t n;

    (void)state;
    ends_open_direct(&ends);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_send(ends.top, sent, MUCH, &n, 20), DUET_SLOW);
    assert_true(n > 0 && n < MUCH);
    assert_int_equal(duet_channel_flush(ends.top, 10), DUET_SLOW);
    assert_int_equal(duet_channel_close(ends.top, 10), DUET_SLOW);
    ends_close(&ends);
}

/** The peer sent, closed its socket and never read: what it sent is received, then the cut is
 * reported.
 */
static void
peer_went_away(void **state)
{
    struct ends ends;
    size_t n;
    int result = DUET_OK;

    (void)state;
    assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    ends_open_direct(&ends);
    ends_handshake(&ends);
    ends_fill(sent, 5000, 4);
    assert_int_equal(duet_channel_send(ends.bottom, sent, 5000, &n, 0), DUET_OK);
    close(ends.bottom_fd);
    ends.bottom_fd = -1;
    for (int i = 0; i < 100 && result == DUET_OK; i++)
        result = duet_channel_send(ends.top, sent, 1000, &n, ENDS_PATIENCE);
    assert_int_equal(result, DUET_E_TRUNCATED);
    assert_true(strlen(duet_channel_detail(ends.top)) > 0);
    assert_int_equal(duet_channel_send(ends.top, sent, 1000, &n, ENDS_PATIENCE), DUET_E_TRUNCATED);
    assert_int_equal(duet_channel_recv(ends.top, had, 5000, &n, 5000, ENDS_PATIENCE), DUET_OK);
    assert_memory_equal(had, sent, 5000);
    assert_int_equal(duet_channel_recv(ends.top, had, 5000, &n, 5000, ENDS_PATIENCE),
                     DUET_E_TRUNCATED);
    assert_int_equal(duet_channel_close(ends.top, ENDS_PATIENCE), DUET_E_TRUNCATED);
    ends_close(&ends);
}

/** What a peer of its own thread does. */
struct echo {
    duet_config *config;
    duet_replay *replay;
    int rfd, wfd;
    size_t bytes; /* echoed */
    int result;   /* what the last call said */
};

static void *
run_echo(void *argument)
{
    struct echo *echo = argument;
    static uint8_t buffer[70000];
    duet_channel *channel;
    size_t n;

    echo->result =
        duet_channel_open(&channel, echo->config, echo->replay, DUET_BOTTOM, echo->rfd, echo->wfd);
    while (echo->result == DUET_OK) {
        echo->result = duet_channel_recv(channel, buffer, sizeof buffer, &n, 1, ENDS_PATIENCE);
        echo->bytes += n;
        if (n > 0 && duet_channel_send(channel, buffer, n, &n, ENDS_PATIENCE) != DUET_OK)
            break;
    }
    if (echo->result == DUET_CLOSED)
        echo->result = duet_channel_close(channel, ENDS_PATIENCE);
    duet_channel_free(channel);
    return NULL;
}

/** Two pipes, in blocking mode as a shell makes them. */
static void
over_pipes(void **state)
{
    struct echo echo = {.config = ends_config(), .replay = duet_replay_new(8)};
    int there[2], back[2];
    pthread_t thread;
    duet_channel *channel;
    duet_exchange_io io = {.data = sent, .size = MUCH, .buffer = had, .room = MUCH};
    size_t n;

    (void)state;
    ends_fill(sent, MUCH, 5);
    assert_int_equal(pipe(there), 0);
    assert_int_equal(pipe(back), 0);
    echo.rfd = there[0];
    echo.wfd = back[1];
    assert_int_equal(pthread_create(&thread, NULL, run_echo, &echo), 0);
    assert_int_equal(duet_channel_open(&channel, echo.config, NULL, DUET_TOP, back[0], there[1]),
                     DUET_OK);
    assert_int_equal(duet_channel_exchange(channel, &io, ENDS_PATIENCE), DUET_OK);
    assert_memory_equal(had, sent, MUCH);
    assert_int_equal(duet_channel_close(channel, ENDS_PATIENCE), DUET_OK);
    assert_int_equal(duet_channel_recv(channel, had, 1, &n, 1, ENDS_PATIENCE), DUET_CLOSED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(echo.result, DUET_OK);
    assert_int_equal(echo.bytes, MUCH);
    assert_int_equal(fcntl(there[1], F_GETFL) & O_NONBLOCK, 0);
    duet_channel_free(channel);
    for (int i = 0; i < 2; i++) {
        close(there[i]);
        close(back[i]);
    }
    duet_config_free(echo.config);
    duet_replay_free(echo.replay);
}

/** A pipe whose reader is gone: no signal, though its action is the default one. */
static void
broken_pipe(void **state)
{
    int there[2], back[2];
    duet_config *config = ends_config();
    duet_channel *channel;
    sigset_t pending;

    (void)state;
    assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    assert_int_equal(pipe(there), 0);
    assert_int_equal(pipe(back), 0);
    close(there[0]);
    assert_int_equal(duet_channel_open(&channel, config, NULL, DUET_TOP, back[0], there[1]),
                     DUET_OK);
    assert_int_equal(duet_channel_handshake(channel, -1), DUET_E_UNAUTHENTICATED);
    assert_non_null(strstr(duet_channel_detail(channel), "ipe"));
    assert_int_equal(duet_channel_handshake(channel, -1), DUET_E_UNAUTHENTICATED);
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
    duet_channel_free(channel);
    duet_config_free(config);
    close(there[1]);
    close(back[0]);
    close(back[1]);
}

/** A reset after READY is a cut, and the system's reason is reported. */
static void
reset_by_the_peer(void **state)
{
    struct ends ends;
    size_t n;

    (void)state;
    ends_open_direct(&ends);
    ends_handshake(&ends);
    /* A Unix socket that is closed with bytes unread resets its peer. */
    assert_int_equal(duet_channel_send(ends.top, sent, 1000, &n, 0), DUET_OK);
    close(ends.bottom_fd);
    ends.bottom_fd = -1;
    assert_int_equal(duet_channel_recv(ends.top, had, 10, &n, 10, -1), DUET_E_TRUNCATED);
    assert_non_null(strstr(duet_channel_detail(ends.top), "read: "));
    ends_close(&ends);
}

static void
bad_arguments(void **state)
{
    struct ends ends;
    duet_channel *channel;
    size_t n = 1;

    (void)state;
    ends_open_direct(&ends);
    assert_int_equal(duet_channel_open(&channel, ends.config, NULL, DUET_BOTTOM, 0, 0),
                     DUET_E_MISUSE);
    assert_null(channel);
    assert_int_equal(duet_channel_open(&channel, ends.config, NULL, DUET_TOP, -1, -1),
                     DUET_E_MISUSE);
    assert_null(channel);
    duet_stream stream = {0};
    assert_int_equal(duet_channel_open_stream(&channel, ends.config, NULL, DUET_TOP, &stream),
                     DUET_E_MISUSE);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_send_message(ends.top, 0, sent, 1, &n, 0), DUET_E_MISUSE);
    assert_int_equal(n, 0);
    assert_int_equal(duet_channel_send_message(ends.top, DUET_CODE_MORE, sent, 1, &n, 0),
                     DUET_E_MISUSE);
    assert_int_equal(duet_channel_send_frame(ends.top, 0xFFFFFF00u, sent, 1, &n, 0), DUET_E_MISUSE);
    assert_int_equal(duet_channel_send_frame(ends.top, 0, sent, (1 << 20) + 1, &n, 0),
                     DUET_E_LENGTH);
    /* None of these did any harm. */
    assert_int_equal(duet_channel_send(ends.top, "x", 1, &n, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 1, &n, 1, 0), DUET_OK);
    duet_channel_free(NULL);
    ends_close(&ends);
}

/* ---- A stream whose write fails ---- */

struct cut_stream {
    int fd, write_result; /* DUET_OK: it writes */
};

static int
cut_read(void *context, uint8_t *buffer, size_t size, size_t *got)
{
    ssize_t n = recv(((struct cut_stream *)context)->fd, buffer, size, MSG_DONTWAIT);

    *got = n > 0 ? (size_t)n : 0;
    if (n < 0)
        return DUET_AGAIN;
    return n > 0 ? DUET_OK : DUET_CLOSED;
}

static int
cut_write(void *context, const uint8_t *buffer, size_t size, size_t *put)
{
    const struct cut_stream *cut = context;

    *put = 0;
    if (cut->write_result != DUET_OK)
        return cut->write_result;
    ssize_t n = send(cut->fd, buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    *put = n > 0 ? (size_t)n : 0;
    return n > 0 ? DUET_OK : DUET_AGAIN;
}

static int
cut_wait(void *context, unsigned want, int timeout_ms)
{
    (void)context;
    (void)want;
    return usleep((unsigned)(timeout_ms < 0 ? 1 : timeout_ms) * 1000) == 0 ? DUET_OK : DUET_E_IO;
}

/** A stream's write fails after the peer has replied and closed: sending is over, the reply and the
 * peer's CLOSE are received. During the handshake the same failure ends the channel. */
static void
a_stream_cut_for_writing(void **state)
{
    static const int failures[] = {DUET_E_TRUNCATED, DUET_E_IO};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct ends ends;
        struct cut_stream cut;
        duet_stream stream = {&cut, cut_read, cut_write, cut_wait};
        size_t n;
        ends_open_direct(&ends);
        duet_channel_free(ends.top);
        cut = (struct cut_stream){ends.top_fd, failures[i]};
        assert_int_equal(duet_channel_open_stream(&ends.top, ends.config, NULL, DUET_TOP, &stream),
                         DUET_OK);
        assert_int_equal(duet_channel_handshake(ends.top, 0),
                         i == 0 ? DUET_E_UNAUTHENTICATED : DUET_E_IO);
        assert_int_equal(duet_channel_state(ends.top), 0);
        duet_channel_free(ends.top);
        cut.write_result = DUET_OK;
        assert_int_equal(duet_channel_open_stream(&ends.top, ends.config, NULL, DUET_TOP, &stream),
                         DUET_OK);
        ends_handshake(&ends);
        assert_int_equal(duet_channel_send(ends.bottom, "reply", 5, &n, 0), DUET_OK);
        assert_int_equal(duet_channel_close(ends.bottom, 0), DUET_OK);
        cut.write_result = failures[i];
        assert_int_equal(duet_channel_send(ends.top, sent, 100, &n, 100), failures[i]);
        assert_int_equal(duet_channel_send(ends.top, sent, 100, &n, 100), failures[i]);
        assert_int_equal(duet_channel_state(ends.top), DUET_WANT_READ | DUET_STATE_AGAIN_NOW);
        assert_int_equal(duet_channel_recv(ends.top, had, 100, &n, 1, 100), DUET_OK);
        assert_int_equal(n, 5);
        assert_memory_equal(had, "reply", 5);
        assert_int_equal(duet_channel_recv(ends.top, had, 100, &n, 1, 100), DUET_CLOSED);
        assert_int_equal(duet_channel_close(ends.top, 100), failures[i]);
        ends_close(&ends);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_than_the_socket_takes),
        cmocka_unit_test(slow_peer),
        cmocka_unit_test(peer_went_away),
        cmocka_unit_test(over_pipes),
        cmocka_unit_test(broken_pipe),
        cmocka_unit_test(reset_by_the_peer),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(a_stream_cut_for_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
