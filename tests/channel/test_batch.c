/*
 * Many messages by one call, and several channels by one call: each as its single call does it, and
 * nothing lost where a wire is slow or a message is not one that can go.
 */
#include "channel/ends.h"
#include "support/between.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { MANY = 3000, BYTES = 1 << 20 };

static uint8_t sent[BYTES], had[BYTES];
static duet_message messages[MANY], listed[MANY];

/** Messages of differing sizes and codes, some of them empty. */
static void
compose(size_t most)
{
    ends_fill(sent, sizeof sent, 3);
    for (size_t i = 0, at = 0; i < MANY; i++) {
        size_t size = i * 37 % most;
        messages[i] = (duet_message){size > 0 ? sent + at : NULL, size, (uint32_t)(1 + i % 5)};
        at += size;
    }
}

/** The messages listed are those sent, from message `from` on. */
static void
check_inbox(const duet_inbox *inbox, size_t from)
{
    for (size_t i = 0; i < inbox->count; i++) {
        const duet_message *is = &inbox->messages[i];
        const duet_message *should = &messages[from + i];
        assert_int_equal(is->size, should->size);
        assert_int_equal(is->code, should->code);
        if (is->size > 0)
            assert_memory_equal(is->data, should->data, is->size);
    }
}

static void
all_arrive(enum ends_wire wire, size_t room)
{
    struct ends ends;
    size_t accepted;
    duet_inbox inbox = {had, 9000, listed, room, 0};

    compose(300);
    ends_open_with(&ends, ends_config(), wire);
    ends_handshake(&ends);
    size_t done = 0;
    for (size_t have = 0; have < MANY; have += inbox.count) {
        int result =
            duet_channel_send_messages(ends.top, messages + done, MANY - done, &accepted, 0);
        assert_true(result == DUET_OK || result == DUET_AGAIN);
        done += accepted;
        assert_int_equal(duet_channel_recv_messages(ends.bottom, &inbox, ENDS_PATIENCE), DUET_OK);
        assert_between(inbox.count, 1, room);
        check_inbox(&inbox, have);
    }
    assert_int_equal(done, MANY);
    assert_int_equal(duet_channel_flush(ends.top, 0), DUET_OK);
    assert_int_equal(duet_channel_recv_messages(ends.bottom, &inbox, 0), DUET_AGAIN);
    assert_int_equal(inbox.count, 0);
    ends_close(&ends);
}

static void
a_batch_arrives(void **state)
{
    (void)state;
    for (enum ends_wire wire = ENDS_DIRECT; wire <= ENDS_TCP; wire++) {
        all_arrive(wire, MANY);
        all_arrive(wire, 7);
        all_arrive(wire, 1);
    }
}

static void
stops_at_what_cannot_go(void **state)
{
    static uint8_t large[16385];
    duet_message some[3] = {{"one", 3, 1}, {large, sizeof large, 1}, {"two", 3, 1}};
    duet_inbox inbox = {had, sizeof had, listed, 8, 0};
    struct ends ends;
    size_t accepted;

    (void)state;
    ends_open_direct(&ends);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_send_messages(ends.top, some, 3, &accepted, 0), DUET_E_LENGTH);
    assert_int_equal(accepted, 1);
    some[1].size = 5;
    some[1].code = 0;
    assert_int_equal(duet_channel_send_messages(ends.top, some + 1, 2, &accepted, 0),
                     DUET_E_MISUSE);
    assert_int_equal(accepted, 0);
    assert_int_equal(duet_channel_send_messages(ends.top, some + 2, 1, &accepted, 0), DUET_OK);
    assert_int_equal(duet_channel_send_messages(ends.top, NULL, 0, &accepted, 0), DUET_OK);
    assert_int_equal(duet_channel_recv_messages(ends.bottom, &inbox, 0), DUET_OK);
    assert_int_equal(inbox.count, 2);
    assert_memory_equal(had, "onetwo", 6);
    inbox.room = 0;
    assert_int_equal(duet_channel_recv_messages(ends.bottom, &inbox, 0), DUET_E_MISUSE);
    ends_close(&ends);
}

