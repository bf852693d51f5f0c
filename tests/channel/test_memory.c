/*
 * The n-th allocation fails, for every n, in every call of a channel: the result is of the right
 * class. DUET_E_MEMORY: nothing has changed, and the same call works when memory is there again. A
 * channel that has lost bytes for want of memory ends, with another result than DUET_E_MEMORY, and
 * says so for good. Nothing is lost.
 */
#include "channel/channel.h"
#include "channel/couple.h"
#include "support/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { MANY = 30000, MORE = 400000 };

static struct couple couple;
static uint8_t sent[MORE], had[MORE];
static duet_exchange_io both_ways;

/* ---- The calls, all at TOP ---- */

/** A call: what the other end does before, the call itself, and what it returns with memory. */
struct call {
    const char *name;
    void (*before)(void);
    int (*run)(void);
    int expected;
    int ends; /* 1: nothing is sent afterwards */
};

static size_t n;

static int
top_send(void)
{
    return duet_channel_send(couple.end[DUET_TOP], sent, MANY, &n, 0);
}

static int
top_send_message(void)
{
    return duet_channel_send_message(couple.end[DUET_TOP], 7, sent, MANY, &n, 0);
}

static int
top_send_messages(void)
{
    const duet_message list[] = {{sent, 100, 1}, {NULL, 0, 2}, {sent, 1000, 3}};
    return duet_channel_send_messages(couple.end[DUET_TOP], list, 3, &n, 0);
}

static int
top_send_frame(void)
{
    return duet_channel_send_frame(couple.end[DUET_TOP], 7, sent, MANY, &n, 0);
}

static int
top_send_many(void)
{
    duet_job job = {.channel = couple.end[DUET_TOP], .data = sent, .size = MANY};
    duet_channel_many(&job, 1);
    return job.send_result;
}

static int
top_recv(void)
{
    return duet_channel_recv(couple.end[DUET_TOP], had, sizeof had, &n, 1, 0);
}

static int
top_recv_small(void)
{
    return duet_channel_recv(couple.end[DUET_TOP], had, 10, &n, 1, 0);
}

static int
top_recv_many(void)
{
    duet_job job = {.channel = couple.end[DUET_TOP], .buffer = had, .room = sizeof had};
    duet_channel_many(&job, 1);
    return job.recv_result;
}

static int
top_recv_message(void)
{
    uint32_t code;
    return duet_channel_recv_message(couple.end[DUET_TOP], &code, had, sizeof had, &n, 0);
}

static int
top_recv_messages(void)
{
    duet_message list[4];
    duet_inbox inbox = {.buffer = had, .size = sizeof had, .messages = list, .room = 4};
    return duet_channel_recv_messages(couple.end[DUET_TOP], &inbox, 0);
}

static int
top_recv_all(void)
{
    const void *data;
    uint32_t code;
    int result = duet_channel_recv_all(couple.end[DUET_TOP], &code, &data, &n, sizeof had, 0);
    if (result == DUET_OK) {
        assert_int_equal(n, MANY);
        assert_memory_equal(data, sent, MANY);
    }
    return result;
}

static int
top_exchange(void)
{
    if (both_ways.size == 0)
        both_ways = (duet_exchange_io){.data = sent, .size = MANY, .buffer = had, .room = MANY};
    return duet_channel_exchange(couple.end[DUET_TOP], &both_ways, 0);
}

static int
top_flush(void)
{
    return duet_channel_flush(couple.end[DUET_TOP], 0);
}

static int
top_ping(void)
{
    return duet_channel_ping(couple.end[DUET_TOP]);
}

static int
top_rekey(void)
{
    return duet_channel_rekey(couple.end[DUET_TOP]);
}

static int
top_refresh(void)
{
    return duet_channel_refresh(couple.end[DUET_TOP]);
}

static int
top_close(void)
{
    return duet_channel_close(couple.end[DUET_TOP], 0);
}

