/*
 * Refresh by policy (docs/protocol.md §5; DUET_SET_REFRESH_BYTES, DUET_SET_REFRESH_SECONDS): a
 * channel asks by itself, under traffic both ways, whatever call drives it, while rekeys and closes
 * cross it.
 */
#include "channel/ends.h"

#include "session/session.h"
#include "support/between.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { LIMIT = 20000, MUCH = 300000, PIECE = 3000 };

static uint8_t data[MUCH], had[2][MUCH];

static duet_config *
config_of(uint64_t bytes, uint64_t seconds)
{
    duet_config *config = ends_config();

    assert_int_equal(duet_config_set(config, DUET_SET_REFRESH_BYTES, bytes), DUET_OK);
    assert_int_equal(duet_config_set(config, DUET_SET_REFRESH_SECONDS, seconds), DUET_OK);
    return config;
}

static uint64_t
refreshes_of(const duet_channel *channel)
{
    duet_info info;

    duet_channel_info(channel, &info);
    return info.refreshes;
}

/** Send and receive a piece from one end to the other, and let answers come. */
static void
move_piece(struct ends *ends, duet_channel *from, duet_channel *to, size_t size)
{
    size_t n, got;

    assert_int_equal(duet_channel_send(from, data, size, &n, 0), DUET_OK);
    for (int i = 0; i < 3; i++) {
        ends_carry_all(ends);
        if (i == 0) {
            assert_int_equal(duet_channel_recv(to, had[0], size, &got, size, 0), DUET_OK);
            assert_memory_equal(had[0], data, size);
        }
        assert_int_equal(duet_channel_flush(to, 0), DUET_OK);
        ends_carry_all(ends);
        assert_int_equal(duet_channel_recv(from, had[1], 1, &got, 1, 0), DUET_AGAIN);
        assert_int_equal(duet_channel_flush(from, 0), DUET_OK);
        ends_carry_all(ends);
        assert_int_equal(duet_channel_recv(to, had[1], 1, &got, 1, 0), DUET_AGAIN);
    }
}

/* ---- When it is due ---- */

static void
by_bytes(void **state)
{
    struct ends ends;

    (void)state;
    for (int back = 0; back < 2; back++) {
        ends_open_with(&ends, config_of(LIMIT, 0), ENDS_APART);
        ends_handshake(&ends);
        duet_channel *from = back ? ends.bottom : ends.top, *to = back ? ends.top : ends.bottom;
        for (int i = 0; i < LIMIT / PIECE; i++)
            move_piece(&ends, from, to, PIECE);
        assert_int_equal(refreshes_of(from), 0);
        for (int i = 0; i < 2; i++)
            move_piece(&ends, from, to, PIECE);
        assert_int_equal(refreshes_of(from), 1);
        assert_int_equal(refreshes_of(to), 1);
        for (int i = 0; i < 9 * LIMIT / PIECE; i++)
            move_piece(&ends, from, to, PIECE);
        assert_between(refreshes_of(from), 7, 10);
        assert_int_equal(refreshes_of(from), refreshes_of(to));
        ends_close(&ends);
    }
}

/** An end that only receives asks too; here the other does not count. */
static void
by_the_receiver(void **state)
{
    struct ends ends;
    size_t n;

    (void)state;
    ends_open_with(&ends, config_of(LIMIT, 0), ENDS_APART);
    ends_handshake(&ends);
    for (int i = 0; i < 3 * LIMIT / PIECE; i++) {
        assert_int_equal(duet_channel_send(ends.top, data, PIECE, &n, 0), DUET_OK);
        duet_channel_session(ends.top)->tx_bytes = 0;
        ends_carry_all(&ends);
        assert_int_equal(duet_channel_recv(ends.bottom, had[0], PIECE, &n, PIECE, 0), DUET_OK);
        ends_carry_all(&ends);
        assert_int_equal(duet_channel_recv(ends.top, had[0], 1, &n, 1, 0), DUET_AGAIN);
    }
    assert_between(refreshes_of(ends.top), 1, 3);
    ends_close(&ends);
}

