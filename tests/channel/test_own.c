/*
 * Channels with a handshake and a schedule of the application's own, and channels on two raw
 * directions (docs/protocol.md §3 "The raw cipher", §6 "An application's own").
 */
#include "channel/ends.h"
#include "support/own_ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* The two ciphers of a raw channel. */

static struct own_context own;

static duet_config *
own_config(enum own_fault fault)
{
    duet_config *config = duet_config_new();
    duet_handshake_ops handshake = own_handshake(&own);
    duet_schedule_ops schedule = own_schedule(&own);

    memset(&own, 0, sizeof own);
    memset(own.secret, 0x77, sizeof own.secret);
    own.fault = fault;
    own.role = DUET_BOTTOM;
    assert_non_null(config);
    assert_int_equal(duet_config_set_own(config, &handshake, NULL), DUET_OK);
    assert_int_equal(duet_config_set_own(config, NULL, &schedule), DUET_OK);
    return config;
}

/** Send a message one way. */
static void
send_one(duet_channel *from, duet_channel *to, struct ends *ends)
{
    uint8_t data[5000], got[5000];
    uint32_t code = 0;
    size_t n;

    ends_fill(data, sizeof data, 3);
    assert_int_equal(duet_channel_send_message(from, 9, data, sizeof data, &n, 0), DUET_OK);
    if (ends != NULL)
        ends_carry_all(ends);
    assert_int_equal(duet_channel_recv_message(to, &code, got, sizeof got, &n, ENDS_PATIENCE),
                     DUET_OK);
    assert_int_equal(code, 9);
    assert_int_equal(n, sizeof data);
    assert_memory_equal(data, got, sizeof data);
}

static void
an_own_handshake_byte_by_byte(void **state)
{
    struct ends ends;
    size_t carried = 0;

    (void)state;
    ends_open_with(&ends, own_config(OWN_RIGHT), ENDS_APART);
    for (int i = 0; i < 1000; i++) {
        int top = duet_channel_handshake(ends.top, 0);
        int bottom = duet_channel_handshake(ends.bottom, 0);
        if (top == DUET_OK && bottom == DUET_OK)
            break;
        assert_true(top == DUET_OK || top == DUET_AGAIN);
        assert_true(bottom == DUET_OK || bottom == DUET_AGAIN);
        carried += ends_carry(ends.top_far, ends.bottom_far, 1);
        carried += ends_carry(ends.bottom_far, ends.top_far, 1);
    }
    assert_int_equal(carried, 2 * OWN_FLIGHT + 2 * DUET_FRAME_OVERHEAD);
    send_one(ends.top, ends.bottom, &ends);
    assert_int_equal(duet_channel_rekey(ends.bottom), DUET_OK);
    send_one(ends.bottom, ends.top, &ends);
    send_one(ends.bottom, ends.top, &ends);
    ends_close(&ends);
    assert_int_equal(own.ended, 2);
}

/** What follows the handshake stays in the kernel, so that poll() can be relied on. */
static void
nothing_is_read_beyond_it(void **state)
{
    struct ends ends;
    size_t n;

    (void)state;
    for (int wire = ENDS_DIRECT; wire <= ENDS_TCP; wire++) {
        ends_open_with(&ends, own_config(OWN_RIGHT), (enum ends_wire)wire);
        assert_int_equal(duet_channel_handshake(ends.top, 0), DUET_AGAIN);
        assert_int_equal(duet_channel_handshake(ends.bottom, ENDS_PATIENCE / 100), DUET_SLOW);
        assert_int_equal(duet_channel_handshake(ends.top, ENDS_PATIENCE), DUET_OK);
        assert_int_equal(duet_channel_send(ends.top, "abc", 3, &n, ENDS_PATIENCE), DUET_OK);
        assert_int_equal(duet_channel_handshake(ends.bottom, ENDS_PATIENCE), DUET_OK);
        assert_int_equal(ends_waiting(ends.bottom_fd), 3 + DUET_FRAME_OVERHEAD);
        send_one(ends.bottom, ends.top, NULL);
        ends_close(&ends);
    }
}

