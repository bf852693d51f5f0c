/*
 * The end of a call that waits: duet_channel_stop() from another thread and from a signal handler,
 * and a handler that only runs. No stop is lost, whenever it comes.
 */
#include "channel/ends.h"
#include "support/between.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { HANGS_S = 120, ROUNDS = 300, MUCH = 4 << 20 };

static uint8_t bytes[MUCH];

static int64_t
now_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
sleep_us(unsigned us)
{
    const struct timespec time = {us / 1000000, (long)(us % 1000000) * 1000};
    nanosleep(&time, NULL);
}

/** A call that waits, for ever or nearly so. */
enum call { RECV, RECV_MESSAGE, SEND, EXCHANGE, FLUSH, CALLS };

static int
wait_in(duet_channel *channel, enum call call, int timeout_ms)
{
    duet_exchange_io io = {.data = bytes, .size = MUCH, .buffer = bytes, .room = MUCH};
    uint32_t code;
    size_t n;

    switch (call) {
    case RECV:
        return duet_channel_recv(channel, bytes, 10, &n, 1, timeout_ms);
    case RECV_MESSAGE:
        return duet_channel_recv_message(channel, &code, bytes, 10, &n, timeout_ms);
    case SEND:
        return duet_channel_send(channel, bytes, MUCH, &n, timeout_ms);
    case EXCHANGE:
        return duet_channel_exchange(channel, &io, timeout_ms);
    default:
        break;
    }
    /* TCP may take the last bytes after all: then there are more. */
    for (;;) {
        int result = duet_channel_flush(channel, timeout_ms);
        if (result != DUET_OK)
            return result;
        assert_int_equal(duet_channel_send(channel, bytes, MUCH, &n, 0), DUET_AGAIN);
    }
}

