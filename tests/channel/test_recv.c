/*
 * The reading rule (the seed's section 3): whole frames, verified bytes, and a kernel that keeps
 * what was not asked for. Section 1 of docs/protocol.md, "A receiver".
 */
#include "channel/ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static uint8_t sent[4 << 20], had[4 << 20];

enum { FULL = 1000, OVER = (int)DUET_FRAME_OVERHEAD };

/** Ends with frames of FULL bytes, initiated. */
static void
begin(struct ends *ends, enum ends_wire wire)
{
    duet_config *config = ends_config();
    assert_int_equal(duet_config_set(config, DUET_SET_FRAME_SIZE, FULL), DUET_OK);
    ends_open_with(ends, config, wire);
    ends_handshake(ends);
    ends_fill(sent, sizeof sent, 1);
    memset(had, 0xEE, sizeof had);
}

static void
send_bytes(struct ends *ends, size_t from, size_t n)
{
    size_t accepted;
    assert_int_equal(duet_channel_send(ends->top, sent + from, n, &accepted, 0), DUET_OK);
    assert_int_equal(accepted, n);
}

/** Bytes that the frames of n bytes of stream take on the wire. */
static size_t
on_wire(size_t n)
{
    return n + (n + FULL - 1) / FULL * OVER;
}

static void
several_frames(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends, ENDS_DIRECT);
    send_bytes(&ends, 0, 10 * FULL);
    assert_int_equal(ends_waiting(ends.bottom_fd), on_wire(10 * FULL));
    assert_int_equal(duet_channel_recv(ends.bottom, had, 3 * FULL, &got, 3 * FULL, 0), DUET_OK);
    assert_int_equal(got, 3 * FULL);
    /* All of what was not asked for is still with the kernel. */
    assert_int_equal(ends_waiting(ends.bottom_fd), on_wire(7 * FULL));
    assert_true(ends_all(had + got, FULL, 0xEE));
    assert_int_equal(duet_channel_recv(ends.bottom, had + got, 7 * FULL, &got, 7 * FULL, 0),
                     DUET_OK);
    assert_int_equal(got, 7 * FULL);
    assert_memory_equal(had, sent, 10 * FULL);
    assert_int_equal(ends_waiting(ends.bottom_fd), 0);
    assert_false(ends_readable(ends.bottom_fd));
    assert_int_equal(duet_channel_recv(ends.bottom, had, 1, &got, 1, 0), DUET_AGAIN);
    ends_close(&ends);
}

static void
stops_at_the_last_whole_frame(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends, ENDS_DIRECT);
    send_bytes(&ends, 0, 4 * FULL);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 2 * FULL + 10, &got, 2 * FULL + 10, -1),
                     DUET_OK);
    assert_int_equal(got, 2 * FULL);
    assert_true(ends_all(had + got, FULL, 0xEE));
    /* Of the third frame its header alone was taken, and poll() reports the rest. */
    assert_int_equal(ends_waiting(ends.bottom_fd), on_wire(2 * FULL) - DUET_HEADER_SIZE);
    assert_true(ends_readable(ends.bottom_fd));
    assert_int_equal(duet_channel_next_frame(ends.bottom), FULL);
    assert_int_equal(duet_channel_state(ends.bottom),
                     DUET_STATE_RECV | DUET_WANT_READ | DUET_STATE_AGAIN_NOW);
    assert_int_equal(duet_channel_recv(ends.bottom, had + got, 2 * FULL, &got, 1, -1), DUET_OK);
    assert_int_equal(got, 2 * FULL);
    assert_memory_equal(had, sent, 4 * FULL);
    assert_int_equal(duet_channel_next_frame(ends.bottom), 0);
    ends_close(&ends);
}

static void
at_least_one(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends, ENDS_DIRECT);
    send_bytes(&ends, 0, 2 * FULL + 7);
    assert_int_equal(duet_channel_recv(ends.bottom, had, sizeof had, &got, 1, -1), DUET_OK);
    assert_int_equal(got, 2 * FULL + 7);
    assert_memory_equal(had, sent, got);
    assert_int_equal(duet_channel_recv(ends.bottom, had, sizeof had, &got, 0, -1), DUET_OK);
    assert_int_equal(got, 0);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 5, &got, 6, 0), DUET_E_MISUSE);
    ends_close(&ends);
}