static void
a_broken_function_ends_the_channel(void **state)
{
    struct ends ends;

    (void)state;
    ends_open_with(&ends, own_config(OWN_SHORT_SALT), ENDS_DIRECT);
    assert_int_equal(duet_channel_handshake(ends.top, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_handshake(ends.bottom, 1000), DUET_E_CALLBACK);
    assert_non_null(strstr(duet_channel_detail(ends.bottom), "out of range"));
    assert_int_equal(duet_channel_state(ends.bottom), 0);
    assert_int_equal(ends_waiting(ends.top_fd), 0); /* nothing was sent */
    assert_int_equal(duet_channel_handshake(ends.bottom, 0), DUET_E_CALLBACK);
    ends_close(&ends);
}

/* ---- As many bytes as a handshake may take, both ways at the same time ---- */

static int
bulk_begin(void *context, void *state, const duet_handshake_input *input)
{
    (void)context;
    (void)state;
    (void)input;
    return DUET_OK;
}

static int
bulk_turn(void *context, void *memory, duet_handshake_turn *turn)
{
    unsigned *turns = memory;

    (void)context;
    for (size_t i = 0; i < turn->in_size; i++)
        if (turn->in[i] != (uint8_t)(i + *turns - 1))
            return DUET_E_PROTOCOL;
    if (*turns < DUET_OWN_WIRE_MOST / DUET_OWN_TURN_MOST) {
        assert_int_equal(turn->out_room, DUET_OWN_TURN_MOST);
        for (size_t i = 0; i < DUET_OWN_TURN_MOST; i++)
            turn->out[i] = (uint8_t)(i + *turns);
        turn->put = DUET_OWN_TURN_MOST;
        turn->need = DUET_OWN_TURN_MOST;
        ++*turns;
        return DUET_OK;
    }
    assert_int_equal(turn->out_room, 0);
    memset(turn->agreement->secret, 5, 1024);
    memset(turn->agreement->salt, 6, 16); /* of a test alone: a salt must never repeat */
    turn->agreement->secret_size = 1024;
    turn->agreement->salt_size = 16;
    turn->done = 1;
    return DUET_OK;
}

static void
the_longest_handshake(void **state)
{
    const duet_handshake_ops ops = {.size = sizeof ops,
                                    .state_size = sizeof(unsigned),
                                    .turn_most = DUET_OWN_TURN_MOST,
                                    .begin = bulk_begin,
                                    .turn = bulk_turn};
    duet_config *config = duet_config_new();
    struct ends ends;
    int top = DUET_AGAIN, bottom = DUET_AGAIN;

    (void)state;
    assert_int_equal(duet_config_set_own(config, &ops, NULL), DUET_OK);
    ends_open_with(&ends, config, ENDS_APART);
    for (int i = 0; i < 10000 && (top != DUET_OK || bottom != DUET_OK); i++) {
        top = duet_channel_handshake(ends.top, 0);
        bottom = duet_channel_handshake(ends.bottom, 0);
        ends_carry(ends.top_far, ends.bottom_far, 999);
        ends_carry(ends.bottom_far, ends.top_far, 1999);
    }
    assert_int_equal(top, DUET_OK);
    assert_int_equal(bottom, DUET_OK);
    send_one(ends.top, ends.bottom, &ends);
    send_one(ends.bottom, ends.top, &ends);
    ends_close(&ends);
}

/* ---- Raw directions ---- */

/** The same cipher at both ends. */
static void
start_cipher(duet_cipher *cipher, uint8_t seed, uint32_t limit)
{
    uint8_t key[32], block[16], chain[32];

    ends_fill(key, sizeof key, seed);
    ends_fill(block, sizeof block, seed + 1);
    ends_fill(chain, sizeof chain, seed + 2);
    assert_int_equal(duet_cipher_init(cipher, key, block, chain, 0xFFFFFFFE, limit), DUET_OK);
}

static void
raw_channels_talk(void **state)
{
    duet_cipher cipher[4];
    duet_channel *one, *other;
    uint8_t buffer[2000], mine[DUET_RECEIPT_SIZE], theirs[DUET_RECEIPT_SIZE];
    int fd[2];
    size_t n;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    for (int i = 0; i < 4; i++)
        start_cipher(&cipher[i], (uint8_t)(i % 2 * 10), 700);
    assert_int_equal(duet_channel_open_with(&one, &(duet_opening){.size = sizeof(duet_opening),
                                                                  .tx = &cipher[0],
                                                                  .rx = &cipher[1],
                                                                  .rfd = fd[0],
                                                                  .wfd = fd[0]}),
                     DUET_OK);
    assert_int_equal(duet_channel_open_with(&other, &(duet_opening){.size = sizeof(duet_opening),
                                                                    .tx = &cipher[3],
                                                                    .rx = &cipher[2],
                                                                    .rfd = fd[1],
                                                                    .wfd = fd[1]}),
                     DUET_OK);
    assert_true(ends_all((const uint8_t *)cipher, sizeof cipher, 0)); /* moved, no copy is left */
    for (int i = 0; i < 5; i++) {
        send_one(one, other, NULL);
        send_one(other, one, NULL);
    }
    assert_int_equal(duet_channel_rekey(one), DUET_E_MISUSE);
    assert_int_equal(duet_channel_refresh(one), DUET_E_MISUSE);
    assert_int_equal(duet_channel_ping(one), DUET_OK);
    assert_int_equal(duet_channel_send(one, "end", 3, &n, 0), DUET_OK);
    assert_int_equal(duet_channel_close(one, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(other, buffer, sizeof buffer, &n, 3, 0), DUET_OK);
    assert_int_equal(duet_channel_recv(other, buffer, sizeof buffer, &n, 1, 0), DUET_CLOSED);
    assert_int_equal(duet_session_receipt(duet_channel_session(one), mine, DUET_TOP), DUET_OK);
    assert_int_equal(duet_session_receipt(duet_channel_session(other), theirs, DUET_BOTTOM),
                     DUET_OK);
    assert_memory_equal(mine, theirs, sizeof mine);
    duet_channel_free(one);
    duet_channel_free(other);
    close(fd[0]);
    close(fd[1]);
}

/** Frames of the library that need a schedule, or come before one, break the protocol. */
static void
raw_directions_do_not_rotate(void **state)
{
    static const struct {
        size_t size;
        uint32_t code;
        int result;
    } cases[] = {{0, 0xFFFFFF07u, DUET_E_PROTOCOL}, {33, 0xFFFFFF08u, DUET_E_PROTOCOL},
                 {5, 0xFFFFFF01u, DUET_E_PROTOCOL}, {0, 0xFFFFFF02u, DUET_E_PROTOCOL},
                 {701, 7, DUET_E_TOO_LONG},         {5, 0, DUET_OK}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t frame[800] = {0}, got[800];
        duet_cipher tx, rx, peer;
        duet_channel *channel;
        int fd[2];
        size_t n;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        start_cipher(&tx, 0, 700);
        start_cipher(&rx, 10, 700);
        start_cipher(&peer, 10, 700);
        assert_int_equal(
            duet_channel_open_with(&channel, &(duet_opening){.size = sizeof(duet_opening),
                                                             .tx = &tx,
                                                             .rx = &rx,
                                                             .rfd = fd[0],
                                                             .wfd = fd[0]}),
            DUET_OK);
        assert_int_equal(duet_seal(&peer, frame, frame + 16, cases[i].size, cases[i].code),
                         DUET_OK);
        n = cases[i].size + DUET_FRAME_OVERHEAD;
        assert_int_equal(send(fd[1], frame, n, 0), n);
        assert_int_equal(duet_channel_recv(channel, got, sizeof got, &n, 1, 1000), cases[i].result);
        duet_channel_free(channel);
        close(fd[0]);
        close(fd[1]);
    }
}

static int
open_raw(duet_channel **channel, duet_cipher *tx, duet_cipher *rx, const duet_stream *stream,
         int rfd, int wfd)
{
    duet_opening opening = {.size = sizeof opening, .tx = tx, .rx = rx, .stream = stream};

    opening.rfd = rfd;
    opening.wfd = wfd;
    return duet_channel_open_with(channel, &opening);
}

static void
raw_misuse(void **state)
{
    duet_cipher tx, rx, none;
    duet_channel *channel;
    uint8_t header[DUET_HEADER_SIZE];
    const duet_stream bad = {0};
    int fd[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    memset(&none, 0, sizeof none);
    start_cipher(&tx, 0, 700);
    start_cipher(&rx, 10, 700);
    assert_int_equal(open_raw(&channel, &tx, &none, NULL, fd[0], fd[0]), DUET_E_MISUSE);
    assert_null(channel);
    assert_int_equal(open_raw(&channel, &tx, &tx, NULL, fd[0], fd[0]), DUET_E_MISUSE);
    start_cipher(&none, 0, 700); /* one keystream for two directions */
    assert_int_equal(open_raw(&channel, &tx, &none, NULL, fd[0], fd[0]), DUET_E_MISUSE);
    assert_int_equal(open_raw(&channel, &tx, &rx, NULL, -1, fd[0]), DUET_E_MISUSE);
    assert_int_equal(open_raw(&channel, &tx, &rx, &bad, fd[0], fd[0]), DUET_E_MISUSE);
    assert_int_equal(
        duet_channel_open_with(&channel,
                               &(duet_opening){.tx = &tx, .rx = &rx, .rfd = fd[0], .wfd = fd[0]}),
        DUET_E_MISUSE);
    assert_int_equal(open_raw(&channel, &tx, NULL, NULL, fd[0], fd[0]), DUET_E_MISUSE);
    assert_int_equal(open_raw(&channel, NULL, NULL, NULL, fd[0], fd[0]), DUET_E_MISUSE);
    assert_null(channel);
    assert_int_equal(duet_cipher_seal_begin(&tx, header, 1, 3), DUET_OK);
    assert_int_equal(open_raw(&channel, &tx, &rx, NULL, fd[0], fd[0]), DUET_E_MISUSE);
    start_cipher(&tx, 0, 0);
    assert_int_equal(open_raw(&channel, &tx, &rx, NULL, fd[0], fd[0]), DUET_E_MISUSE);
    start_cipher(&tx, 0, 1); /* still the caller's, and whole */
    assert_int_equal(open_raw(&channel, &tx, &rx, NULL, fd[0], fd[0]), DUET_OK);
    duet_channel_free(channel);
    close(fd[0]);
    close(fd[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_own_handshake_byte_by_byte),
        cmocka_unit_test(nothing_is_read_beyond_it),
        cmocka_unit_test(a_broken_function_ends_the_channel),
        cmocka_unit_test(the_longest_handshake),
        cmocka_unit_test(raw_channels_talk),
        cmocka_unit_test(raw_directions_do_not_rotate),
        cmocka_unit_test(raw_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