static void
parts_and_room(void **state)
{
    duet_inbox inbox = {had, 20000, listed, 8, 0};
    struct ends ends;
    size_t accepted;

    (void)state;
    ends_fill(sent, sizeof sent, 4);
    ends_open_direct(&ends);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_send_message(ends.top, 9, sent, 40000, &accepted, 0), DUET_OK);
    assert_int_equal(duet_channel_send(ends.top, "stream", 6, &accepted, 0), DUET_OK);
    assert_int_equal(duet_channel_close(ends.top, 0), DUET_OK);
    /* Three frames of 16 KiB and less: one fits, then the last two go together. */
    assert_int_equal(duet_channel_recv_messages(ends.bottom, &inbox, 0), DUET_OK);
    assert_int_equal(inbox.count, 1);
    assert_int_equal(listed[0].code, DUET_CODE_MORE);
    assert_memory_equal(listed[0].data, sent, listed[0].size);
    inbox.size = 100;
    assert_int_equal(duet_channel_recv_messages(ends.bottom, &inbox, 0), DUET_E_ROOM);
    assert_int_equal(inbox.count, 0);
    inbox.size = sizeof had;
    assert_int_equal(duet_channel_recv_messages(ends.bottom, &inbox, 0), DUET_OK);
    assert_int_equal(inbox.count, 3);
    assert_int_equal(listed[0].code, DUET_CODE_MORE);
    assert_int_equal(listed[1].code, 9);
    assert_int_equal(listed[2].code, 0);
    assert_memory_equal(listed[2].data, "stream", 6);
    assert_int_equal(duet_channel_recv_messages(ends.bottom, &inbox, 0), DUET_CLOSED);
    ends_close(&ends);
}

enum { CHANNELS = 5, EACH = 200000 };

/** Move EACH bytes of each top to its bottom by the calls for many. */
static void
move(struct ends *ends, duet_job *in)
{
    duet_job out[CHANNELS];
    size_t done[CHANNELS] = {0}, had_of[CHANNELS] = {0}, all = 0;

    while (all < (size_t)CHANNELS * EACH) {
        for (size_t i = 0; i < CHANNELS; i++) {
            /* different amounts, so that the channels' frames never stay equal */
            size_t left = EACH - done[i], most = 5000 + 7001 * i;
            out[i] =
                (duet_job){.channel = ends[i].top, .data = sent + i * 1000 + done[i], .size = 0};
            out[i].size = left < most ? left : most;
            in[i] = (duet_job){
                .channel = ends[i].bottom, .buffer = had + i * EACH + had_of[i], .room = 0};
            in[i].room = EACH - had_of[i];
        }
        duet_channel_many(out, CHANNELS);
        duet_channel_many(in, CHANNELS);
        for (size_t i = 0; i < CHANNELS; i++) {
            assert_true(out[i].send_result == DUET_OK || out[i].send_result == DUET_AGAIN);
            assert_true(in[i].recv_result == DUET_OK || in[i].recv_result == DUET_AGAIN);
            done[i] += out[i].sent;
            had_of[i] += in[i].got;
            all += in[i].got;
        }
    }
}

static void
many_channels(void **state)
{
    struct ends ends[CHANNELS];
    duet_job in[CHANNELS];

    (void)state;
    ends_fill(sent, sizeof sent, 5);
    for (size_t i = 0; i < CHANNELS; i++) {
        ends_open_with(&ends[i], ends_config(), i == 2 ? ENDS_DIRECT : ENDS_TCP);
        ends_handshake(&ends[i]);
    }
    move(ends, in);
    for (size_t i = 0; i < CHANNELS; i++)
        assert_memory_equal(had + i * EACH, sent + i * 1000, EACH);
    for (size_t i = 0; i < CHANNELS; i++)
        ends_close(&ends[i]);
}

/** A frame that time cuts in two, again and again, is whole in the end. */
static void
cut_frames(enum ends_wire wire)
{
    struct ends ends;
    size_t accepted, have = 0;

    ends_fill(sent, sizeof sent, 6);
    memset(had, 0, sizeof had);
    ends_open_with(&ends, ends_config(), wire);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_send(ends.top, sent, 40000, &accepted, 0), DUET_OK);
    for (int turn = 0; turn < 100 && have < 40000; turn++) {
        duet_job in = {.channel = ends.bottom, .buffer = had + have, .room = 40000 - have};
        ends_carry(ends.top_far, ends.bottom_far, 3000);
        duet_channel_many(&in, 1);
        assert_true(in.recv_result == DUET_OK || in.recv_result == DUET_AGAIN);
        have += in.got;
    }
    assert_int_equal(have, 40000);
    assert_memory_equal(had, sent, 40000);
    ends_close(&ends);
}

static void
frames_in_parts(void **state)
{
    (void)state;
    cut_frames(ENDS_APART);
    cut_frames(ENDS_TCP_APART);
}