static int
top_export(void)
{
    uint8_t out[32];
    return duet_channel_export(couple.end[DUET_TOP], out, sizeof out, sent, 8);
}

static int
top_silence(void)
{
    return duet_channel_silence(couple.end[DUET_TOP], 0);
}

/* ---- What is done before ---- */

static void
bottom_sends(void)
{
    assert_int_equal(duet_channel_send(couple.end[DUET_BOTTOM], sent, MANY, &n, 0), DUET_OK);
}

static void
bottom_sends_message(void)
{
    assert_int_equal(
        duet_channel_send_message(couple.end[DUET_BOTTOM], 7, sent, MANY, &n, ENDS_PATIENCE),
        DUET_OK);
}

/** Half a frame. */
static void
bottom_sends_half(void)
{
    int size = 32768;

    assert_int_equal(setsockopt(couple.fd[DUET_BOTTOM], SOL_SOCKET, SO_SNDBUF, &size, sizeof size),
                     0);
    assert_int_equal(setsockopt(couple.fd[DUET_TOP], SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
    assert_int_equal(duet_channel_send_frame(couple.end[DUET_BOTTOM], 0, sent, MORE, &n, 0),
                     DUET_AGAIN);
    assert_true(n < MORE);
}

/** TOP's socket is full. */
static void
top_is_stuck(void)
{
    int size = 32768;

    assert_int_equal(setsockopt(couple.fd[DUET_TOP], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_int_equal(setsockopt(couple.fd[DUET_BOTTOM], SOL_SOCKET, SO_RCVBUF, &size, sizeof size),
                     0);
    while (top_flush() == DUET_OK)
        assert_true(couple_went_on(duet_channel_send(couple.end[DUET_TOP], sent, MORE, &n, 0)));
}

static void
top_asks_refresh(void)
{
    assert_int_equal(top_refresh(), DUET_OK);
}

/** TOP has asked, BOTTOM's answer lies in the socket. */
static void
bottom_answers_refresh(void)
{
    top_asks_refresh();
    assert_int_equal(top_flush(), DUET_OK);
    assert_int_equal(duet_channel_recv(couple.end[DUET_BOTTOM], had, 1, &n, 1, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_flush(couple.end[DUET_BOTTOM], 0), DUET_OK);
}

static void
bottom_asks_refresh(void)
{
    assert_int_equal(duet_channel_refresh(couple.end[DUET_BOTTOM]), DUET_OK);
    assert_int_equal(duet_channel_flush(couple.end[DUET_BOTTOM], 0), DUET_OK);
}

/** The exchange's own count starts anew. */
static void
exchange_begins(void)
{
    bottom_sends();
    both_ways.size = 0;
}

static const struct call calls[] = {
    {"send", NULL, top_send, DUET_OK, 0},
    {"send, stuck", top_is_stuck, top_send, DUET_AGAIN, 0},
    {"send_message", NULL, top_send_message, DUET_OK, 0},
    {"send_messages", NULL, top_send_messages, DUET_OK, 0},
    {"send_frame", NULL, top_send_frame, DUET_OK, 0},
    {"many, sending", NULL, top_send_many, DUET_OK, 0},
    {"recv", bottom_sends, top_recv, DUET_OK, 0},
    {"recv, half a frame", bottom_sends_half, top_recv, DUET_AGAIN, 0},
    {"recv, another code", bottom_sends_message, top_recv, DUET_E_CODE, 0},
    {"recv, too small", bottom_sends, top_recv_small, DUET_E_ROOM, 0},
    {"many, receiving", bottom_sends, top_recv_many, DUET_OK, 0},
    {"recv_message", bottom_sends_message, top_recv_message, DUET_OK, 0},
    {"recv_messages", bottom_sends_message, top_recv_messages, DUET_OK, 0},
    {"recv_all", bottom_sends_message, top_recv_all, DUET_OK, 0},
    {"exchange", exchange_begins, top_exchange, DUET_OK, 0},
    {"flush", top_asks_refresh, top_flush, DUET_OK, 0},
    {"ping", NULL, top_ping, DUET_OK, 0},
    {"rekey", NULL, top_rekey, DUET_OK, 0},
    {"refresh", NULL, top_refresh, DUET_OK, 0},
    {"recv, refresh answered", bottom_answers_refresh, top_recv, DUET_AGAIN, 0},
    {"recv, refresh asked", bottom_asks_refresh, top_recv, DUET_AGAIN, 0},
    {"close", NULL, top_close, DUET_OK, 1},
    {"export", NULL, top_export, DUET_OK, 0},
    {"silence", NULL, top_silence, DUET_E_MISUSE, 0},
};

/* ---- Each with each allocation ---- */

/** A result that ended the channel is not DUET_E_MEMORY, stays, and has its reason. */
static void
check_ended(int result)
{
    const duet_result_info *info = duet_explain(result);

    assert_non_null(info);
    assert_int_equal(info->kind, DUET_CLASS_FATAL);
    assert_int_not_equal(result, DUET_E_MEMORY);
    assert_int_equal(duet_channel_flush(couple.end[DUET_TOP], 0), result);
    assert_int_equal(duet_channel_rekey(couple.end[DUET_TOP]), result);
    assert_int_equal(top_recv(), result);
}

/** Run a call without the i-th allocation from here on. Returns 1 when there was no i-th. */
static int
run_without(const struct call *call, long i)
{
    couple_free_kept_buffers();
    heap_until = i;
    int result = call->run();
    int unused = heap_until >= 0;
    heap_until = -1;
    if (result == DUET_E_MEMORY) {
        assert_int_equal(couple.end[DUET_TOP]->result, DUET_OK);
        result = call->run();
    }
    if (couple.end[DUET_TOP]->result != DUET_OK) {
        assert_false(unused);
        check_ended(couple.end[DUET_TOP]->result);
        return 0;
    }
    assert_int_equal(result, call->expected);
    if (!call->ends)
        couple_check_works(&couple);
    return unused;
}

static void
check_calls(enum couple_kind kind, enum couple_wire wire)
{
    for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
        const struct call *call = &calls[k];
        int asks = strstr(call->name, "rekey") != NULL || strstr(call->name, "refresh") != NULL ||
                   call->before == top_asks_refresh;
        if ((kind == COUPLE_RAW && asks) || (kind >= COUPLE_PRESET && call->run == top_export))
            continue;
        for (long i = 0, unused = 0; !unused; i++) {
            couple_free_kept_buffers();
            size_t live = heap_ours.live;
            couple_prepare(&couple, kind, wire);
            couple_open(&couple);
            couple_handshake(&couple);
            if (call->before != NULL)
                call->before();
            unused = run_without(call, i);
            couple_close(&couple);
            couple_free_kept_buffers();
            if (heap_ours.live != live)
                print_error("%s, allocation %ld: %zu blocks are left\n", call->name, i,
                            heap_ours.live - live);
            assert_int_equal(heap_ours.live, live);
            assert_true(i < 100);
        }
    }
}

static void
on_local_sockets(void **state)
{
    (void)state;
    for (int kind = 0; kind < COUPLE_KINDS; kind++)
        check_calls((enum couple_kind)kind, COUPLE_UNIX);
}

static void
on_streams(void **state)
{
    (void)state;
    for (int kind = 0; kind < COUPLE_KINDS; kind++)
        check_calls((enum couple_kind)kind, COUPLE_STREAM);
}

static void
on_tcp(void **state)
{
    (void)state;
    check_calls(COUPLE_STANDARD, COUPLE_TCP);
    check_calls(COUPLE_PRESET, COUPLE_TCP);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_local_sockets),
        cmocka_unit_test(on_streams),
        cmocka_unit_test(on_tcp),
    };

    if (!heap_counts())
        return 77;
    ends_fill(sent, sizeof sent, 3);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