/** Two ends whose sockets hold less than is sent. */
static void
begin(struct ends *ends, enum ends_wire wire, enum call call)
{
    const int small = 1 << 16;
    size_t n;

    ends_open_with(ends, ends_config(), wire);
    assert_int_equal(setsockopt(ends->top_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    assert_int_equal(setsockopt(ends->top_far, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    ends_handshake(ends);
    /* TCP goes on moving bytes to the far end for a while: until it takes none. */
    for (int quiet = 0; call == FLUSH && quiet < 3; quiet = n == 0 ? quiet + 1 : 0) {
        assert_int_equal(duet_channel_send(ends->top, bytes, MUCH, &n, 0), DUET_AGAIN);
        sleep_us(5000);
    }
}

struct waiter {
    duet_channel *channel;
    enum call call;
    int timeout_ms, result;
};

static void *
run_waiter(void *argument)
{
    struct waiter *waiter = argument;
    waiter->result = wait_in(waiter->channel, waiter->call, waiter->timeout_ms);
    return NULL;
}

static void
from_another_thread(void **state)
{
    static const enum ends_wire wires[] = {ENDS_APART, ENDS_TCP_APART};
    unsigned pause = 0;

    (void)state;
    alarm(HANGS_S);
    for (int i = 0; i < ROUNDS; i++) {
        struct ends ends;
        pthread_t thread;
        size_t n;
        struct waiter waiter = {NULL, (enum call)(i / 2 % CALLS), i % 3 == 0 ? 3600000 : -1, 0};
        begin(&ends, wires[i % 2], waiter.call);
        waiter.channel = ends.top;
        assert_int_equal(pthread_create(&thread, NULL, run_waiter, &waiter), 0);
        sleep_us(pause); /* before the call, at its begin, and while it waits */
        pause = (pause + 37) % 2000;
        duet_channel_stop(ends.top);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(waiter.result, DUET_AGAIN);
        /* Later calls do not wait, a polled one works. */
        assert_int_equal(wait_in(ends.top, waiter.call, -1), DUET_AGAIN);
        assert_int_equal(duet_channel_send(ends.bottom, "bytes", 5, &n, 0), DUET_OK);
        ends_carry(ends.bottom_far, ends.top_far, SIZE_MAX);
        if (waiter.call != EXCHANGE) {
            assert_int_equal(duet_channel_recv(ends.top, bytes, 5, &n, 1, -1), DUET_AGAIN);
            assert_int_equal(duet_channel_recv(ends.top, bytes, 5, &n, 1, 0), DUET_OK);
            assert_int_equal(n, 5);
        }
        ends_close(&ends);
    }
    alarm(0);
}

static duet_channel *stopped_by_handler;
static volatile sig_atomic_t handled;

static void
stop_in_handler(int number)
{
    (void)number;
    handled++;
    if (stopped_by_handler != NULL)
        duet_channel_stop(stopped_by_handler);
}

static void
set_handler(int flags)
{
    struct sigaction action = {.sa_handler = stop_in_handler, .sa_flags = flags};

    handled = 0;
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

struct killer {
    pthread_t victim;
    unsigned after_us, times;
};

static void *
run_killer(void *argument)
{
    const struct killer *killer = argument;
    for (unsigned i = 0; i < killer->times; i++) {
        sleep_us(killer->after_us);
        pthread_kill(killer->victim, SIGUSR1);
    }
    return NULL;
}

/** A handler that stops the channel ends a call that waits for ever, whenever the signal comes, and
 * also where system calls are restarted. */
static void
from_a_signal_handler(void **state)
{
    static const int flags[] = {0, SA_RESTART};

    (void)state;
    alarm(HANGS_S);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct ends ends;
        pthread_t thread;
        begin(&ends, i % 2 == 0 ? ENDS_APART : ENDS_TCP_APART, RECV);
        set_handler(flags[i / 2 % 2]);
        stopped_by_handler = ends.top;
        struct killer killer = {pthread_self(), i * 17 % 1500, 1};
        assert_int_equal(pthread_create(&thread, NULL, run_killer, &killer), 0);
        assert_int_equal(wait_in(ends.top, RECV, -1), DUET_AGAIN);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(handled, 1);
        ends_close(&ends);
    }
    alarm(0);
}

/** A handler that does nothing to the channel ends one wait; the next call goes on. */
static void
a_handler_ends_one_wait(void **state)
{
    size_t n;

    (void)state;
    alarm(HANGS_S);
    stopped_by_handler = NULL;
    for (int i = 0; i < 8; i++) {
        struct ends ends;
        pthread_t thread;
        begin(&ends, i % 2 == 0 ? ENDS_APART : ENDS_TCP_APART, i < 4 ? RECV : FLUSH);
        set_handler(i / 2 % 2 == 0 ? 0 : SA_RESTART);
        struct killer killer = {pthread_self(), 50000, 10};
        assert_int_equal(pthread_create(&thread, NULL, run_killer, &killer), 0);
        assert_int_equal(wait_in(ends.top, i < 4 ? RECV : FLUSH, i % 2 == 0 ? -1 : 3600000),
                         DUET_AGAIN);
        assert_true(handled > 0);
        assert_int_equal(duet_channel_send(ends.bottom, "bytes", 5, &n, 0), DUET_OK);
        ends_carry(ends.bottom_far, ends.top_far, SIZE_MAX);
        while (duet_channel_recv(ends.top, bytes, 5, &n, 5, -1) == DUET_AGAIN)
            assert_int_equal(n, 0);
        assert_int_equal(n, 5);
        assert_int_equal(pthread_join(thread, NULL), 0);
        ends_close(&ends);
    }
    alarm(0);
}

/* ---- A stream of the caller's, which stop cannot wake ---- */

static int
dry_read(void *context, uint8_t *buffer, size_t size, size_t *got)
{
    (void)context;
    (void)buffer;
    (void)size;
    *got = 0;
    return DUET_AGAIN;
}

static int
dry_write(void *context, const uint8_t *buffer, size_t size, size_t *put)
{
    (void)context;
    (void)buffer;
    *put = size;
    return DUET_OK;
}

static int
dry_wait(void *context, unsigned want, int timeout_ms)
{
    (void)context;
    (void)want;
    assert_true(timeout_ms >= 0);
    sleep_us((unsigned)timeout_ms * 1000);
    return DUET_OK;
}

static void
on_a_stream(void **state)
{
    const duet_stream stream = {NULL, dry_read, dry_write, dry_wait};
    duet_config *config = ends_config();
    struct waiter waiter = {.call = RECV, .timeout_ms = -1};
    pthread_t thread;

    (void)state;
    assert_int_equal(duet_channel_open_stream(&waiter.channel, config, NULL, DUET_TOP, &stream),
                     DUET_OK);
    assert_int_equal(pthread_create(&thread, NULL, run_waiter, &waiter), 0);
    sleep_us(50000);
    duet_channel_stop(waiter.channel);
    int64_t began = now_ms();
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_between(now_ms() - began, 0, 5000);
    assert_int_equal(waiter.result, DUET_AGAIN);
    duet_channel_free(waiter.channel);
    duet_config_free(config);
}

/* ---- What it costs ---- */

static unsigned
open_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/** A channel that never waits needs no descriptor of its own, nor does one that cannot have it. */
static void
descriptors(void **state)
{
    struct rlimit before, none;
    struct ends ends;
    size_t n;

    (void)state;
    ends_open(&ends);
    unsigned open = open_descriptors();
    ends_handshake(&ends);
    assert_int_equal(duet_channel_recv(ends.top, bytes, 1, &n, 1, 0), DUET_AGAIN);
    assert_int_equal(open_descriptors(), open);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)ends.bottom_far + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(duet_channel_recv(ends.top, bytes, 1, &n, 1, 10), DUET_SLOW);
    assert_int_equal(duet_channel_recv(ends.top, bytes, 1, &n, 1, 300), DUET_SLOW);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(open_descriptors(), open);
    assert_int_equal(duet_channel_recv(ends.top, bytes, 1, &n, 1, 10), DUET_SLOW);
    assert_between(open_descriptors() - open, 1, 2);
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_another_thread),
        cmocka_unit_test(from_a_signal_handler),
        cmocka_unit_test(a_handler_ends_one_wait),
        cmocka_unit_test(on_a_stream),
        cmocka_unit_test(descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