/** One channel's end and another's fault are theirs alone. */
static void
results_apart(enum ends_wire wire)
{
    struct ends ends[4];
    duet_job in[4];
    duet_job out[4];
    size_t accepted;

    for (size_t i = 0; i < 4; i++) {
        ends_open_with(&ends[i], ends_config(), wire);
        ends_handshake(&ends[i]);
        in[i] = (duet_job){.channel = ends[i].bottom,
                           .buffer = had + 1000 * i,
                           .room = 1000,
                           .got = 7,
                           .recv_result = 7};
        out[i] = (duet_job){
            .channel = ends[i].top, .data = "bytes", .size = 6, .sent = 7, .send_result = 7};
    }
    assert_int_equal(duet_channel_close(ends[0].top, 0), DUET_OK);
    assert_int_equal(send(ends[1].top_fd, sent, 100, 0), 100); /* no frame of its peer's */
    assert_int_equal(duet_channel_send_message(ends[2].top, 4, "m", 1, &accepted, 0), DUET_OK);
    duet_channel_many(out, 4);
    assert_int_equal(out[0].send_result, DUET_E_MISUSE);
    assert_int_equal(out[0].sent, 0);
    assert_int_equal(out[3].send_result, DUET_OK);
    assert_int_equal(out[3].sent, 6);
    duet_channel_many(in, 4);
    assert_int_equal(in[0].recv_result, DUET_CLOSED);
    assert_int_equal(in[1].recv_result, DUET_E_CHECKSUM);
    assert_int_equal(in[2].recv_result, DUET_E_CODE);
    assert_int_equal(in[3].recv_result, DUET_OK);
    assert_int_equal(in[3].got, 6);
    assert_memory_equal(had + 3000, "bytes", 6);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(in[i].got, 0);
    for (size_t i = 0; i < 4; i++)
        ends_close(&ends[i]);
}

static void
each_its_own_result(void **state)
{
    (void)state;
    results_apart(ENDS_DIRECT);
    results_apart(ENDS_TCP);
}

/** A close that is taken together with what came before it: nothing more comes that could be waited
 * for, and the state says so. */
static void
close_behind_bytes(enum ends_wire wire)
{
    struct ends ends;
    size_t accepted;

    ends_open_with(&ends, ends_config(), wire);
    ends_handshake(&ends);
    duet_job in = {.channel = ends.bottom, .buffer = had, .room = 100000};
    duet_channel_many(&in, 1);
    assert_int_equal(in.recv_result, DUET_AGAIN);
    assert_true(duet_channel_state(ends.bottom) & DUET_WANT_READ);
    assert_int_equal(duet_channel_send(ends.top, "hello", 5, &accepted, ENDS_PATIENCE), DUET_OK);
    assert_int_equal(duet_channel_close(ends.top, 0), DUET_OK);
    duet_channel_many(&in, 1);
    assert_int_equal(in.recv_result, DUET_OK);
    assert_int_equal(in.got, 5);
    /* Whether the close was taken too is the wire's matter; what is taken is not waited for. */
    assert_int_equal((duet_channel_state(ends.bottom) & DUET_WANT_READ) != 0,
                     ends_readable(ends.bottom_fd));
    duet_channel_many(&in, 1);
    assert_int_equal(in.recv_result, DUET_CLOSED);
    ends_close(&ends);
}

static void
closes_are_not_waited_for(void **state)
{
    (void)state;
    close_behind_bytes(ENDS_DIRECT);
    close_behind_bytes(ENDS_TCP);
}

/** A channel that still initiates waits for its peer, not for room to write, which there is. */
static void
initiation_is_waited_for(void **state)
{
    struct ends ends;

    (void)state;
    ends_open(&ends);
    duet_job out = {.channel = ends.top, .data = "bytes", .size = 6};
    duet_channel_many(&out, 1);
    assert_int_equal(out.send_result, DUET_AGAIN);
    assert_int_equal(out.sent, 0);
    assert_int_equal(duet_channel_state(ends.top), DUET_WANT_READ);
    ends_handshake(&ends);
    duet_channel_many(&out, 1);
    assert_int_equal(out.send_result, DUET_OK);
    assert_int_equal(duet_channel_state(ends.top), DUET_WANT_READ | DUET_STATE_AGAIN_NOW);
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_arrives),
        cmocka_unit_test(stops_at_what_cannot_go),
        cmocka_unit_test(parts_and_room),
        cmocka_unit_test(many_channels),
        cmocka_unit_test(frames_in_parts),
        cmocka_unit_test(each_its_own_result),
        cmocka_unit_test(closes_are_not_waited_for),
        cmocka_unit_test(initiation_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
