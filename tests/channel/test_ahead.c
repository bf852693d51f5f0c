/*
 * DUET_SET_READ_AHEAD: the same bytes by every receiving call, whatever the frames, the segments
 * and the buffers; the state reports what poll() cannot, and a channel that holds nothing owns no
 * buffer (docs/protocol.md §1 "A receiver").
 */
#include "channel/channel.h"
#include "channel/ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { BYTES = 1 << 20, OVER = (int)DUET_FRAME_OVERHEAD };

static uint8_t sent[BYTES], had[BYTES];

static uint32_t dice;

static size_t
draw(size_t most)
{
    dice = dice * 1664525u + 1013904223u;
    return (dice >> 8) % most;
}

static void
begin(struct ends *ends, enum ends_wire wire, int buffered)
{
    duet_config *config = ends_config();

    assert_int_equal(duet_config_set(config, DUET_SET_READ_AHEAD, 1), DUET_OK);
    assert_int_equal(duet_config_set(config, DUET_SET_READ_AHEAD, 2), DUET_E_MISUSE);
    assert_int_equal(duet_config_set(config, DUET_SET_BUFFERED, (uint64_t)buffered), DUET_OK);
    ends_open_with(ends, config, wire);
    ends_handshake(ends);
    ends_fill(sent, sizeof sent, 3);
    memset(had, 0xEE, sizeof had);
}

/** Send a frame of the stream. */
static void
send_frame(struct ends *ends, size_t at, size_t size)
{
    size_t n;
    assert_int_equal(duet_channel_send_frame(ends->top, 0, sent + at, size, &n, ENDS_PATIENCE),
                     DUET_OK);
}

/* ---- Any sizes, any segments, all calls ---- */

enum { RECV, EXCHANGE, MANY, KINDS };

static int
receive(duet_channel *channel, int kind, uint8_t *to, size_t size, size_t *got)
{
    duet_exchange_io io = {.buffer = to, .room = size};
    duet_job job = {.channel = channel, .buffer = to, .room = size};

    if (kind == RECV)
        return duet_channel_recv(channel, to, size, got, 1, 0);
    if (kind == EXCHANGE) {
        int result = duet_channel_exchange(channel, &io, 0);
        *got = io.got;
        return result;
    }
    duet_channel_many(&job, 1);
    *got = job.got;
    return job.recv_result;
}

/** A drawn frame, at times larger than what the channel holds, if that much is left to send. */
static size_t
send_drawn(struct ends *ends, size_t left)
{
    static const size_t sizes[] = {0, 1, 17, 64, 500, 8192, 16384, 40000, 70000};
    size_t size = sizes[draw(sizeof sizes / sizeof *sizes)], n = 0;

    size = size < left ? size : left;
    int result = duet_channel_send_frame(ends->top, 0, sent + BYTES - left, size, &n, 0);
    while (n < size) {
        size_t more;
        assert_true(result == DUET_OK || result == DUET_AGAIN);
        ends_carry(ends->top_far, ends->bottom_far, 20000);
        (void)!duet_channel_recv(ends->bottom, had, 0, &more, 0, 0); /* makes room */
        result = duet_channel_send_frame(ends->top, 0, sent + BYTES - left + n, size - n, &more, 0);
        n += more;
    }
    return size;
}

static void
mix(enum ends_wire wire, int kind, int buffered, uint32_t seed)
{
    struct ends ends;
    size_t out = 0, in = 0, got;

    dice = seed;
    begin(&ends, wire, buffered);
    for (int i = 0; in < BYTES; i++) {
        assert_true(i < 1000000);
        if (out < BYTES && ends_waiting(ends.top_far) < 20000)
            out += send_drawn(&ends, BYTES - out);
        ends_carry(ends.top_far, ends.bottom_far, draw(2) ? draw(50) : draw(100000));
        size_t size = draw(3) || !buffered ? 70000 : draw(3000);
        size = size < BYTES - in ? size : BYTES - in;
        int result = receive(ends.bottom, kind, had + in, size, &got);
        assert_true(result == DUET_OK || result == DUET_AGAIN);
        assert_memory_equal(had + in, sent + in, got);
        in += got;
    }
    assert_memory_equal(had, sent, BYTES);
    assert_null(ends.bottom->ahead);
    ends_close(&ends);
}

static void
any_sizes_and_segments(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++)
        for (int buffered = 0; buffered < 2; buffered++) {
            mix(ENDS_TCP_APART, kind, buffered, 1);
            mix(ENDS_APART, kind, buffered, 2);
        }
}

/* ---- What is held, and what the state says of it ---- */

/** Frames that were not asked for leave the kernel; the state names them until the last is
 * received, and then the channel owns no buffer. */
