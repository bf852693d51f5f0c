/*
 * Messages (docs/protocol.md §1, "MORE"): of any size, with boundaries, in parts where the buffer
 * is small, and frames of any length in pieces.
 */
#include "channel/ends.h"
#include "support/between.h"
#include "support/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST = 1 << 20, ALLOWED = 128 * 1024 /* bytes that may be held for one huge frame */ };
static uint8_t sent[MOST], had[MOST + 1];

/** Send a message and receive it in parts of room bytes at most. */
static void
round_trip(struct ends *ends, uint32_t code, size_t size, size_t room)
{
    size_t out = 0;
    size_t in = 0;
    size_t n;
    uint32_t got_code = DUET_CODE_MORE;
    int sending = DUET_AGAIN;
    int result = DUET_AGAIN;

    while (sending == DUET_AGAIN || got_code == DUET_CODE_MORE) {
        if (sending == DUET_AGAIN) {
            sending = duet_channel_send_message(ends->top, code, sent + out, size - out, &n, 0);
            out += n;
            assert_true(sending == (out == size ? DUET_OK : DUET_AGAIN));
        } else {
            int flushed = duet_channel_flush(ends->top, 0);
            assert_true(flushed == DUET_OK || flushed == DUET_AGAIN);
        }
        if (got_code == DUET_CODE_MORE) {
            result = duet_channel_recv_message(ends->bottom, &got_code, had + in,
                                               room < MOST - in ? room : MOST - in, &n, 0);
            assert_true(result == DUET_OK || result == DUET_AGAIN);
            in += n;
        }
    }
    assert_int_equal(got_code, code);
    assert_int_equal(in, size);
    assert_memory_equal(had, sent, size);
}

static void
sizes(void **state)
{
    static const size_t list[] = {0,     1,     15,    255,    256,    16383,   16384,
                                  16385, 32768, 65536, 100000, 500000, MOST - 1};
    struct ends ends;

    (void)state;
    ends_fill(sent, MOST, 8);
    ends_open_direct(&ends);
    ends_handshake(&ends);
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        round_trip(&ends, 5 + (uint32_t)i, list[i], SIZE_MAX);
        round_trip(&ends, DUET_CODE_APP_MAX, list[i], 16384);
        round_trip(&ends, 1, list[i], 20000);
    }
    ends_close(&ends);
}

/** The peer accepts little: frames are split to its limit, messages to any size. */
static void
beyond_the_peers_limit(void **state)
{
    struct ends ends;
    size_t n;
    duet_config *config = ends_config();

    (void)state;
    assert_int_equal(duet_config_set(config, DUET_SET_MAX_PAYLOAD, 300), DUET_OK);
    ends_open_with(&ends, config, 1);
    ends_handshake(&ends);
    round_trip(&ends, 9, 10000, 300);
    assert_int_equal(duet_channel_send(ends.top, sent, 5000, &n, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 5000, &n, 5000, 0), DUET_OK);
    assert_memory_equal(had, sent, 5000);
    assert_int_equal(duet_channel_send_frame(ends.top, 7, sent, 301, &n, 0), DUET_E_LENGTH);
    ends_close(&ends);
}

static void
nothing_between_the_parts(void **state)
{
    struct ends ends;
    size_t n;
    size_t out;

    (void)state;
    ends_open(&ends);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_send_message(ends.top, 6, sent, MOST, &out, 0), DUET_AGAIN);
    assert_true(out > 0 && out < MOST);
    assert_int_equal(duet_channel_send(ends.top, sent, 1, &n, 0), DUET_E_MISUSE);
    assert_int_equal(duet_channel_send_frame(ends.top, 6, sent, 1, &n, 0), DUET_E_MISUSE);
    assert_int_equal(duet_channel_send_message(ends.top, 7, sent, 1, &n, 0), DUET_E_MISUSE);
    assert_int_equal(duet_channel_close(ends.top, 0), DUET_E_MISUSE);
    ends_close(&ends);

    ends_open(&ends);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_send_frame(ends.top, 6, sent, MOST, &out, 0), DUET_AGAIN);
    assert_true(out > 0 && out < MOST);
    assert_int_equal(duet_channel_send(ends.top, sent, 1, &n, 0), DUET_E_MISUSE);
    assert_int_equal(duet_channel_send_message(ends.top, 6, sent, 1, &n, 0), DUET_E_MISUSE);
    assert_int_equal(duet_channel_send_frame(ends.top, 6, sent, 1, &n, 0), DUET_E_MISUSE);
    assert_int_equal(duet_channel_close(ends.top, 0), DUET_E_MISUSE);
    assert_true(duet_channel_state(ends.top) & DUET_STATE_SEND);
    ends_close(&ends);
}

