/*
 * DUET_SET_BUFFERED: one verified frame stays in the channel, and every receiving call has it in
 * pieces of any size; nothing is handed out before it is verified (docs/protocol.md §1 "A
 * receiver").
 */
#include "channel/ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { BYTES = 300000, LARGE = 3 << 20, OVER = (int)DUET_FRAME_OVERHEAD };

static uint8_t sent[LARGE], had[LARGE];

static void
begin(struct ends *ends, enum ends_wire wire, uint64_t frame_size)
{
    duet_config *config = ends_config();

    assert_int_equal(duet_config_set(config, DUET_SET_BUFFERED, 1), DUET_OK);
    assert_int_equal(duet_config_set(config, DUET_SET_BUFFERED, 2), DUET_E_MISUSE);
    assert_int_equal(duet_config_set(config, DUET_SET_FRAME_SIZE, frame_size), DUET_OK);
    assert_int_equal(duet_config_set(config, DUET_SET_MAX_PAYLOAD, LARGE), DUET_OK);
    ends_open_with(ends, config, wire);
    ends_handshake(ends);
    memset(had, 0xEE, sizeof had);
}

/* ---- The stream ---- */

/** All kinds of calls that receive a stream. */
enum { RECV, EXCHANGE, MANY, KINDS };

static int
receive(duet_channel *channel, int kind, uint8_t *to, size_t size, size_t *got, int timeout_ms)
{
    duet_exchange_io io = {.buffer = to, .room = size};
    duet_job job = {.channel = channel, .buffer = to, .room = size};

    if (kind == RECV)
        return duet_channel_recv(channel, to, size, got, 1, timeout_ms);
    if (kind == EXCHANGE) {
        int result = duet_channel_exchange(channel, &io, timeout_ms);
        *got = io.got;
        return result;
    }
    duet_channel_many(&job, 1);
    *got = job.got;
    return job.recv_result;
}

/** BYTES of stream in frames of frame_size, carried in grains, received piece by piece. */
static void
pieces(enum ends_wire wire, int kind, size_t frame_size, size_t piece, size_t grain)
{
    struct ends ends;
    size_t out = 0, in = 0, got, total = BYTES / 300 * (piece < 300 ? piece + 1 : 300);
    int kept = 0;

    begin(&ends, wire, frame_size);
    for (int i = 0; in < total; i++) {
        assert_true(i < 2000000);
        if (out < total && ends_waiting(ends.top_far) < 30000) {
            size_t more = total - out < 20000 ? total - out : 20000;
            int result = duet_channel_send(ends.top, sent + out, more, &got, 0);
            assert_true(result == DUET_OK || result == DUET_AGAIN);
            out += got;
        }
        if (ends_waiting(ends.bottom_fd) < 30000)
            ends_carry(ends.top_far, ends.bottom_far, grain);
        size_t size = total - in < piece ? total - in : piece;
        int result = receive(ends.bottom, kind, had + in, size, &got, 0);
        assert_true(result == DUET_OK || result == DUET_AGAIN);
        if (result == DUET_OK)
            assert_true(kind == EXCHANGE ? got == size : got > 0);
        assert_memory_equal(had + in, sent + in, got);
        in += got;
        assert_true(in == sizeof had || had[in] == 0xEE || had[in] == 0);
        kept += (duet_channel_state(ends.bottom) & DUET_STATE_HAS_DATA) != 0;
    }
    assert_memory_equal(had, sent, total);
    assert_true(kept > 0 || piece >= frame_size);
    ends_close(&ends);
}

static void
any_piece_of_any_frame(void **state)
{
    static const enum ends_wire wires[] = {ENDS_APART, ENDS_TCP_APART};

    (void)state;
    for (size_t wire = 0; wire < 2; wire++)
        for (int kind = 0; kind < KINDS; kind++) {
            pieces(wires[wire], kind, 1000, 1, 3000);
            pieces(wires[wire], kind, 1000, 4, 900);
            pieces(wires[wire], kind, 1000, 1500, 500);
            pieces(wires[wire], kind, 16384, 1000, 7000);
            pieces(wires[wire], kind, 16384, 20000, 5000);
        }
}

