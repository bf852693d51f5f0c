/*
 * Both ways at once (the seed's sections 1 and 4): two peers that send each other much through
 * small socket buffers finish, on one call each.
 */
#include "channel/ends.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct party {
    duet_config *config;
    duet_replay *replay;
    enum duet_role role;
    int fd;
    int timeout_ms;
    int result;
    int closed;
    duet_exchange_io io;
};

/** Run one party to its end, polling where its timeout is 0. */
static void *
run_party(void *argument)
{
    struct party *party = argument;
    duet_channel *channel;
    size_t n;

    party->result = duet_channel_open(&channel, party->config, party->replay, party->role,
                                      party->fd, party->fd);
    if (party->result != DUET_OK)
        return NULL;
    do {
        party->result = duet_channel_exchange(channel, &party->io, party->timeout_ms);
    } while (party->result == DUET_AGAIN || party->result == DUET_SLOW);
    if (party->result == DUET_OK)
        party->result = duet_channel_close(channel, ENDS_PATIENCE);
    party->closed = duet_channel_recv(channel, &n, 1, &n, 1, ENDS_PATIENCE);
    duet_channel_free(channel);
    return NULL;
}

static void
small_buffers(int fd)
{
    int size = 4096;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
}

/** Two ends of a TCP connection over loopback. */
static void
tcp_pair(int fd[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    small_buffers(listener);
    small_buffers(fd[0]);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(connect(fd[0], (struct sockaddr *)&address, size), 0);
    fd[1] = accept(listener, NULL, NULL);
    assert_true(fd[1] >= 0);
    small_buffers(fd[1]);
    close(listener);
}

/** Exchange sizes[0] bytes of TOP's for sizes[1] of BOTTOM's. */
static void
exchange(int fd[2], size_t out, size_t back, int timeout_ms)
{
    pthread_t thread;
    struct party top = {.role = DUET_TOP, .fd = fd[0], .timeout_ms = timeout_ms};
    struct party bottom = {.role = DUET_BOTTOM, .fd = fd[1], .timeout_ms = timeout_ms};
    uint8_t *bytes = malloc(2 * (out + back));

    assert_non_null(bytes);
    ends_fill(bytes, out + back, 11);
    top.config = bottom.config = ends_config();
    bottom.replay = duet_replay_new(16);
    top.io = (duet_exchange_io){.data = bytes, .size = out};
    top.io.buffer = bytes + 2 * out + back;
    top.io.room = back;
    bottom.io = (duet_exchange_io){.data = bytes + out, .size = back};
    bottom.io.buffer = bytes + out + back;
    bottom.io.room = out;
    assert_int_equal(pthread_create(&thread, NULL, run_party, &bottom), 0);
    run_party(&top);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(top.result, DUET_OK);
    assert_int_equal(bottom.result, DUET_OK);
    assert_int_equal(top.closed, DUET_CLOSED);
    assert_int_equal(bottom.closed, DUET_CLOSED);
    assert_true(top.io.sent == out && top.io.got == back);
    assert_memory_equal(bytes, bytes + out + back, out + back);
    duet_config_free(top.config);
    duet_replay_free(bottom.replay);
    free(bytes);
    close(fd[0]);
    close(fd[1]);
}

/** Bytes each way: 64 MiB where speed allows. */
static size_t
megabytes(void)
{
    const char *wish = getenv("DUET_TEST_MEGABYTES");
    size_t most = ENDS_SANITIZED ? 8 : 64;
    return (wish != NULL ? strtoul(wish, NULL, 10) : most) << 20;
}

static void
much_over_small_sockets(void **state)
{
    int fd[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    small_buffers(fd[0]);
    small_buffers(fd[1]);
    exchange(fd, megabytes(), megabytes(), -1);
}

static void
much_over_tcp(void **state)
{
    int fd[2];
    (void)state;
    tcp_pair(fd);
    exchange(fd, 8 << 20, (8 << 20) + 12345, -1);
}

static void
polled(void **state)
{
    int fd[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    small_buffers(fd[0]);
    exchange(fd, 1 << 20, 100000, 0);
}

static void
one_sided(void **state)
{
    int fd[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    exchange(fd, 1 << 20, 0, 3);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    exchange(fd, 0, 1, 1000);
}

/** The peer closes before all that was hoped for came. */
static void
closed_early(void **state)
{
    struct ends ends;
    uint8_t bytes[100];
    size_t n;
    duet_exchange_io io = {.data = "hello", .size = 5, .buffer = bytes, .room = sizeof bytes};

    (void)state;
    ends_open_direct(&ends);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_send(ends.bottom, "early", 5, &n, 0), DUET_OK);
    assert_int_equal(duet_channel_close(ends.bottom, 0), DUET_OK);
    assert_int_equal(duet_channel_exchange(ends.top, &io, ENDS_PATIENCE), DUET_CLOSED);
    assert_true(io.sent == 5 && io.got == 5);
    assert_memory_equal(bytes, "early", 5);
    ends_close(&ends);
}

/** The peer vanishes while both send: what it sent is received, and the cut is reported. */
static void
vanished(void **state)
{
    struct ends ends;
    static uint8_t bytes[1 << 20], back[1 << 20];
    size_t n;
    duet_exchange_io io = {.data = bytes, .size = sizeof bytes, .buffer = back};

    (void)state;
    assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    ends_open_direct(&ends);
    ends_handshake(&ends);
    io.room = sizeof back;
    ends_fill(bytes, sizeof bytes, 12);
    assert_int_equal(duet_channel_send(ends.bottom, bytes, 10000, &n, 0), DUET_OK);
    close(ends.bottom_fd);
    ends.bottom_fd = -1;
    assert_int_equal(duet_channel_exchange(ends.top, &io, ENDS_PATIENCE), DUET_E_TRUNCATED);
    assert_int_equal(io.got, 10000);
    assert_memory_equal(back, bytes, 10000);
    assert_int_equal(duet_channel_exchange(ends.top, &io, ENDS_PATIENCE), DUET_E_TRUNCATED);
    ends_close(&ends);
}

/** When nothing can be sent any more, what has come is received, and the call does not wait for what
 * the peer may never send. */
static void
sending_fails(void **state)
{
    static uint8_t data[1000], had[2000];

    (void)state;
    for (int polled = 0; polled < 2; polled++) {
        struct ends ends;
        duet_exchange_io io = {
            .data = data, .size = sizeof data, .buffer = had, .room = sizeof had};
        size_t n;
        ends_open_direct(&ends);
        ends_handshake(&ends);
        assert_int_equal(duet_channel_send(ends.bottom, data, 600, &n, 0), DUET_OK);
        assert_int_equal(shutdown(ends.bottom_fd, SHUT_RD), 0);
        assert_int_equal(duet_channel_exchange(ends.top, &io, polled ? 0 : ENDS_PATIENCE),
                         DUET_E_TRUNCATED);
        assert_int_equal(io.got, 600);
        assert_int_equal(duet_channel_send(ends.bottom, data, 30, &n, 0), DUET_OK);
        assert_int_equal(duet_channel_recv(ends.top, had, sizeof had, &n, 1, ENDS_PATIENCE),
                         DUET_OK);
        assert_int_equal(n, 30);
        ends_close(&ends);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(much_over_small_sockets),
        cmocka_unit_test(much_over_tcp),
        cmocka_unit_test(polled),
        cmocka_unit_test(one_sided),
        cmocka_unit_test(closed_early),
        cmocka_unit_test(vanished),
        cmocka_unit_test(sending_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
