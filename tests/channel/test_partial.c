/*
 * Partial frames: many peers that send half a frame and stop take no session from others, cost the
 * memory of what they sent, and end no channel; and what happens when memory runs out (the seed's
 * section 3; docs/architecture.md, "Memory").
 */
#include "channel/ends.h"
#include "support/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

enum { FRAME = 1 << 20, MOST = 900, OVER = (int)DUET_FRAME_OVERHEAD };

static uint8_t sent[FRAME], had[FRAME], wire[FRAME + OVER];

/** Begin a frame of FRAME bytes under a code by hand, n bytes of payload of it. */
static void
send_half(struct ends *ends, uint32_t code, size_t n)
{
    duet_session *session = duet_channel_session(ends->top);
    size_t put;

    assert_int_equal(duet_session_send_begin(session, wire, code, FRAME), DUET_OK);
    assert_int_equal(duet_session_send_piece(session, wire + DUET_HEADER_SIZE, &put, sent, n),
                     DUET_OK);
    assert_int_equal(write(ends->top_fd, wire, DUET_HEADER_SIZE + n), DUET_HEADER_SIZE + n);
}

/** The rest of that frame, as far as the wire takes it at a time. */
static void
send_rest(struct ends *ends, size_t n, uint32_t expected_code)
{
    duet_session *session = duet_channel_session(ends->top);
    size_t put, got = 0, at = 0;
    uint32_t code;
    int result = DUET_AGAIN;

    assert_int_equal(duet_session_send_piece(session, wire, &put, sent + n, FRAME - n), DUET_OK);
    memset(had, 0xEE, sizeof had);
    for (int i = 0; i < 1000 && result == DUET_AGAIN; i++) {
        size_t size = put - at < 40000 ? put - at : 40000;
        assert_int_equal(write(ends->top_fd, wire + at, size), size);
        at += size;
        result = duet_channel_recv_message(ends->bottom, &code, had, sizeof had, &got,
                                           at < put ? 0 : ENDS_PATIENCE);
    }
    assert_int_equal(result, DUET_OK);
    assert_int_equal(code, expected_code);
    assert_int_equal(got, FRAME);
    assert_memory_equal(had, sent, FRAME);
}

/* ---- Many of them ---- */

/** How many connections fit into the descriptors that this process may have. */
static int
how_many(void)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int fit = (int)(limit.rlim_cur - 50) / 2;
    return fit < MOST ? fit : MOST;
}

static void
many(enum ends_wire kind)
{
    static struct ends ends[MOST];
    const size_t half = 30000;
    size_t got;
    int count = how_many();

    for (int i = 0; i < count; i++) {
        ends_open_with(&ends[i], ends_config(), kind);
        ends_handshake(&ends[i]);
        send_half(&ends[i], 0, half);
    }
    heap_restart();
    size_t before = heap_ours.held;
    for (int i = 0; i < count; i++) {
        memset(had, 0xA5, half);
        int result = DUET_AGAIN;
        for (int turns = 0; turns < 3; turns++) { /* TCP may bring it late */
            result = duet_channel_recv(ends[i].bottom, had, FRAME, &got, 1, 1);
            assert_int_equal(result, DUET_SLOW);
        }
        assert_int_equal(got, 0);
        /* Nothing unverified stays in a buffer that may be another channel's by the next call. */
        assert_true(ends_all(had, half, 0) || ends_all(had, half, 0xA5));
    }
    size_t held = heap_ours.held - before;
    print_message("%d half frames of %zu bytes: %zu bytes of memory\n", count, half, held);
    assert_true(held <= (size_t)count * (2 * half + 100)); /* what came, and room for the next */
    /* None of them died: the first and the last go on, and so does a session that came late. */
    send_rest(&ends[0], half, 0);
    send_rest(&ends[count - 1], half, 0);
    for (int i = 0; i < count; i++)
        ends_close(&ends[i]);
}

static void
many_on_unix_sockets(void **state)
{
    (void)state;
    many(ENDS_DIRECT);
}

static void
many_on_tcp(void **state)
{
    (void)state;
    many(ENDS_TCP);
}

/* ---- Their memory ---- */

/** Only a header of a frame for another call: next to nothing is allocated for its LENGTH. */
static void
length_alone_takes_no_memory(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    ends_open_with(&ends, ends_config(), ENDS_DIRECT);
    ends_handshake(&ends);
    send_half(&ends, 5, 100);
    heap_restart();
    assert_int_equal(duet_channel_recv(ends.bottom, had, FRAME, &got, 1, 0), DUET_AGAIN);
    assert_true(heap_ours.bytes <= 4096);
    send_rest(&ends, 100, 5);
    ends_close(&ends);
}

/** A call that found no memory for a frame of another code has changed nothing. */
static void
no_memory_before_a_frame(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    if (!heap_counts())
        skip();
    ends_open_with(&ends, ends_config(), ENDS_DIRECT);
    ends_handshake(&ends);
    send_half(&ends, 5, 50000);
    heap_until = 0;
    assert_int_equal(duet_channel_recv(ends.bottom, had, FRAME, &got, 1, 0), DUET_E_MEMORY);
    heap_until = 1; /* the first block, and none for what follows it */
    assert_int_equal(duet_channel_recv(ends.bottom, had, FRAME, &got, 1, 0), DUET_E_MEMORY);
    assert_string_equal(duet_channel_detail(ends.bottom), "");
    heap_until = -1;
    assert_int_equal(duet_channel_recv(ends.bottom, had, FRAME, &got, 1, 0), DUET_AGAIN);
    send_rest(&ends, 50000, 5);
    ends_close(&ends);
}

/** A part that has left the kernel cannot go back: without memory the channel ends, and says so. */
static void
no_memory_within_a_frame(void **state)
{
    static const uint8_t zeros[10000];
    struct ends ends;
    size_t got;

    (void)state;
    if (!heap_counts())
        skip();
    ends_open_with(&ends, ends_config(), ENDS_DIRECT);
    ends_handshake(&ends);
    send_half(&ends, 0, sizeof zeros);
    memset(had, 0xA5, sizeof zeros);
    heap_until = 0;
    int result = duet_channel_recv(ends.bottom, had, FRAME, &got, 1, 0);
    heap_until = -1;
    assert_int_equal(result, DUET_E_IO);
    assert_int_equal(duet_explain(result)->kind, DUET_CLASS_FATAL);
    assert_string_equal(duet_channel_detail(ends.bottom), "no memory for a partial frame");
    assert_int_equal(got, 0);
    assert_memory_equal(had, zeros, sizeof zeros);
    assert_int_equal(duet_channel_recv(ends.bottom, had, FRAME, &got, 1, 0), DUET_E_IO);
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_on_unix_sockets),         cmocka_unit_test(many_on_tcp),
        cmocka_unit_test(length_alone_takes_no_memory), cmocka_unit_test(no_memory_before_a_frame),
        cmocka_unit_test(no_memory_within_a_frame),
    };
    ends_fill(sent, sizeof sent, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
