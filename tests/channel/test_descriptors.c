/*
 * Descriptors of each kind, in whatever mode they are: a call with a time-out keeps it, the end of
 * a terminal is an end of the stream, and what carries no stream is refused.
 */
#include "channel/ends.h"
#include "support/between.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { MUCH = 1 << 20, TIMEOUT_MS = 100, HANGS_S = 60 };

static uint8_t bytes[MUCH];

/** Two channels on descriptors of the test's own. */
struct two {
    duet_config *config;
    duet_replay *replay;
    duet_channel *top, *bottom;
};

/** Open both ends, initiate by polled calls. rfd, wfd: of TOP, then of BOTTOM. */
static void
open_two(struct two *two, const int rfd[2], const int wfd[2])
{
    int top = DUET_AGAIN, bottom = DUET_AGAIN;

    two->config = ends_config();
    two->replay = duet_replay_new(8);
    assert_int_equal(duet_channel_open(&two->top, two->config, NULL, DUET_TOP, rfd[0], wfd[0]),
                     DUET_OK);
    assert_int_equal(
        duet_channel_open(&two->bottom, two->config, two->replay, DUET_BOTTOM, rfd[1], wfd[1]),
        DUET_OK);
    for (int i = 0; i < 1000 && (top == DUET_AGAIN || bottom == DUET_AGAIN); i++) {
        top = duet_channel_handshake(two->top, 1);
        bottom = duet_channel_handshake(two->bottom, 1);
        top = top == DUET_SLOW ? DUET_AGAIN : top;
        bottom = bottom == DUET_SLOW ? DUET_AGAIN : bottom;
    }
    assert_int_equal(top, DUET_OK);
    assert_int_equal(bottom, DUET_OK);
}

static void
close_two(struct two *two)
{
    duet_channel_free(two->top);
    duet_channel_free(two->bottom);
    duet_replay_free(two->replay);
    duet_config_free(two->config);
}

/** A terminal in raw mode: its master and its other side, both in blocking mode. */
static void
open_terminal(int side[2])
{
    struct termios modes;

    side[0] = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(side[0] >= 0);
    assert_int_equal(grantpt(side[0]), 0);
    assert_int_equal(unlockpt(side[0]), 0);
    side[1] = open(ptsname(side[0]), O_RDWR | O_NOCTTY);
    assert_true(side[1] >= 0);
    assert_int_equal(tcgetattr(side[1], &modes), 0);
    modes.c_iflag = 0;
    modes.c_oflag = 0;
    modes.c_lflag = 0;
    modes.c_cflag = (modes.c_cflag & ~(tcflag_t)CSIZE) | CS8;
    modes.c_cc[VMIN] = 1;
    modes.c_cc[VTIME] = 0;
    assert_int_equal(tcsetattr(side[1], TCSANOW, &modes), 0);
}

static int64_t
now_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/** Send to a peer that reads nothing until a call runs out of time, which it must not exceed. A
 * call that hangs ends the test by SIGALRM. */
static void
fill_up(duet_channel *channel, size_t first)
{
    size_t n;
    int result = DUET_OK;
    int64_t began = 0;

    alarm(HANGS_S);
    for (int i = 0; i < 10000 && result == DUET_OK; i++) {
        began = now_ms();
        result = duet_channel_send(channel, bytes, i == 0 ? first : 4000, &n, TIMEOUT_MS);
        /* All accepted is DUET_OK, however the time of the call ended. */
        assert_between(now_ms() - began, 0, TIMEOUT_MS + 5000);
    }
    alarm(0);
    assert_int_equal(result, DUET_SLOW);
}

static void
a_terminal_keeps_the_timeout(void **state)
{
    (void)state;
    for (size_t first = 100; first < 4096; first += 777) {
        for (int sender = 0; sender < 2; sender++) {
            struct two two;
            int side[2];
            open_terminal(side);
            open_two(&two, side, side);
            fill_up(sender == 0 ? two.top : two.bottom, first);
            close_two(&two);
            close(side[0]);
            close(side[1]);
        }
    }
}

/** Send 20,000 bytes from one channel to the other, as much at a time as the terminal takes. */
static void
carry(duet_channel *from, duet_channel *to)
{
    static uint8_t got[20000];
    size_t there = 0, here = 0, n, sent;

    memset(got, 0, sizeof got);
    for (int i = 0; i < 100000 && here < sizeof got; i++) {
        int result = duet_channel_send(from, bytes + there, sizeof got - there, &sent, 0);
        there += sent;
        assert_true(result == DUET_OK || result == DUET_AGAIN);
        result = duet_channel_recv(to, got + here, sizeof got - here, &n, 1, 1);
        here += n;
        assert_true(result == DUET_OK || result == DUET_SLOW);
    }
    assert_int_equal(here, sizeof got);
    assert_memory_equal(got, bytes, sizeof got);
}

static void
a_terminal_carries_both_ways(void **state)
{
    struct two two;
    int side[2];

    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        open_terminal(side);
        for (int i = 0; i < 2 && mode == 1; i++)
            assert_int_equal(fcntl(side[i], F_SETFL, O_NONBLOCK), 0);
        open_two(&two, side, side);
        ends_fill(bytes, 20000, 3);
        carry(two.top, two.bottom);
        carry(two.bottom, two.top);
        close_two(&two);
        close(side[0]);
        close(side[1]);
    }
}