/** An empty message says by its result whether it was accepted, also where the socket is full. */
static void
empty_messages_behind_a_full_socket(void **state)
{
    struct ends ends;
    size_t n;
    uint32_t code;
    int accepted = 0;
    int result;

    (void)state;
    ends_open(&ends);
    ends_handshake(&ends);
    do {
        result = duet_channel_send_message(ends.top, 3, NULL, 0, &n, 0);
        accepted += result == DUET_OK;
    } while (result == DUET_OK);
    assert_int_equal(result, DUET_AGAIN);
    for (int had_so_far = 0; had_so_far < accepted;) {
        ends_carry_all(&ends);
        assert_true(duet_channel_flush(ends.top, 0) != DUET_E_MISUSE);
        while ((result = duet_channel_recv_message(ends.bottom, &code, had, 10, &n, 0)) ==
               DUET_OK) {
            assert_int_equal(code, 3);
            had_so_far++;
        }
        assert_int_equal(result, DUET_AGAIN);
        assert_true(had_so_far <= accepted);
    }
    ends_carry_all(&ends);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had, 10, &n, 0), DUET_AGAIN);
    ends_close(&ends);
}

/** Receive what is there of messages of `each` bytes. Returns how many are whole. */
static int
take_messages(struct ends *ends, size_t each, size_t *in)
{
    int whole = 0, result = DUET_OK;
    uint32_t code;
    size_t n;

    while (result == DUET_OK) {
        result = duet_channel_recv_message(ends->bottom, &code, had + *in, MOST - *in, &n, 0);
        assert_true(result == DUET_OK || result == DUET_AGAIN);
        *in += n;
        if (code != 7)
            continue;
        assert_int_equal(*in, each);
        assert_memory_equal(had, sent, each);
        *in = 0;
        whole++;
    }
    return whole;
}

/** The loop of channel.h, "go on with the rest under the same code", where the socket takes less
 * than is sent: each message arrives once, and no empty one is made of an end that waits. */
static void
the_documented_loop(void **state)
{
    enum { EACH = 60000, COUNT = 20 };
    struct ends ends;
    int came = 0, unsent = 0;
    size_t n, in = 0;

    (void)state;
    ends_open_direct(&ends);
    ends_handshake(&ends);
    ends_fill(sent, EACH, 9);
    for (int i = 0; i < COUNT; i++) {
        int result = DUET_AGAIN;
        for (size_t at = 0; result == DUET_AGAIN; at += n) {
            result = duet_channel_send_message(ends.top, 7, sent + at, EACH - at, &n, 0);
            assert_int_equal(result, at + n == EACH ? DUET_OK : DUET_AGAIN);
            if (result == DUET_AGAIN)
                came += take_messages(&ends, EACH, &in);
        }
        unsent += (duet_channel_state(ends.top) & DUET_WANT_WRITE) != 0;
    }
    while (duet_channel_close(ends.top, 0) == DUET_AGAIN)
        came += take_messages(&ends, EACH, &in);
    assert_true(unsent > 0); /* OK came before the kernel took all */
    for (int i = 0; i < COUNT && came < COUNT; i++) {
        uint32_t code;
        assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had + in, MOST - in, &n, 0),
                         DUET_OK);
        assert_true(code == 7 && in + n == EACH);
        in = 0;
        came++;
    }
    assert_int_equal(came, COUNT);
    uint32_t code;
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had, MOST, &n, 0), DUET_CLOSED);
    ends_close(&ends);
}

/** All accepted is DUET_OK for every sending call, while the bytes wait; the next call says AGAIN,
 * and close waits for them. */
static void
accepted_is_ok(void **state)
{
    const duet_message batch = {sent, 1000, 3};
    struct ends ends;
    size_t n;

    (void)state;
    for (int call = 0; call < 6; call++) {
        duet_job job = {.data = sent, .size = 1000};
        duet_exchange_io io = {.data = sent, .size = 1000};
        int result = DUET_OK;
        ends_open(&ends);
        ends_handshake(&ends);
        job.channel = ends.top;
        for (int i = 0; i < 100000; i++) {
            n = 0;
            if (call == 0)
                result = duet_channel_send(ends.top, sent, 1000, &n, i & 1);
            else if (call == 1)
                result = duet_channel_send_message(ends.top, 3, sent, 1000, &n, i & 1);
            else if (call == 2)
                result = duet_channel_send_messages(ends.top, &batch, 1, &n, i & 1);
            else if (call == 3)
                result = duet_channel_send_frame(ends.top, 3, sent, 1000, &n, i & 1);
            else if (call == 4)
                duet_channel_many(&job, 1);
            else
                result = duet_channel_exchange(ends.top, &io, i & 1);
            result = call == 4 ? job.send_result : result;
            n = call == 4 ? job.sent : call == 5 ? io.sent : n;
            io.sent = 0;
            if (result != DUET_OK)
                break;
            assert_int_equal(n, call == 2 ? 1 : 1000);
        }
        assert_true(result == DUET_AGAIN || result == DUET_SLOW);
        assert_int_equal(n, 0);
        assert_true(duet_channel_state(ends.top) & DUET_WANT_WRITE);
        assert_int_equal(duet_channel_close(ends.top, 0), DUET_AGAIN);
        ends_close(&ends);
    }
}