/** What a call does not ask for is not taken out of the kernel. */
static void
one_frame_at_most(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends, ENDS_DIRECT, 1000);
    assert_int_equal(duet_channel_send(ends.top, sent, 5000, &got, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 4, &got, 4, 0), DUET_OK);
    assert_int_equal(got, 4);
    assert_true(duet_channel_state(ends.bottom) & DUET_STATE_HAS_DATA);
    assert_int_equal(duet_channel_next_frame(ends.bottom), 996);
    assert_int_equal(ends_waiting(ends.bottom_fd), 4 * (1000 + OVER));
    assert_int_equal(duet_channel_recv(ends.bottom, had + 4, 2000, &got, 1, 0), DUET_OK);
    assert_int_equal(got, 1996); /* the rest of it, and a whole one */
    assert_false(duet_channel_state(ends.bottom) & DUET_STATE_HAS_DATA);
    assert_memory_equal(had, sent, 2000);
    /* All that was asked for comes, across frames. */
    assert_int_equal(duet_channel_recv(ends.bottom, had, 2500, &got, 2500, 0), DUET_OK);
    assert_int_equal(got, 2500);
    assert_memory_equal(had, sent + 2000, 2500);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 0, &got, 0, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 1000, &got, 1, 0), DUET_OK);
    assert_int_equal(got, 500);
    assert_int_equal(duet_channel_close(ends.top, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 4, &got, 1, 0), DUET_CLOSED);
    ends_close(&ends);
}

/** A frame beyond what a partial frame may be otherwise, cut by deadlines, in other buffers. */
static void
large_frames(void **state)
{
    struct ends ends;
    size_t in = 0, accepted = 0, got;

    (void)state;
    begin(&ends, ENDS_DIRECT, 16384);
    for (int i = 0; in < LARGE && i < 100000; i++) {
        size_t more = 0;
        if (accepted < LARGE) {
            int result =
                duet_channel_send_frame(ends.top, 0, sent + accepted, LARGE - accepted, &more, 0);
            assert_true(result == DUET_OK || result == DUET_AGAIN);
            accepted += more;
        } else {
            assert_int_equal(duet_channel_flush(ends.top, 0) == DUET_E_IO, 0);
        }
        uint8_t *at = i % 2 ? had : had + in; /* alternately, so that no buffer holds all */
        int result = duet_channel_recv(ends.bottom, at, i % 3 ? LARGE - in : 70000, &got, 1, 0);
        if (result != DUET_OK)
            assert_int_equal(result, DUET_AGAIN);
        assert_memory_equal(at, sent + in, got);
        in += got;
    }
    assert_int_equal(in, LARGE);
    ends_close(&ends);
}

/* ---- Messages ---- */

