/*
 * duet_channel_recv_all(): messages of any size in memory of the channel's, which goes on where it
 * was, is bounded by what the caller says, and is wiped when the caller is done (docs/protocol.md
 * §1 "MORE").
 */
#include "channel/ends.h"
#include "support/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST = 5 << 20, OVER = (int)DUET_FRAME_OVERHEAD };

static uint8_t sent[MOST], had[MOST];

static void
begin(struct ends *ends, enum ends_wire wire, int buffered)
{
    duet_config *config = ends_config();

    assert_int_equal(duet_config_set(config, DUET_SET_BUFFERED, (uint64_t)buffered), DUET_OK);
    assert_int_equal(duet_config_set(config, DUET_SET_MAX_PAYLOAD, MOST), DUET_OK);
    ends_open_with(ends, config, wire);
    ends_handshake(ends);
}

/** A message comes in grains, by as many calls as that takes, sent as frames or as one. */
static void
message(enum ends_wire wire, int buffered, int one_frame, size_t size, size_t grain)
{
    struct ends ends;
    size_t out = 0, more, got = 0;
    const void *data;
    uint32_t code;
    int sending = DUET_AGAIN, result = DUET_AGAIN;

    begin(&ends, wire, buffered);
    for (int i = 0; result == DUET_AGAIN; i++) {
        assert_true(i < 1000000);
        if (sending == DUET_AGAIN) {
            sending =
                one_frame
                    ? duet_channel_send_frame(ends.top, 77, sent + out, size - out, &more, 0)
                    : duet_channel_send_message(ends.top, 77, sent + out, size - out, &more, 0);
            out += more;
        } else {
            assert_int_equal(sending, DUET_OK);
            sending = duet_channel_flush(ends.top, 0) == DUET_OK ? DUET_OK : sending;
        }
        if (ends_waiting(ends.bottom_fd) < 50000)
            ends_carry(ends.top_far, ends.bottom_far, grain);
        result = duet_channel_recv_all(ends.bottom, &code, &data, &got, size, 0);
        assert_non_null(data);
        assert_true(got <= size);
        assert_memory_equal(data, sent, got);
    }
    assert_int_equal(result, DUET_OK);
    assert_int_equal(code, 77);
    assert_int_equal(got, size);
    /* It stays until the next receiving call, which finds nothing. */
    assert_int_equal(duet_channel_send(ends.bottom, "x", 1, &more, 0), DUET_OK);
    assert_memory_equal(data, sent, size);
    assert_int_equal(duet_channel_recv_all(ends.bottom, &code, &data, &got, size, 0), DUET_AGAIN);
    assert_int_equal(got, 0);
    assert_non_null(data);
    assert_int_equal(code, DUET_CODE_MORE);
    ends_close(&ends);
}

static void
any_size(void **state)
{
    static const size_t sizes[] = {0, 1, 1000, 16384, 16385, 100000, 1 << 20};
    static const enum ends_wire wires[] = {ENDS_APART, ENDS_TCP_APART};

    (void)state;
    for (size_t wire = 0; wire < 2; wire++)
        for (int buffered = 0; buffered < 2; buffered++)
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                message(wires[wire], buffered, 0, sizes[i], 40000);
                message(wires[wire], buffered, 1, sizes[i], 30000);
            }
    message(ENDS_APART, 0, 1, (3 << 20) + 1, 50000);
    message(ENDS_APART, 0, 0, MOST, 50000);
}

