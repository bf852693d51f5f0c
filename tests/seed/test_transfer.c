/*
 * The seed's section 3, sentence by sentence (the seed is the specification that this project began
 * from): large payloads behind one call, and what a receiver is given and assured of. Through the
 * public API; docs/protocol.md §1 "A receiver" goes on from it.
 */
#include "channel/ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { MUCH = 1 << 20, FULL = 100, WIRE = FULL + DUET_FRAME_OVERHEAD };

static uint8_t data[MUCH], had[MUCH];

/** Initiated ends whose frames have `frame` bytes. */
static void
begin(struct ends *ends, enum ends_wire wire, uint64_t frame)
{
    duet_config *config = ends_config();
    assert_int_equal(duet_config_set(config, DUET_SET_FRAME_SIZE, frame), DUET_OK);
    ends_open_with(ends, config, wire);
    ends_handshake(ends);
    ends_fill(data, sizeof data, 3);
    memset(had, 0xEE, sizeof had);
}

static uint64_t
frames_sent(const struct ends *ends)
{
    duet_info info;
    duet_session_info(duet_channel_session(ends->top), &info);
    return info.tx_frames;
}

static void
send_bytes(struct ends *ends, size_t n)
{
    size_t sent;
    assert_int_equal(duet_channel_send(ends->top, data, n, &sent, ENDS_PATIENCE), DUET_OK);
    assert_int_equal(sent, n);
}

/** What a call did not give is untouched or wiped: no byte that was not verified. */
static void
nothing_after(size_t got, size_t size)
{
    for (size_t i = got; i < size; i++)
        assert_true(had[i] == 0xEE || had[i] == 0);
}

/* 3: "break the large payload into several frames, while the process is hidden behind a single API call
 * to send"; "a single API call may receive several frames into a large buffer". */
static void
one_call_sends_many_frames(void **state)
{
    struct ends ends;
    uint64_t before;
    size_t got;

    (void)state;
    begin(&ends, ENDS_DIRECT, 1000);
    before = frames_sent(&ends);
    send_bytes(&ends, 50 * 1000);
    assert_true(frames_sent(&ends) - before >= 50);
    assert_int_equal(duet_channel_recv(ends.bottom, had, sizeof had, &got, 50 * 1000, 0), DUET_OK);
    assert_int_equal(got, 50 * 1000);
    assert_memory_equal(had, data, got);
    nothing_after(got, sizeof had);
    ends_close(&ends);
}

/* 3: the same for "a 'large' payload" that the sender knows: one message under a code. */
static void
one_call_sends_a_message(void **state)
{
    struct ends ends;
    uint32_t code;
    size_t n;

    (void)state;
    begin(&ends, ENDS_DIRECT, 1000);
    assert_int_equal(duet_channel_send_message(ends.top, 8, data, 40000, &n, ENDS_PATIENCE),
                     DUET_OK);
    assert_int_equal(
        duet_channel_recv_message(ends.bottom, &code, had, sizeof had, &n, ENDS_PATIENCE), DUET_OK);
    assert_int_equal(code, 8);
    assert_int_equal(n, 40000);
    assert_memory_equal(had, data, n);
    ends_close(&ends);
}

/* 3: "This protocol allows for a frame to exceed the size of TCP packets". */
static void
frame_exceeds_tcp_packets(void **state)
{
    struct ends ends;
    uint64_t before;
    uint32_t code;
    size_t sent = 0, got = 0, n;
    int result = DUET_AGAIN;

    (void)state;
    begin(&ends, ENDS_TCP, 1000);
    before = frames_sent(&ends);
    while (result != DUET_OK) {
        if (sent < MUCH) {
            result = duet_channel_send_frame(ends.top, 7, data + sent, MUCH - sent, &n, 0);
            assert_true(result == DUET_OK || result == DUET_AGAIN);
            sent += n;
        }
        result = duet_channel_recv_message(ends.bottom, &code, had + got, MUCH - got, &n, 1);
        assert_true(result == DUET_OK || result == DUET_SLOW);
        got += n;
    }
    assert_int_equal(got, MUCH);
    assert_memory_equal(had, data, MUCH);
    assert_int_equal(frames_sent(&ends) - before, 1);
    ends_close(&ends);
}