static void
messages(void **state)
{
    struct ends ends;
    duet_message list[4];
    duet_inbox inbox = {.buffer = had, .size = 300, .messages = list, .room = 4};
    uint32_t code;
    size_t got;

    (void)state;
    begin(&ends, ENDS_DIRECT, 1000);
    assert_int_equal(duet_channel_send_message(ends.top, 9, sent, 1200, &got, 0), DUET_OK);
    assert_int_equal(duet_channel_send_message(ends.top, 8, sent, 500, &got, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 10, &got, 1, 0), DUET_E_CODE);
    assert_true(duet_channel_state(ends.bottom) & DUET_STATE_HAS_DATA);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had, 0, &got, 0), DUET_E_ROOM);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had, 700, &got, 0), DUET_OK);
    assert_int_equal(code, DUET_CODE_MORE);
    assert_int_equal(got, 700);
    assert_int_equal(duet_channel_recv(ends.bottom, had + 700, 10, &got, 1, 0), DUET_E_CODE);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had + 700, 400, &got, 0),
                     DUET_OK);
    assert_int_equal(code, DUET_CODE_MORE);
    assert_int_equal(got, 400);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had + 1100, 400, &got, 0),
                     DUET_OK);
    assert_int_equal(code, 9);
    assert_int_equal(got, 100);
    assert_memory_equal(had, sent, 1200);

    assert_int_equal(duet_channel_recv_messages(ends.bottom, &inbox, 0), DUET_OK);
    assert_int_equal(inbox.count, 1);
    assert_int_equal(list[0].size, 300);
    assert_int_equal(list[0].code, DUET_CODE_MORE);
    assert_memory_equal(list[0].data, sent, 300);
    assert_int_equal(duet_channel_send(ends.top, sent, 50, &got, 0), DUET_OK);
    assert_int_equal(duet_channel_recv_messages(ends.bottom, &inbox, 0), DUET_OK);
    assert_int_equal(inbox.count, 2);
    assert_int_equal(list[0].size, 200);
    assert_int_equal(list[0].code, 8);
    assert_memory_equal(list[0].data, sent + 300, 200);
    assert_int_equal(list[1].size, 50);
    assert_int_equal(list[1].code, 0);
    ends_close(&ends);
}

/* ---- Lengths that nobody verified ---- */

/** Change the LENGTH of the next frame on the wire, and its CHECKSUM in step; with what the attacker
 * adds the frame is as long as it claims. Then receive by a kind of call. */
static int
bent_length(int buffered, uint32_t from, uint32_t to, int kind, size_t size)
{
    struct ends ends;
    duet_config *config = ends_config();
    uint8_t header[DUET_HEADER_SIZE];
    size_t got;
    uint32_t code;
    int result;

    assert_int_equal(duet_config_set(config, DUET_SET_BUFFERED, (uint64_t)buffered), DUET_OK);
    assert_int_equal(duet_config_set(config, DUET_SET_MAX_PAYLOAD, 5000), DUET_OK);
    ends_open_with(&ends, config, ENDS_APART);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_send(ends.top, sent, from, &got, 0), DUET_OK);
    assert_int_equal(read(ends.top_far, header, sizeof header), sizeof header);
    for (int i = 0; i < 4; i++) {
        uint8_t bend = (uint8_t)((from ^ to) >> (24 - 8 * i));
        header[i] ^= bend;
        header[12 + i] ^= bend;
    }
    assert_int_equal(write(ends.bottom_far, header, sizeof header), sizeof header);
    ends_carry_all(&ends);
    memset(had, 0xEE, 100);
    if (to <= 5000)
        assert_int_equal(write(ends.bottom_far, sent, to), to);
    if (kind < KINDS)
        result = receive(ends.bottom, kind, had, size, &got, 0);
    else
        result = duet_channel_recv_message(ends.bottom, &code, had, size, &got, 0);
    assert_int_equal(got, 0);
    assert_true(ends_all(had, 100, 0xEE));
    ends_close(&ends);
    return result;
}

static void
no_room_is_said_of_no_bent_length(void **state)
{
    (void)state;
    for (int kind = 0; kind <= KINDS; kind++) {
        /* Beyond the limit it is a violation, however small the buffer is. */
        for (int buffered = 0; buffered < 2; buffered++) {
            assert_int_equal(bent_length(buffered, 50, 5001, kind, 10), DUET_E_TOO_LONG);
            assert_int_equal(bent_length(buffered, 50, 0x40000032, kind, 5000), DUET_E_TOO_LONG);
        }
        /* Below it, the MAC is. */
        assert_int_equal(bent_length(1, 50, 4000, kind, 10), DUET_E_FORGED);
        assert_int_equal(bent_length(1, 50, 51, kind, 10), DUET_E_FORGED);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_piece_of_any_frame),
        cmocka_unit_test(one_frame_at_most),
        cmocka_unit_test(large_frames),
        cmocka_unit_test(messages),
        cmocka_unit_test(no_room_is_said_of_no_bent_length),
    };
    ends_fill(sent, sizeof sent, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