/** One that is larger than most ends nothing: more room has it, and so have the calls for parts. */
static void
larger_than_most(void **state)
{
    struct ends ends;
    duet_message list[2];
    duet_inbox inbox = {.buffer = had, .size = 20000, .messages = list, .room = 2};
    const void *data;
    uint32_t code;
    size_t got, at = 0;

    (void)state;
    begin(&ends, ENDS_DIRECT, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(duet_channel_send_message(ends.top, 5, sent, 40000, &got, 0), DUET_OK);
    /* A frame alone. */
    assert_int_equal(duet_channel_recv_all(ends.bottom, &code, &data, &got, 1000, 0), DUET_E_ROOM);
    assert_int_equal(got, 0);
    /* Two of three. */
    assert_int_equal(duet_channel_recv_all(ends.bottom, &code, &data, &got, 39999, 0), DUET_E_ROOM);
    assert_int_equal(got, 32768);
    assert_memory_equal(data, sent, got);
    assert_true(duet_channel_state(ends.bottom) & DUET_STATE_HAS_DATA);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 100, &got, 1, 0), DUET_E_CODE);
    assert_int_equal(duet_channel_recv_all(ends.bottom, &code, &data, &got, 30000, 0), DUET_E_ROOM);
    assert_int_equal(duet_channel_recv_all(ends.bottom, &code, &data, &got, 40000, 0), DUET_OK);
    assert_int_equal(code, 5);
    assert_int_equal(got, 40000);
    assert_memory_equal(data, sent, got);
    assert_false(duet_channel_state(ends.bottom) & DUET_STATE_HAS_DATA);
    /* The next one in parts. */
    assert_int_equal(duet_channel_recv_all(ends.bottom, &code, &data, &got, 39999, 0), DUET_E_ROOM);
    do {
        assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had + at, 17000, &got, 0),
                         DUET_OK);
        at += got;
    } while (code == DUET_CODE_MORE);
    assert_int_equal(at, 40000);
    assert_memory_equal(had, sent, at);
    /* The third in a batch, and its end whole. */
    assert_int_equal(duet_channel_recv_all(ends.bottom, &code, &data, &got, 39999, 0), DUET_E_ROOM);
    assert_int_equal(duet_channel_recv_messages(ends.bottom, &inbox, 0), DUET_OK);
    assert_int_equal(inbox.count, 1);
    assert_int_equal(list[0].size, 20000);
    assert_int_equal(list[0].code, DUET_CODE_MORE);
    assert_memory_equal(list[0].data, sent, 20000);
    assert_int_equal(duet_channel_recv_all(ends.bottom, &code, &data, &got, 20000, 0), DUET_OK);
    assert_int_equal(got, 20000);
    assert_memory_equal(data, sent + 20000, got);
    ends_close(&ends);
}

/** What had come of a message whose rest is forged is verified, and all that the call returns. */
static void
violation(void **state)
{
    struct ends ends;
    const void *data;
    uint32_t code;
    size_t got;
    uint8_t byte;

    (void)state;
    begin(&ends, ENDS_APART, 0);
    assert_int_equal(duet_channel_send_message(ends.top, 5, sent, 40000, &got, 0), DUET_OK);
    ends_carry(ends.top_far, ends.bottom_far, 16384 + OVER + 5000);
    assert_int_equal(duet_channel_recv_all(ends.bottom, &code, &data, &got, 40000, 0), DUET_AGAIN);
    assert_int_equal(got, 16384);
    assert_int_equal(read(ends.top_far, &byte, 1), 1);
    byte ^= 1;
    assert_int_equal(write(ends.bottom_far, &byte, 1), 1);
    ends_carry_all(&ends);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(duet_channel_recv_all(ends.bottom, &code, &data, &got, 40000, 0),
                         DUET_E_FORGED);
        assert_int_equal(code, DUET_CODE_MORE);
        assert_int_equal(got, i == 0 ? 16384 : 0);
        assert_memory_equal(data, sent, got);
    }
    ends_close(&ends);
}

/** At each allocation that fails the call says so, has changed nothing, and goes on later. */
static void
no_memory(void **state)
{
    struct ends ends;
    const void *data;
    uint32_t code;
    size_t got;
    int failed = 0, result = DUET_E_MEMORY;

    (void)state;
    if (!heap_counts())
        skip();
    begin(&ends, ENDS_DIRECT, 0);
    assert_int_equal(duet_channel_send_message(ends.top, 5, sent, 100000, &got, 0), DUET_OK);
    for (long n = 0; result == DUET_E_MEMORY; n++) {
        heap_until = n;
        result = duet_channel_recv_all(ends.bottom, &code, &data, &got, 100000, 0);
        failed += result == DUET_E_MEMORY;
    }
    heap_until = -1;
    assert_int_equal(result, DUET_OK);
    assert_true(failed >= 3);
    assert_int_equal(got, 100000);
    assert_memory_equal(data, sent, got);
    /* A message takes twice its size at most, and nothing when it is given back. */
    size_t idle = heap_ours.held;
    assert_int_equal(duet_channel_recv_all(ends.bottom, &code, &data, &got, 100000, 0), DUET_AGAIN);
    assert_true(heap_ours.held + 100000 <= idle);
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_size),
        cmocka_unit_test(larger_than_most),
        cmocka_unit_test(violation),
        cmocka_unit_test(no_memory),
    };
    ends_fill(sent, sizeof sent, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