static void
slow_with_verified_bytes(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends, ENDS_APART);
    send_bytes(&ends, 0, 3 * FULL);
    ends_carry(ends.top_far, ends.bottom_far, on_wire(2 * FULL) + 500);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 3 * FULL, &got, 3 * FULL, 20), DUET_SLOW);
    assert_int_equal(got, 2 * FULL);
    assert_memory_equal(had, sent, got);
    assert_true(ends_all(had + got, 500 - DUET_HEADER_SIZE, 0));
    assert_true(ends_all(had + got + 500 - DUET_HEADER_SIZE, FULL, 0xEE));
    assert_int_equal(duet_channel_state(ends.bottom), DUET_STATE_RECV | DUET_WANT_READ);
    ends_carry_all(&ends);
    /* Another buffer: nothing is lost. */
    assert_int_equal(duet_channel_recv(ends.bottom, had + 100000, FULL, &got, FULL, ENDS_PATIENCE),
                     DUET_OK);
    assert_int_equal(got, FULL);
    assert_memory_equal(had + 100000, sent + 2 * FULL, FULL);
    ends_close(&ends);
}

/** Each byte arrives alone, each call brings another buffer, and a call is made after each. */
static void
dribbled_into_other_buffers(void **state)
{
    struct ends ends;
    size_t got;
    size_t total = 0;

    (void)state;
    begin(&ends, ENDS_APART);
    send_bytes(&ends, 0, 3 * FULL);
    for (size_t i = 1; i <= on_wire(3 * FULL); i++) {
        uint8_t *buffer = had + i * FULL;
        assert_int_equal(ends_carry(ends.top_far, ends.bottom_far, 1), 1);
        int result = duet_channel_recv(ends.bottom, buffer, FULL, &got, 1, 0);
        int whole = i % on_wire(FULL) == 0;
        assert_int_equal(result, whole ? DUET_OK : DUET_AGAIN);
        assert_int_equal(got, whole ? FULL : 0);
        assert_true(got > 0 || ends_all(buffer, FULL, 0xEE) || ends_all(buffer, 1, 0));
        assert_memory_equal(buffer, sent + total, got);
        total += got;
    }
    assert_int_equal(total, 3 * FULL);
    ends_close(&ends);
}

static void
room_for_the_next_frame(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends, ENDS_APART);
    send_bytes(&ends, 0, FULL);
    ends_carry(ends.top_far, ends.bottom_far, DUET_HEADER_SIZE + 300);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 999, &got, 1, -1), DUET_E_ROOM);
    assert_int_equal(got, 0);
    assert_int_equal(duet_channel_next_frame(ends.bottom), FULL);
    assert_int_equal(ends_waiting(ends.bottom_fd), 300);
    /* A part goes to the partial frame, and the room is asked for again. */
    assert_int_equal(duet_channel_recv(ends.bottom, had, FULL, &got, 1, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 999, &got, 1, 0), DUET_E_ROOM);
    ends_carry_all(&ends);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 0, &got, 0, 0), DUET_E_ROOM);
    assert_int_equal(duet_channel_recv(ends.bottom, had, FULL, &got, 1, 0), DUET_OK);
    assert_memory_equal(had, sent, FULL);
    ends_close(&ends);
}

/** One byte of the third frame is changed: what came before stands, the rest is wiped. */
static void
violation_at(size_t byte, int result)
{
    struct ends ends;
    uint8_t changed;
    size_t got;

    begin(&ends, ENDS_APART);
    send_bytes(&ends, 0, 4 * FULL);
    ends_carry(ends.top_far, ends.bottom_far, on_wire(2 * FULL) + byte);
    assert_int_equal(read(ends.top_far, &changed, 1), 1);
    changed ^= 0x10;
    assert_int_equal(write(ends.bottom_far, &changed, 1), 1);
    ends_carry_all(&ends);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 4 * FULL, &got, 4 * FULL, -1), result);
    assert_int_equal(got, 2 * FULL);
    assert_memory_equal(had, sent, 2 * FULL);
    if (byte >= DUET_HEADER_SIZE)
        assert_true(ends_all(had + got, FULL, 0));
    assert_true(ends_all(had + got + FULL, FULL, 0xEE));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(duet_channel_recv(ends.bottom, had, FULL, &got, 1, -1), result);
        assert_int_equal(got, 0);
        assert_int_equal(duet_channel_send(ends.bottom, sent, 1, &got, -1), result);
        assert_int_equal(duet_channel_close(ends.bottom, -1), result);
    }
    assert_int_equal(duet_channel_state(ends.bottom), 0);
    assert_int_equal(ends_carry(ends.bottom_far, ends.top_far, SIZE_MAX), 0);
    ends_close(&ends);
}