/** Streams and messages one after the other, each taken by its own call. */
static void
mixed_with_the_stream(void **state)
{
    struct ends ends;
    size_t n;
    uint32_t code;

    (void)state;
    ends_open_direct(&ends);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_send(ends.top, "abc", 3, &n, 0), DUET_OK);
    assert_int_equal(duet_channel_send_message(ends.top, 1, "defg", 4, &n, 0), DUET_OK);
    assert_int_equal(duet_channel_send_message(ends.top, 2, NULL, 0, &n, 0), DUET_OK);
    assert_int_equal(duet_channel_send(ends.top, "hi", 2, &n, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 100, &n, 100, 0), DUET_OK);
    assert_int_equal(n, 3);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 100, &n, 1, 0), DUET_E_CODE);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had, 100, &n, 0), DUET_OK);
    assert_true(code == 1 && n == 4);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, NULL, 0, &n, 0), DUET_OK);
    assert_true(code == 2 && n == 0);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had, 100, &n, 0), DUET_OK);
    assert_true(code == 0 && n == 2);
    ends_close(&ends);
}

/** CLOSE inside a message cannot be sent; a stream cut inside one is truncated. */
static void
cut_inside_a_message(void **state)
{
    struct ends ends;
    size_t n;
    uint32_t code;

    (void)state;
    ends_open(&ends);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_send_message(ends.top, 6, sent, 20000, &n, 0), DUET_OK);
    ends_carry(ends.top_far, ends.bottom_far, 16384 + 30);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had, MOST, &n, 0), DUET_AGAIN);
    assert_int_equal(n, 16384);
    assert_int_equal(code, DUET_CODE_MORE);
    shutdown(ends.bottom_far, SHUT_WR);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had, MOST, &n, 0),
                     DUET_E_TRUNCATED);
    assert_int_equal(n, 0);
    ends_close(&ends);
}

/** The most bytes that the library and libcrypto held beyond what they held at heap_restart(). */
static size_t
taken_at_most(size_t before)
{
    return heap_ours.peak + heap_libcrypto.peak - before;
}

static size_t
held(void)
{
    return heap_ours.held + heap_libcrypto.held;
}

/** The sender of one huge frame, in a process of its own; returns its exit status. */
static int
send_huge(int fd, duet_config *config, size_t size)
{
    duet_channel *channel;
    size_t n;
    uint8_t *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED ||
        duet_channel_open(&channel, config, NULL, DUET_TOP, fd, fd) != DUET_OK ||
        duet_channel_handshake(channel, ENDS_PATIENCE) != DUET_OK)
        return 2;
    heap_restart();
    size_t before = held();
    if (duet_channel_send_frame(channel, 77, data, size, &n, -1) != DUET_OK || n != size)
        return 3;
    if (duet_channel_close(channel, ENDS_PATIENCE) != DUET_OK)
        return 4;
    return taken_at_most(before) < ALLOWED ? 0 : 5;
}

/** One frame of DUET_TEST_FRAME bytes: 64 MiB unless the environment says more, 4294967295 at
 * most. The receiver's buffer is the application's; the library holds nothing that grows with
 * the frame. */
static void
one_huge_frame(void **state)
{
    const char *wish = getenv("DUET_TEST_FRAME");
    size_t size = wish != NULL ? strtoul(wish, NULL, 10) : (size_t)64 << 20;
    duet_config *config = ends_config();
    duet_replay *replay = duet_replay_new(8);
    duet_channel *channel;
    uint32_t code;
    size_t n;
    int fd[2];
    int status;

    (void)state;
    assert_int_equal(duet_config_set(config, DUET_SET_MAX_PAYLOAD, UINT32_MAX), DUET_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(fd[1]);
        _exit(send_huge(fd[0], config, size));
    }
    close(fd[0]);
    uint8_t *buffer = mmap(NULL, size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(buffer != MAP_FAILED);
    buffer[0] = buffer[size - 1] = 1;
    assert_int_equal(duet_channel_open(&channel, config, replay, DUET_BOTTOM, fd[1], fd[1]),
                     DUET_OK);
    heap_restart();
    size_t before = held();
    assert_int_equal(duet_channel_recv_message(channel, &code, buffer, size, &n, -1), DUET_OK);
    assert_int_equal(code, 77);
    assert_int_equal(n, size);
    assert_true(buffer[0] == 0 && buffer[size / 2] == 0 && buffer[size - 1] == 0);
    assert_between(taken_at_most(before), 0, ALLOWED);
    assert_true(!heap_counts() || heap_ours.calls > 0); /* the handshake's, so they are counted */
    assert_int_equal(duet_channel_recv_message(channel, &code, buffer, size, &n, -1), DUET_CLOSED);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    munmap(buffer, size);
    duet_channel_free(channel);
    duet_replay_free(replay);
    duet_config_free(config);
    close(fd[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(beyond_the_peers_limit),
        cmocka_unit_test(nothing_between_the_parts),
        cmocka_unit_test(empty_messages_behind_a_full_socket),
        cmocka_unit_test(the_documented_loop),
        cmocka_unit_test(accepted_is_ok),
        cmocka_unit_test(mixed_with_the_stream),
        cmocka_unit_test(cut_inside_a_message),
        cmocka_unit_test(one_huge_frame),
    };
    if (heap_count_libcrypto() != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
