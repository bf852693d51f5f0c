/*
 * Two channels for a test, with the test in the middle of the wire; see ends.h.
 */
#include "channel/ends.h"

#include "channel/channel.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/sockios.h>
#endif

#include <cmocka.h>

static const struct ends *opened_ends; /* the last that ends_open_with() made; NULL: none */

duet_config *
ends_config(void)
{
    uint8_t secret[128];
    duet_config *config = duet_config_new();
    assert_non_null(config);
    ends_fill(secret, sizeof secret, 7);
    assert_int_equal(duet_config_add_secret(config, secret, sizeof secret), DUET_OK);
    return config;
}

void
ends_fill(uint8_t *out, size_t size, uint32_t seed)
{
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        out[i] = (uint8_t)(state >> 24);
    }
}

int
ends_all(const uint8_t *bytes, size_t size, uint8_t value)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != value)
            return 0;
    }
    return 1;
}

/** A TCP connection on loopback that sends at once what it is given. */
static void
tcp_pair(int *one, int *other)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *one = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(*one, (struct sockaddr *)&address, size), 0);
    *other = accept(listener, NULL, NULL);
    assert_true(*other >= 0);
    assert_int_equal(setsockopt(*one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    assert_int_equal(setsockopt(*other, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    close(listener);
}

void
ends_sockets(enum ends_wire wire, int *one, int *other)
{
    int fd[2];

    if (wire == ENDS_TCP || wire == ENDS_TCP_APART) {
        tcp_pair(one, other);
        return;
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    *one = fd[0];
    *other = fd[1];
}

/** These tests count the bytes of frames; what fills READY and CLOSE is channel/first's. */
static void
fill_nothing(struct ends *ends)
{
    ends->top->session->fills_lone = 0;
    ends->bottom->session->fills_lone = 0;
}

void
ends_open_with(struct ends *ends, duet_config *config, enum ends_wire wire)
{
    memset(ends, 0, sizeof *ends);
    ends->config = config;
    ends->replay = duet_replay_new(64);
    assert_non_null(ends->replay);
    opened_ends = ends;
    if (wire == ENDS_DIRECT || wire == ENDS_TCP) {
        ends_sockets(wire, &ends->top_fd, &ends->bottom_fd);
        ends->top_far = ends->bottom_fd;
        ends->bottom_far = ends->top_fd;
    } else {
        ends_sockets(wire, &ends->top_fd, &ends->top_far);
        ends_sockets(wire, &ends->bottom_fd, &ends->bottom_far);
    }
    assert_int_equal(
        duet_channel_open(&ends->top, config, NULL, DUET_TOP, ends->top_fd, ends->top_fd), DUET_OK);
    assert_int_equal(duet_channel_open(&ends->bottom, config, ends->replay, DUET_BOTTOM,
                                       ends->bottom_fd, ends->bottom_fd),
                     DUET_OK);
    fill_nothing(ends);
}

void
ends_open(struct ends *ends)
{
    ends_open_with(ends, ends_config(), ENDS_APART);
}

void
ends_open_direct(struct ends *ends)
{
    ends_open_with(ends, ends_config(), ENDS_DIRECT);
}

static void
close_once(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void
ends_close(struct ends *ends)
{
    opened_ends = NULL;
    duet_channel_free(ends->top);
    duet_channel_free(ends->bottom);
    duet_replay_free(ends->replay);
    duet_config_free(ends->config);
    if (ends->top_far != ends->bottom_fd) {
        close_once(&ends->top_far);
        close_once(&ends->bottom_far);
    }
    close_once(&ends->top_fd);
    close_once(&ends->bottom_fd);
}

/** The socket of the channel at the other end of a far one; -1 when it is not ours to look at. */
static int
near_end(const struct ends *ends, int far)
{
    if (ends == NULL || ends->top_far == ends->bottom_fd)
        return -1;
    if (far == ends->top_far)
        return ends->top_fd;
    return far == ends->bottom_far ? ends->bottom_fd : -1;
}

/** Wait until `due` bytes can be read at fd. A busy kernel delivers TCP's segments late; where the
 * receive window is closed the rest stays at the sender. */
static void
wait_arrived(int fd, int sender, size_t due)
{
    for (int ms = 0; ms < ENDS_PATIENCE && ends_waiting(fd) < due; ms++) {
#ifdef SIOCOUTQNSD
        int unsent = 0;
        if (ioctl(sender, SIOCOUTQNSD, &unsent) == 0 && unsent > 0)
            return;
#else
        (void)sender;
#endif
        poll(NULL, 0, 1);
    }
}

size_t
ends_carry(int from, int to, size_t n)
{
    uint8_t bytes[4096];
    size_t carried = 0;
    int near = near_end(opened_ends, to);
    size_t before = near >= 0 ? ends_waiting(near) : 0;

    while (carried < n) {
        size_t want = n - carried < sizeof bytes ? n - carried : sizeof bytes;
        ssize_t got = recv(from, bytes, want, MSG_DONTWAIT);
        if (got <= 0)
            break;
        assert_int_equal(send(to, bytes, (size_t)got, MSG_NOSIGNAL), got);
        carried += (size_t)got;
    }
    if (near >= 0 && carried > 0)
        wait_arrived(near, to, before + carried);
    return carried;
}

void
ends_carry_all(struct ends *ends)
{
    if (ends->top_far == ends->bottom_fd)
        return;
    ends_carry(ends->top_far, ends->bottom_far, SIZE_MAX);
    ends_carry(ends->bottom_far, ends->top_far, SIZE_MAX);
}

void
ends_handshake(struct ends *ends)
{
    int top = DUET_AGAIN;
    int bottom = DUET_AGAIN;

    fill_nothing(ends); /* a test may have opened a channel anew */
    for (int i = 0; i < 100 && (top == DUET_AGAIN || bottom == DUET_AGAIN); i++) {
        top = duet_channel_handshake(ends->top, 0);
        ends_carry_all(ends);
        bottom = duet_channel_handshake(ends->bottom, 0);
        ends_carry_all(ends);
    }
    assert_int_equal(top, DUET_OK);
    assert_int_equal(bottom, DUET_OK);
    assert_int_equal(ends_waiting(ends->top_fd), 0);
    assert_int_equal(ends_waiting(ends->bottom_fd), 0);
}

size_t
ends_waiting(int fd)
{
    int n = 0;
    assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
    return (size_t)n;
}

int
ends_readable(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return poll(&one, 1, 0) > 0 && (one.revents & POLLIN) != 0;
}