static void
violations(void **state)
{
    (void)state;
    violation_at(5, DUET_E_CHECKSUM);
    violation_at(DUET_HEADER_SIZE, DUET_E_FORGED);
    violation_at(DUET_HEADER_SIZE + FULL - 1, DUET_E_FORGED);
    violation_at(DUET_HEADER_SIZE + FULL, DUET_E_FORGED);
    violation_at(DUET_HEADER_SIZE + FULL + 7, DUET_E_FORGED);
}

/** A violation in a frame that lies in the partial frame. */
static void
violation_in_a_partial_frame(void **state)
{
    struct ends ends;
    uint8_t changed;
    size_t got;

    (void)state;
    begin(&ends, ENDS_APART);
    send_bytes(&ends, 0, FULL);
    ends_carry(ends.top_far, ends.bottom_far, 600);
    assert_int_equal(duet_channel_recv(ends.bottom, had, FULL, &got, 1, 0), DUET_AGAIN);
    assert_int_equal(read(ends.top_far, &changed, 1), 1);
    changed ^= 1;
    assert_int_equal(write(ends.bottom_far, &changed, 1), 1);
    ends_carry_all(&ends);
    memset(had, 0xEE, FULL);
    assert_int_equal(duet_channel_recv(ends.bottom, had, FULL, &got, 1, 0), DUET_E_FORGED);
    assert_true(ends_all(had, FULL, 0xEE));
    ends_close(&ends);
}

/** The stream ends at each byte of two frames, and never says that it is complete. */
static void
truncated_anywhere(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < on_wire(2 * FULL) + OVER; cut += cut % 97 < 3 ? 1 : 31) {
        struct ends ends;
        size_t got;
        begin(&ends, ENDS_APART);
        send_bytes(&ends, 0, 2 * FULL);
        assert_int_equal(duet_channel_close(ends.top, 0), DUET_OK);
        ends_carry(ends.top_far, ends.bottom_far, cut);
        shutdown(ends.bottom_far, SHUT_WR);
        assert_int_equal(duet_channel_recv(ends.bottom, had, 3 * FULL, &got, 3 * FULL, -1),
                         DUET_E_TRUNCATED);
        assert_int_equal(got, cut / on_wire(FULL) * FULL);
        assert_memory_equal(had, sent, got);
        assert_true(ends_all(had + got, FULL, 0xEE) || ends_all(had + got, 1, 0));
        assert_int_equal(duet_channel_recv(ends.bottom, had, FULL, &got, 1, -1), DUET_E_TRUNCATED);
        ends_close(&ends);
    }
}

static void
closed_in_order(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends, ENDS_DIRECT);
    send_bytes(&ends, 0, 2 * FULL);
    assert_int_equal(duet_channel_close(ends.top, 0), DUET_OK);
    assert_int_equal(duet_channel_close(ends.top, 0), DUET_OK);
    assert_int_equal(duet_channel_send(ends.top, sent, 1, &got, 0), DUET_E_MISUSE);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 3 * FULL, &got, 3 * FULL, -1),
                     DUET_CLOSED);
    assert_int_equal(got, 2 * FULL);
    assert_int_equal(duet_channel_recv(ends.bottom, had, FULL, &got, 1, -1), DUET_CLOSED);
    /* The other direction goes on until its own CLOSE. */
    assert_int_equal(duet_channel_send(ends.bottom, sent, 5000, &got, -1), DUET_OK);
    assert_int_equal(duet_channel_recv(ends.top, had, 5000, &got, 5000, -1), DUET_OK);
    assert_memory_equal(had, sent, 5000);
    assert_int_equal(duet_channel_close(ends.bottom, -1), DUET_OK);
    assert_int_equal(duet_channel_recv(ends.top, had, 1, &got, 1, -1), DUET_CLOSED);
    ends_close(&ends);
}