/* 3: "it cannot exceed the hard limit of the 32-bit unsigned integer for its length". */
static void
frame_has_a_hard_limit(void **state)
{
    struct ends ends;
    uint64_t over = (uint64_t)1 << 32;
    size_t n;

    (void)state;
    if (sizeof(size_t) <= 4)
        skip();
    begin(&ends, ENDS_DIRECT, 1000);
    assert_int_equal(duet_channel_send_frame(ends.top, 7, data, (size_t)over, &n, 0),
                     DUET_E_LENGTH);
    assert_int_equal(n, 0);
    send_bytes(&ends, 10); /* nothing changed */
    ends_close(&ends);
}

/** Carry five frames with one byte changed, and see what a receiver gets of them. */
static void
change(size_t at, int expected)
{
    struct ends ends;
    uint8_t wire[5 * WIRE];
    size_t got;

    begin(&ends, ENDS_APART, FULL);
    send_bytes(&ends, 5 * FULL);
    assert_int_equal(recv(ends.top_far, wire, sizeof wire, MSG_WAITALL), sizeof wire);
    wire[3 * WIRE + at] ^= 0x10; /* in the fourth */
    assert_int_equal(send(ends.bottom_far, wire, sizeof wire, 0), sizeof wire);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 5 * FULL, &got, 5 * FULL, ENDS_PATIENCE),
                     expected);
    assert_int_equal(got, 3 * FULL);
    assert_memory_equal(had, data, got);
    nothing_after(got, sizeof had);
    assert_int_equal(duet_channel_recv(ends.bottom, had, FULL, &got, 1, 0), expected);
    assert_int_equal(got, 0);
    ends_close(&ends);
}

/* 3: "If data integrity or other violation occurs, the sanctified data found in the buffer when the API
 * call returns are considered to be valid, but the API will return an error." */
static void
violations_leave_what_is_verified(void **state)
{
    (void)state;
    for (size_t at = 0; at < DUET_HEADER_SIZE; at += 3)
        change(at, DUET_E_CHECKSUM);
    for (size_t at = DUET_HEADER_SIZE; at < WIRE; at += 13)
        change(at, DUET_E_FORGED);
    change(WIRE - 1, DUET_E_FORGED);
}

/* 3: the same for an "other violation": the stream ends within a frame. */
static void
cut_leaves_what_is_verified(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends, ENDS_APART, FULL);
    send_bytes(&ends, 5 * FULL);
    ends_carry(ends.top_far, ends.bottom_far, 3 * WIRE + 50);
    shutdown(ends.bottom_far, SHUT_WR);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 5 * FULL, &got, 5 * FULL, ENDS_PATIENCE),
                     DUET_E_TRUNCATED);
    assert_int_equal(got, 3 * FULL);
    assert_memory_equal(had, data, got);
    nothing_after(got, sizeof had);
    ends_close(&ends);
}

/* 3: "the application can request for a number of bytes to be read that are larger than the number that
 * the API call receives before reaching a pre-defined timeout. In this case, the API will notify the
 * caller with an 'error' that the peer is slow, but all data returned in the buffer will be sanctified."
 */
static void
slow_peer_is_reported(void **state)
{
    struct ends ends;
    size_t got, rest;

    (void)state;
    begin(&ends, ENDS_APART, FULL);
    send_bytes(&ends, 5 * FULL);
    ends_carry(ends.top_far, ends.bottom_far, 3 * WIRE + 50); /* the fourth is cut by the time */
    assert_int_equal(duet_channel_recv(ends.bottom, had, 5 * FULL, &got, 5 * FULL, 50), DUET_SLOW);
    assert_int_equal(got, 3 * FULL);
    assert_memory_equal(had, data, got);
    nothing_after(got, sizeof had);
    ends_carry_all(&ends); /* and nothing is lost */
    assert_int_equal(
        duet_channel_recv(ends.bottom, had + got, 2 * FULL, &rest, 2 * FULL, ENDS_PATIENCE),
        DUET_OK);
    assert_memory_equal(had, data, 5 * FULL);
    ends_close(&ends);
}