static void
held_until_received(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends, ENDS_DIRECT, 0);
    for (size_t i = 0; i < 5; i++)
        send_frame(&ends, 1000 * i, 1000);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(duet_channel_recv(ends.bottom, had + 1000 * i, 1000, &got, 1, 0), DUET_OK);
        assert_int_equal(got, 1000);
        assert_int_equal(ends_waiting(ends.bottom_fd), 0);
        int holds = (duet_channel_state(ends.bottom) & DUET_STATE_HAS_DATA) != 0;
        assert_int_equal(holds, i < 4);
    }
    assert_memory_equal(had, sent, 5000);
    assert_null(ends.bottom->ahead);
    ends_close(&ends);
}

/** A part of a frame is held; it is nothing to be received, and poll() reports the rest. */
static void
part_of_a_frame(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends, ENDS_TCP_APART, 0);
    send_frame(&ends, 0, 5000);
    ends_carry(ends.top_far, ends.bottom_far, 3000);
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 0), DUET_AGAIN);
    assert_int_equal(got, 0);
    assert_int_equal(ends_waiting(ends.bottom_fd), 0);
    assert_int_equal(duet_channel_state(ends.bottom), DUET_STATE_RECV | DUET_WANT_READ);
    assert_true(ends_all(had, sizeof had, 0xEE));
    ends_carry(ends.top_far, ends.bottom_far, 5000 + OVER - 3000);
    assert_true(ends_readable(ends.bottom_fd));
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 0), DUET_OK);
    assert_int_equal(got, 5000);
    assert_memory_equal(had, sent, 5000);
    assert_null(ends.bottom->ahead);
    ends_close(&ends);
}

/** The wire ends within a frame: what came whole before is received first. */
static void
cut_within_a_frame(void **state)
{
    struct ends ends;
    size_t got, in = 100;
    int result;

    (void)state;
    begin(&ends, ENDS_TCP_APART, 0);
    for (size_t i = 0; i < 3; i++)
        send_frame(&ends, 100 * i, 100);
    ends_carry(ends.top_far, ends.bottom_far, 2 * (100 + OVER) + 50);
    shutdown(ends.bottom_far, SHUT_WR);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 100, &got, 1, ENDS_PATIENCE), DUET_OK);
    do {
        result = duet_channel_recv(ends.bottom, had + in, 500, &got, 1, ENDS_PATIENCE);
        in += got;
    } while (result == DUET_OK);
    assert_int_equal(result, DUET_E_TRUNCATED);
    assert_int_equal(in, 200);
    assert_memory_equal(had, sent, 200);
    assert_true(ends_all(had + 200, 500, 0xEE));
    assert_null(ends.bottom->ahead);
    ends_close(&ends);
}

/** A message between bytes of the stream, and the close, all in one read. */
static void
other_codes_and_the_close(void **state)
{
    struct ends ends;
    uint32_t code;
    size_t got;

    (void)state;
    begin(&ends, ENDS_DIRECT, 0);
    send_frame(&ends, 0, 10);
    assert_int_equal(duet_channel_send_message(ends.top, 7, "hello", 5, &got, 0), DUET_OK);
    send_frame(&ends, 10, 10);
    assert_int_equal(duet_channel_close(ends.top, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 0), DUET_OK);
    assert_int_equal(got, 10);
    assert_int_equal(ends_waiting(ends.bottom_fd), 0);
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 0), DUET_E_CODE);
    assert_true(duet_channel_state(ends.bottom) & DUET_STATE_HAS_DATA);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had, BYTES, &got, 0), DUET_OK);
    assert_int_equal(code, 7);
    assert_memory_equal(had, "hello", 5);
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 0), DUET_OK);
    assert_int_equal(got, 10);
    assert_memory_equal(had, sent + 10, 10);
    assert_true(duet_channel_state(ends.bottom) & DUET_STATE_HAS_DATA);
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 0), DUET_CLOSED);
    assert_false(duet_channel_state(ends.bottom) & DUET_STATE_HAS_DATA);
    assert_null(ends.bottom->ahead);
    ends_close(&ends);
}

/** A forged byte ends the channel, and what is held goes with it. */
static void
forged(void **state)
{
    struct ends ends;
    uint8_t wire[200];
    size_t got;

    (void)state;
    begin(&ends, ENDS_APART, 0);
    send_frame(&ends, 0, 50);
    send_frame(&ends, 50, 50);
    assert_int_equal(recv(ends.top_far, wire, sizeof wire, 0), 2 * (50 + OVER));
    wire[20] ^= 1;
    assert_int_equal(send(ends.bottom_far, wire, 2 * (50 + OVER), 0), 2 * (50 + OVER));
    assert_int_equal(duet_channel_recv(ends.bottom, had, 60, &got, 1, 0), DUET_E_FORGED);
    assert_int_equal(got, 0);
    assert_true(ends_all(had + 60, 100, 0xEE));
    assert_null(ends.bottom->ahead);
    assert_int_equal(duet_channel_state(ends.bottom), 0);
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_sizes_and_segments),    cmocka_unit_test(held_until_received),
        cmocka_unit_test(part_of_a_frame),           cmocka_unit_test(cut_within_a_frame),
        cmocka_unit_test(other_codes_and_the_close), cmocka_unit_test(forged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