/** The default: 2^30 bytes of both directions together. They are not all sent here. */
static void
by_default(void **state)
{
    struct ends ends;

    (void)state;
    ends_open_with(&ends, ends_config(), ENDS_APART);
    ends_handshake(&ends);
    move_piece(&ends, ends.top, ends.bottom, 10);
    duet_session *session = duet_channel_session(ends.top);
    session->tx_bytes = (1u << 29) - 100;
    session->rx_bytes = 1u << 29;
    move_piece(&ends, ends.top, ends.bottom, 10);
    assert_int_equal(refreshes_of(ends.top), 0);
    move_piece(&ends, ends.top, ends.bottom, 100);
    move_piece(&ends, ends.bottom, ends.top, 10);
    assert_int_equal(refreshes_of(ends.top), 1);
    assert_int_equal(refreshes_of(ends.bottom), 1);
    ends_close(&ends);
}

static void
by_time(void **state)
{
    struct ends ends;

    (void)state;
    ends_open_with(&ends, config_of(0, 1), ENDS_APART);
    ends_handshake(&ends);
    move_piece(&ends, ends.top, ends.bottom, 10);
    usleep(1200000);
    move_piece(&ends, ends.bottom, ends.top, 10);
    move_piece(&ends, ends.top, ends.bottom, 10);
    assert_between(refreshes_of(ends.top), 1, 1000);
    assert_int_equal(refreshes_of(ends.top), refreshes_of(ends.bottom));
    ends_close(&ends);
}

static void
never(void **state)
{
    struct ends ends;

    (void)state;
    ends_open_with(&ends, config_of(0, 0), ENDS_APART);
    ends_handshake(&ends);
    duet_channel_session(ends.top)->tx_bytes = UINT64_MAX / 4;
    for (int i = 0; i < 3; i++)
        move_piece(&ends, ends.top, ends.bottom, PIECE);
    assert_int_equal(refreshes_of(ends.top), 0);
    ends_close(&ends);
}

/** A preset session may go into a file, where nobody answers: only where it was asked for. */
static void
preset(void **state)
{
    static const uint8_t salt[16] = "once for this";
    duet_session *session[2];
    duet_channel *end[2];
    int fd[2];
    size_t n;

    (void)state;
    for (int asked = 0; asked < 2; asked++) {
        duet_config *config = asked ? config_of(LIMIT, 0) : ends_config();
        ends_sockets(ENDS_DIRECT, &fd[0], &fd[1]);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(
                duet_session_new_preset(&session[i], config, (enum duet_role)i, salt, sizeof salt),
                DUET_OK);
            assert_int_equal(duet_channel_open_preset(&end[i], session[i], NULL, fd[i], fd[i]),
                             DUET_OK);
        }
        for (int i = 0; i < 10; i++) {
            if (!asked)
                session[0]->tx_bytes = (uint64_t)1 << 40;
            assert_int_equal(duet_channel_send(end[0], data, PIECE, &n, 0), DUET_OK);
            assert_int_equal(duet_channel_recv(end[1], had[0], PIECE, &n, PIECE, 0), DUET_OK);
            assert_int_equal(duet_channel_flush(end[1], 0), DUET_OK);
            assert_int_equal(duet_channel_recv(end[0], had[0], PIECE, &n, PIECE, 0), DUET_AGAIN);
        }
        assert_int_equal(refreshes_of(end[0]) > 0, asked);
        for (int i = 0; i < 2; i++) {
            duet_channel_free(end[i]);
            close(fd[i]);
        }
        duet_config_free(config);
    }
}

/* ---- Under traffic ---- */

struct party {
    duet_channel *channel;
    uint8_t *had;
    uint64_t refreshes;
    unsigned seed, calls;
    int result;
};

static unsigned
draw(struct party *party, unsigned below)
{
    party->seed = party->seed * 1664525u + 1013904223u;
    return (party->seed >> 8) % below;
}

/** Close, and receive the peer's close meanwhile: what it still sends may fill the wire. */
static int
close_both(duet_channel *channel)
{
    int sent = DUET_SLOW, received = DUET_SLOW;
    size_t n;

    while (sent == DUET_SLOW || received == DUET_SLOW) {
        if (sent == DUET_SLOW)
            sent = duet_channel_close(channel, 5);
        if (received == DUET_SLOW)
            received = duet_channel_recv(channel, &n, 1, &n, 1, 5);
    }
    return sent == DUET_OK ? received : sent;
}