/** Receive 2.5 frames' worth of ten; returns what the kernel holds of the frames that were not given. */
static size_t
off_the_boundary(enum ends_wire wire)
{
    struct ends ends;
    size_t got, left;

    begin(&ends, wire, FULL);
    send_bytes(&ends, 10 * FULL);
    while (ends_waiting(ends.bottom_fd) < 10 * WIRE) /* TCP takes a moment */
        usleep(1000);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 250, &got, 250, ENDS_PATIENCE), DUET_OK);
    assert_int_equal(got, 2 * FULL);
    nothing_after(got, sizeof had);
    left = ends_waiting(ends.bottom_fd);
    assert_int_equal(
        duet_channel_recv(ends.bottom, had + got, sizeof had - got, &got, 8 * FULL, ENDS_PATIENCE),
        DUET_OK); /* "until a subsequent API read operation is performed" */
    assert_int_equal(got, 8 * FULL);
    assert_memory_equal(had, data, 10 * FULL);
    ends_close(&ends);
    return left;
}

/* 3: "a number of bytes that does not fall on a frame boundary. In this case. the API will return the
 * number of bytes that were contained up to the end of the last frame for which the HMAC could be
 * checked; any bytes remaining will stay in the kernel's buffers [...] and no error will be returned."
 * Of the next frame at most the header is taken, which says that it does not fit. */
static void
rest_stays_in_the_kernel(void **state)
{
    (void)state;
    for (enum ends_wire wire = ENDS_DIRECT; wire <= ENDS_TCP; wire++) {
        size_t left = off_the_boundary(wire);
        assert_true(left == 8 * WIRE || left == 8 * WIRE - DUET_HEADER_SIZE);
    }
}

/* 3: where not even one frame fits, the number of bytes is 0, nothing is lost, and the result says how
 * much room the frame needs. */
static void
nothing_is_lost_without_room(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    begin(&ends, ENDS_DIRECT, FULL);
    send_bytes(&ends, 2 * FULL);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 50, &got, 50, 0), DUET_E_ROOM);
    assert_int_equal(got, 0);
    assert_int_equal(duet_channel_next_frame(ends.bottom), FULL);
    nothing_after(got, sizeof had);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 2 * FULL, &got, 2 * FULL, 0), DUET_OK);
    assert_memory_equal(had, data, 2 * FULL);
    ends_close(&ends);
}

/* 3: and with DUET_SET_BUFFERED "a number of bytes that does not fall on a frame boundary" is given in
 * full, verified, for those who cannot hold a frame. */
static void
pieces_of_any_size(void **state)
{
    struct ends ends;
    duet_config *config = ends_config();
    size_t got, all = 0;

    (void)state;
    assert_int_equal(duet_config_set(config, DUET_SET_BUFFERED, 1), DUET_OK);
    assert_int_equal(duet_config_set(config, DUET_SET_FRAME_SIZE, FULL), DUET_OK);
    ends_open_with(&ends, config, ENDS_DIRECT);
    ends_handshake(&ends);
    ends_fill(data, sizeof data, 3);
    memset(had, 0xEE, sizeof had);
    send_bytes(&ends, 10 * FULL);
    for (size_t size = 1; all + size <= 10 * FULL; size++) {
        assert_int_equal(duet_channel_recv(ends.bottom, had + all, size, &got, size, 0), DUET_OK);
        assert_int_equal(got, size);
        all += got;
        nothing_after(all, sizeof had);
    }
    assert_memory_equal(had, data, all);
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_call_sends_many_frames),
        cmocka_unit_test(one_call_sends_a_message),
        cmocka_unit_test(frame_exceeds_tcp_packets),
        cmocka_unit_test(frame_has_a_hard_limit),
        cmocka_unit_test(violations_leave_what_is_verified),
        cmocka_unit_test(cut_leaves_what_is_verified),
        cmocka_unit_test(slow_peer_is_reported),
        cmocka_unit_test(rest_stays_in_the_kernel),
        cmocka_unit_test(nothing_is_lost_without_room),
        cmocka_unit_test(pieces_of_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
