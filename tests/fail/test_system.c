/*
 * System calls that a channel makes: how many a receiving call costs, and that none of them may be
 * interrupted, come up short or find its bytes gone without the channel noticing.
 */
#include "channel/ends.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

ssize_t __real_recv(int fd, void *buffer, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
ssize_t __real_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);

static unsigned calls;     /* of all four */
static unsigned interrupt; /* every n-th recv() is; 0: none */
static size_t shortest;    /* bytes of what is removed at once; 0: all */
static int steal;          /* 1: another reader is first */

ssize_t
__wrap_recv(int fd, void *buffer, size_t size, int flags)
{
    calls++;
    if (interrupt > 0 && calls % interrupt == 0) {
        errno = EINTR;
        return -1;
    }
    if (flags & MSG_PEEK)
        return __real_recv(fd, buffer, size, flags);
    if (steal && (flags & MSG_TRUNC)) {
        errno = EAGAIN;
        return -1;
    }
    if ((flags & MSG_TRUNC) && shortest > 0 && size > shortest)
        size = shortest;
    return __real_recv(fd, buffer, size, flags);
}

ssize_t
__wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
    calls++;
    return __real_recvmsg(fd, message, flags);
}

int
__wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    calls++;
    return __real_poll(fds, count, timeout);
}

ssize_t
__wrap_send(int fd, const void *data, size_t size, int flags)
{
    calls++;
    return __real_send(fd, data, size, flags);
}

enum { FRAMES = 300, EACH = 40 };

static uint8_t sent[FRAMES * EACH], had[FRAMES * EACH];

/** Ends on TCP with FRAMES frames of EACH bytes in the kernel. */
static void
begin(struct ends *ends)
{
    duet_config *config = ends_config();
    size_t n;

    interrupt = 0;
    shortest = 0;
    steal = 0;
    assert_int_equal(duet_config_set(config, DUET_SET_FRAME_SIZE, EACH), DUET_OK);
    ends_open_with(ends, config, ENDS_TCP);
    ends_handshake(ends);
    ends_fill(sent, sizeof sent, 9);
    memset(had, 0, sizeof had);
    assert_int_equal(duet_channel_send(ends->top, sent, sizeof sent, &n, 0), DUET_OK);
    calls = 0;
}

static void
many_small_frames_by_two_calls(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends);
    assert_int_equal(duet_channel_recv(ends.bottom, had, sizeof had, &got, sizeof had, 0), DUET_OK);
    assert_memory_equal(had, sent, sizeof had);
    assert_int_equal(calls, 2);
    ends_close(&ends);
}

/** A small frame that a call waits for: one call looks and waits, one removes. */
static void
no_poll_where_a_look_waits(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends);
    assert_int_equal(duet_channel_recv(ends.bottom, had, sizeof had, &got, sizeof had, 0), DUET_OK);
    calls = 0;
    for (unsigned i = 1; i <= 10; i++) {
        assert_int_equal(duet_channel_send(ends.top, sent, EACH, &got, -1), DUET_OK);
        assert_int_equal(duet_channel_recv(ends.bottom, had, EACH, &got, EACH, -1), DUET_OK);
        assert_int_equal(calls, 3 * i);
    }
    ends_close(&ends);
}

static void
interrupted_and_short(void **state)
{
    (void)state;
    for (interrupt = 2; interrupt < 5; interrupt++) {
        struct ends ends;
        unsigned every = interrupt;
        size_t total = 0, got;
        begin(&ends);
        interrupt = every;
        shortest = 7 * every;
        for (int i = 0; i < 1000 && total < sizeof had; i++) {
            size_t left = sizeof had - total;
            int result =
                duet_channel_recv(ends.bottom, had + total, left < 500 ? left : 500, &got, 1, 0);
            assert_true(result == DUET_OK || result == DUET_AGAIN);
            total += got;
        }
        assert_int_equal(total, sizeof had);
        assert_memory_equal(had, sent, sizeof had);
        assert_int_equal(ends_waiting(ends.bottom_fd), 0);
        ends_close(&ends);
    }
}

/** Peeked bytes that are gone when they are read: what was decrypted is reported, then the channel
 * fails. */
static void
stolen(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends);
    steal = 1;
    assert_int_equal(duet_channel_recv(ends.bottom, had, 10 * EACH, &got, 1, 0), DUET_E_IO);
    assert_int_equal(got, 10 * EACH);
    assert_memory_equal(had, sent, got);
    assert_int_equal(duet_channel_recv(ends.bottom, had, EACH, &got, 1, 0), DUET_E_IO);
    assert_string_not_equal(duet_channel_detail(ends.bottom), "");
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_small_frames_by_two_calls),
        cmocka_unit_test(no_poll_where_a_look_waits),
        cmocka_unit_test(interrupted_and_short),
        cmocka_unit_test(stolen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