/** Linux reports EIO to the master when the other side has closed. */
static void
a_terminal_that_hangs_up_is_a_truncation(void **state)
{
    struct two two;
    int side[2];
    size_t n;

    (void)state;
    open_terminal(side);
    open_two(&two, side, side);
    duet_channel_free(two.bottom);
    two.bottom = NULL;
    close(side[1]);
    assert_int_equal(duet_channel_recv(two.top, bytes, 10, &n, 1, TIMEOUT_MS), DUET_E_TRUNCATED);
    close_two(&two);
    close(side[0]);
}

/** Pipes, whose mode changes after the channel is made: what another process may do. */
static void
a_changed_mode_keeps_the_timeout(void **state)
{
    static const int modes[2] = {O_NONBLOCK, 0};
    char folder[] = "/tmp/duet-descriptors-XXXXXX", path[64];

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/fifo", folder);
    for (int i = 0; i < 4; i++) {
        struct two two;
        int there[2], back[2], from = modes[i % 2], to = modes[1 - i % 2];
        size_t n;
        assert_int_equal(pipe(there), 0);
        assert_int_equal(pipe(back), 0);
        if (i >= 2) { /* a named pipe in place of one of them */
            close(there[0]);
            close(there[1]);
            assert_int_equal(mkfifo(path, 0600), 0);
            there[0] = open(path, O_RDONLY | O_NONBLOCK);
            there[1] = open(path, O_WRONLY);
            assert_int_equal(unlink(path), 0);
        }
        const int all[4] = {there[0], there[1], back[0], back[1]};
        for (int k = 0; k < 4; k++)
            assert_int_equal(fcntl(all[k], F_SETFL, from), 0);
        open_two(&two, (int[2]){back[0], there[0]}, (int[2]){there[1], back[1]});
        for (int k = 0; k < 4; k++)
            assert_int_equal(fcntl(all[k], F_SETFL, to), 0);
        alarm(HANGS_S);
        assert_int_equal(duet_channel_recv(two.top, bytes, 10, &n, 1, TIMEOUT_MS), DUET_SLOW);
        assert_int_equal(duet_channel_send(two.top, bytes, MUCH, &n, TIMEOUT_MS), DUET_SLOW);
        alarm(0);
        close_two(&two);
        for (int k = 0; k < 4; k++)
            close(all[k]);
    }
    assert_int_equal(rmdir(folder), 0);
}

static int
open_result(int rfd, int wfd)
{
    duet_config *config = ends_config();
    duet_channel *channel;

    int result = duet_channel_open(&channel, config, NULL, DUET_TOP, rfd, wfd);
    duet_channel_free(channel);
    duet_config_free(config);
    return result;
}

static void
what_carries_no_stream_is_refused(void **state)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    int pair[2], ends[2];

    (void)state;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, i == 0 ? SOCK_DGRAM : SOCK_SEQPACKET, 0, pair), 0);
        assert_int_equal(open_result(pair[0], pair[0]), DUET_E_MISUSE);
        close(pair[0]);
        close(pair[1]);
    }
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(open_result(udp, udp), DUET_E_MISUSE);
    close(udp);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(open_result(listener, listener), DUET_E_MISUSE);
    close(listener);
    int folder = open("/", O_RDONLY);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(open_result(folder, ends[1]), DUET_E_MISUSE);
    close(folder);
    assert_int_equal(open_result(ends[1], ends[0]), DUET_E_MISUSE); /* the ends are swapped */
    assert_int_equal(open_result(ends[0], ends[1]), DUET_OK);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(open_result(fileno(file), ends[1]), DUET_E_MISUSE);
    assert_int_equal(open_result(ends[0], fileno(file)), DUET_E_MISUSE);
    fclose(file);
    close(ends[0]);
    close(ends[1]);
}

/** A preset session needs no answer, so that a regular file can hold what it sends. */
static void
a_preset_session_in_a_file(void **state)
{
    static const uint8_t salt[16] = {1};
    static uint8_t got[100000];
    duet_config *config = ends_config();
    FILE *file = tmpfile();
    int fd = fileno(file);
    size_t n = 0;

    (void)state;
    ends_fill(bytes, sizeof got, 9);
    for (int role = 0; role < 2; role++) {
        duet_session *session;
        duet_channel *channel;
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(
            duet_session_new_preset(&session, config, (enum duet_role)role, salt, sizeof salt),
            DUET_OK);
        assert_int_equal(duet_channel_open_preset(&channel, session, NULL, fd, fd), DUET_OK);
        if (role == DUET_TOP) {
            assert_int_equal(duet_channel_send(channel, bytes, sizeof got, &n, -1), DUET_OK);
            assert_int_equal(duet_channel_close(channel, -1), DUET_OK);
        } else {
            assert_int_equal(duet_channel_recv(channel, got, sizeof got, &n, sizeof got, -1),
                             DUET_OK);
            assert_memory_equal(got, bytes, sizeof got);
            assert_int_equal(duet_channel_recv(channel, got, 1, &n, 1, -1), DUET_CLOSED);
        }
        duet_channel_free(channel);
    }
    fclose(file);
    duet_config_free(config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_keeps_the_timeout),
        cmocka_unit_test(a_terminal_carries_both_ways),
        cmocka_unit_test(a_terminal_that_hangs_up_is_a_truncation),
        cmocka_unit_test(a_changed_mode_keeps_the_timeout),
        cmocka_unit_test(what_carries_no_stream_is_refused),
        cmocka_unit_test(a_preset_session_in_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