/** Everything both ways, in pieces of any size, with rekeys between; then close. */
static void *
run_party(void *argument)
{
    struct party *party = argument;
    size_t sent = 0, got = 0;

    party->result = DUET_OK;
    while (sent < MUCH || got < MUCH) {
        duet_exchange_io io = {.data = data + sent, .buffer = party->had + got};
        io.size = sent + draw(party, 40000) < MUCH ? draw(party, 40000) : MUCH - sent;
        io.room = MUCH - got;
        io.size = io.size < MUCH - sent ? io.size : MUCH - sent;
        if (sent < MUCH && draw(party, 4) == 0)
            party->result = duet_channel_rekey(party->channel);
        int result;
        do {
            result = duet_channel_exchange(party->channel, &io, (int)draw(party, 3));
            party->calls++;
        } while (io.sent < io.size && (result == DUET_AGAIN || result == DUET_SLOW));
        sent += io.sent;
        got += io.got;
        if (result == DUET_CLOSED && got == MUCH)
            continue;
        if (result != DUET_OK && result != DUET_AGAIN && result != DUET_SLOW) {
            party->result = result;
            return NULL;
        }
    }
    if (party->result == DUET_OK)
        party->result = close_both(party->channel);
    party->refreshes = refreshes_of(party->channel);
    return NULL;
}

static void
small_buffers(int fd)
{
    int size = 4096;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
}

/** Frames wait in full buffers; rekeys and closes cross refreshes; both ends ask. */
static void
traffic(unsigned seed)
{
    uint8_t receipts[2][DUET_RECEIPT_SIZE];
    struct party party[2];
    pthread_t thread[2];
    struct ends ends;

    ends_open_with(&ends, config_of(LIMIT, 0), ENDS_DIRECT);
    small_buffers(ends.top_fd);
    small_buffers(ends.bottom_fd);
    memset(had, 0, sizeof had);
    for (unsigned i = 0; i < 2; i++) {
        party[i] = (struct party){.channel = i ? ends.bottom : ends.top, .had = had[i]};
        party[i].seed = 2 * seed + i;
        assert_int_equal(pthread_create(&thread[i], NULL, run_party, &party[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(party[i].result, DUET_CLOSED);
        assert_memory_equal(had[i], data, MUCH);
        assert_between(party[i].refreshes, 1, 2 * MUCH / LIMIT + 1);
        assert_int_equal(duet_session_receipt(duet_channel_session(party[0].channel), receipts[0],
                                              (enum duet_role)i),
                         DUET_OK);
        assert_int_equal(duet_session_receipt(duet_channel_session(party[1].channel), receipts[1],
                                              (enum duet_role)i),
                         DUET_OK);
        assert_memory_equal(receipts[0], receipts[1], DUET_RECEIPT_SIZE);
    }
    ends_close(&ends);
}

static void
under_traffic(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 12; seed++)
        traffic(seed);
}

/* ---- By the calls for many channels ---- */

static void
many(void **state)
{
    struct ends ends;

    (void)state;
    ends_open_with(&ends, config_of(LIMIT, 0), ENDS_TCP);
    ends_handshake(&ends);
    for (unsigned i = 0; i < MUCH / PIECE; i++) {
        duet_job send = {.channel = ends.top, .data = data + i * PIECE, .size = PIECE};
        duet_job recv = {.channel = ends.bottom, .buffer = had[0], .room = PIECE};
        duet_job back = {.channel = ends.top, .buffer = had[1], .room = 1};
        duet_channel_many(&send, 1);
        assert_int_equal(send.send_result, DUET_OK);
        for (size_t got = 0; got < PIECE; got += recv.got) {
            recv.buffer = had[0] + got;
            recv.room = PIECE - got;
            duet_channel_many(&recv, 1);
            assert_true(recv.recv_result == DUET_OK || recv.recv_result == DUET_AGAIN);
        }
        assert_memory_equal(had[0], data + i * PIECE, PIECE);
        duet_channel_many(&back, 1);
        assert_int_equal(back.recv_result, DUET_AGAIN);
    }
    assert_between(refreshes_of(ends.top), 5, MUCH / LIMIT + 1);
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_bytes),      cmocka_unit_test(by_the_receiver),
        cmocka_unit_test(by_default),    cmocka_unit_test(by_time),
        cmocka_unit_test(never),         cmocka_unit_test(preset),
        cmocka_unit_test(under_traffic), cmocka_unit_test(many),
    };

    ends_fill(data, sizeof data, 5);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