/** A frame of another code is verified before it is refused, and then had as a message. */
static void
another_code(void **state)
{
    struct ends ends;
    uint32_t code;
    size_t got;

    (void)state;
    begin(&ends, ENDS_APART);
    send_bytes(&ends, 0, 10);
    assert_int_equal(duet_channel_send_message(ends.top, 42, sent, 500, &got, 0), DUET_OK);
    ends_carry(ends.top_far, ends.bottom_far, 10 + OVER + DUET_HEADER_SIZE + 100);
    assert_int_equal(duet_channel_recv(ends.bottom, had, FULL, &got, FULL, 0), DUET_OK);
    assert_int_equal(got, 10);
    assert_int_equal(duet_channel_recv(ends.bottom, had, FULL, &got, FULL, 0), DUET_AGAIN);
    ends_carry_all(&ends);
    assert_int_equal(duet_channel_recv(ends.bottom, had, FULL, &got, FULL, 0), DUET_E_CODE);
    assert_int_equal(duet_channel_recv(ends.bottom, had, FULL, &got, FULL, 0), DUET_E_CODE);
    assert_int_equal(duet_channel_next_frame(ends.bottom), 500);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had, 499, &got, 0), DUET_E_ROOM);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had, 500, &got, 0), DUET_OK);
    assert_int_equal(code, 42);
    assert_memory_equal(had, sent, 500);
    ends_close(&ends);
}

/** A frame too large for a partial frame goes on in the buffer where it began, and nowhere else. */
static void
large_frame_keeps_its_buffer(void **state)
{
    struct ends ends;
    size_t got;
    size_t done = 0;
    size_t accepted;
    const size_t size = (2 << 20) + 3;
    duet_config *config = ends_config();

    (void)state;
    assert_int_equal(duet_config_set(config, DUET_SET_MAX_PAYLOAD, 4 << 20), DUET_OK);
    ends_open_with(&ends, config, 1);
    ends_handshake(&ends);
    int result = duet_channel_send_frame(ends.top, 0, sent, size, &accepted, 0);
    assert_int_equal(result, DUET_AGAIN);
    assert_int_equal(duet_channel_recv(ends.bottom, had, size, &got, size, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_recv(ends.bottom, had + 1, size, &got, size, 0), DUET_E_MISUSE);
    for (int i = 0; i < 10000 && result == DUET_AGAIN; i++) {
        done += accepted;
        result = duet_channel_send_frame(ends.top, 0, sent + done, size - done, &accepted, 0);
        if (result == DUET_OK && duet_channel_flush(ends.top, 0) == DUET_AGAIN) {
            assert_int_equal(done + accepted, size);
            assert_int_equal(duet_channel_recv(ends.bottom, had, size, &got, size, 0), DUET_AGAIN);
            assert_int_equal(duet_channel_flush(ends.top, 0), DUET_OK);
        }
        if (result == DUET_AGAIN)
            assert_int_equal(duet_channel_recv(ends.bottom, had, size, &got, size, 0), DUET_AGAIN);
    }
    assert_int_equal(result, DUET_OK);
    assert_int_equal(duet_channel_recv(ends.bottom, had, size, &got, size, 0), DUET_OK);
    assert_int_equal(got, size);
    assert_memory_equal(had, sent, size);
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_frames),
        cmocka_unit_test(stops_at_the_last_whole_frame),
        cmocka_unit_test(at_least_one),
        cmocka_unit_test(slow_with_verified_bytes),
        cmocka_unit_test(dribbled_into_other_buffers),
        cmocka_unit_test(room_for_the_next_frame),
        cmocka_unit_test(violations),
        cmocka_unit_test(violation_in_a_partial_frame),
        cmocka_unit_test(truncated_anywhere),
        cmocka_unit_test(closed_in_order),
        cmocka_unit_test(another_code),
        cmocka_unit_test(large_frame_keeps_its_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
