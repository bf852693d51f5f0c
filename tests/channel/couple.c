/*
 * The two ends of a wire, as channels of each kind; see couple.h.
 */
#include "channel/couple.h"

#include "channel/channel.h"
#include "support/own_ops.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PROBE = 99, MOST = 1 << 19 };

static struct own_context own;
static uint8_t data[MOST], had[MOST];

/* ---- A stream on a socket: its context is where the descriptor is ---- */

static int
socket_read(void *context, uint8_t *buffer, size_t size, size_t *got)
{
    ssize_t n = recv(*(int *)context, buffer, size, MSG_DONTWAIT);

    *got = n > 0 ? (size_t)n : 0;
    if (n < 0)
        return errno == EAGAIN ? DUET_AGAIN : DUET_E_IO;
    return n == 0 ? DUET_CLOSED : DUET_OK;
}

static int
socket_write(void *context, const uint8_t *buffer, size_t size, size_t *put)
{
    ssize_t n = send(*(int *)context, buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    *put = n > 0 ? (size_t)n : 0;
    if (n < 0)
        return errno == EAGAIN ? DUET_AGAIN : DUET_E_IO;
    return DUET_OK;
}

static int
socket_wait(void *context, unsigned want, int timeout_ms)
{
    struct pollfd fd = {.fd = *(int *)context};

    fd.events =
        (short)((want & DUET_WANT_READ ? POLLIN : 0) | (want & DUET_WANT_WRITE ? POLLOUT : 0));
    return poll(&fd, 1, timeout_ms) < 0 ? DUET_AGAIN : DUET_OK;
}

/* ---- Opening ---- */

static void
start_cipher(duet_cipher *cipher, uint8_t seed)
{
    uint8_t key[32], block[16], chain[32];

    ends_fill(key, sizeof key, seed);
    ends_fill(block, sizeof block, seed + 1);
    ends_fill(chain, sizeof chain, seed + 2);
    assert_int_equal(duet_cipher_init(cipher, key, block, chain, 0, 1 << 20), DUET_OK);
}

void
couple_prepare(struct couple *couple, enum couple_kind kind, enum couple_wire wire)
{
    *couple = (struct couple){.kind = kind, .wire = wire, .replay = duet_replay_new(100)};
    assert_non_null(couple->replay);
    for (int role = 0; role < 2; role++)
        couple->config[role] = ends_config();
    if (kind == COUPLE_OWN) {
        duet_handshake_ops ops = own_handshake(&own);
        memset(&own, 0, sizeof own);
        memset(own.secret, 0x77, sizeof own.secret);
        for (int role = 0; role < 2; role++)
            assert_int_equal(duet_config_set_own(couple->config[role], &ops, NULL), DUET_OK);
    }
    ends_sockets(wire == COUPLE_TCP ? ENDS_TCP : ENDS_DIRECT, &couple->fd[DUET_TOP],
                 &couple->fd[DUET_BOTTOM]);
}

static int
open_raw(struct couple *couple, enum duet_role role, duet_opening *opening)
{
    duet_cipher tx, rx;

    start_cipher(&tx, role == DUET_TOP ? 10 : 20);
    start_cipher(&rx, role == DUET_TOP ? 20 : 10);
    opening->tx = &tx;
    opening->rx = &rx;
    int result = duet_channel_open_with(&couple->end[role], opening);
    opening->tx = opening->rx = NULL;
    duet_wipe(&tx, sizeof tx);
    duet_wipe(&rx, sizeof rx);
    return result;
}

static int
open_preset(struct couple *couple, enum duet_role role, duet_opening *opening)
{
    static const uint8_t salt[16] = "only for a test";
    int result =
        duet_session_new_preset(&opening->session, couple->config[role], role, salt, sizeof salt);

    if (result != DUET_OK)
        return result;
    result = duet_channel_open_with(&couple->end[role], opening);
    if (result != DUET_OK)
        duet_session_free(opening->session);
    return result;
}

int
couple_open_end(struct couple *couple, enum duet_role role)
{
    const duet_stream functions = {&couple->fd[role], socket_read, socket_write, socket_wait};
    duet_opening opening = {.size = sizeof opening,
                            .config = couple->config[role],
                            .role = role,
                            .rfd = couple->fd[role],
                            .wfd = couple->fd[role]};

    if (couple->wire == COUPLE_STREAM)
        opening.stream = &functions;
    if (role == DUET_BOTTOM) /* TOP's nonce in BOTTOM's cache would be a reflected flight */
        opening.replay = couple->replay;
    if (couple->kind == COUPLE_RAW)
        return open_raw(couple, role, &opening);
    if (couple->kind == COUPLE_PRESET)
        return open_preset(couple, role, &opening);
    if (opening.stream != NULL)
        return duet_channel_open_with(&couple->end[role], &opening);
    return duet_channel_open(&couple->end[role], opening.config, opening.replay, role, opening.rfd,
                             opening.wfd);
}

void
couple_open(struct couple *couple)
{
    for (int role = 0; role < 2; role++)
        assert_int_equal(couple_open_end(couple, (enum duet_role)role), DUET_OK);
}

void
couple_handshake(struct couple *couple)
{
    int result[2] = {DUET_AGAIN, DUET_AGAIN};
    size_t got;

    for (int i = 0; i < 100; i++)
        for (int role = 0; role < 2; role++)
            if (result[role] == DUET_AGAIN)
                result[role] = duet_channel_handshake(couple->end[role], 0);
    assert_int_equal(result[DUET_TOP], DUET_OK);
    assert_int_equal(result[DUET_BOTTOM], DUET_OK);
    while (ends_waiting(couple->fd[DUET_BOTTOM]) > 0) { /* TOP's READY */
        uint8_t byte;
        assert_int_equal(duet_channel_recv(couple->end[DUET_BOTTOM], &byte, 1, &got, 1, 0),
                         DUET_AGAIN);
    }
}

void
couple_close(struct couple *couple)
{
    for (int role = 0; role < 2; role++) {
        duet_channel_free(couple->end[role]);
        duet_config_free(couple->config[role]);
        if (couple->fd[role] >= 0)
            close(couple->fd[role]);
    }
    duet_replay_free(couple->replay);
}

int
couple_went_on(int result)
{
    return result == DUET_OK || result == DUET_AGAIN;
}

/* ---- Whether it works ---- */

void
couple_free_kept_buffers(void)
{
    uint8_t *buffers[32]; /* more than are kept */

    for (size_t i = 0; i < 32; i++)
        buffers[i] = duet__buffer_take();
    for (size_t i = 0; i < 32; i++)
        free(buffers[i]);
}

/** Write what an end has undata, and read what has come; 1: its peer's probe was there. */
static int
end_turn(duet_channel *end)
{
    uint32_t code = 0;
    size_t n;

    assert_true(couple_went_on(duet_channel_flush(end, 0)));
    for (int i = 0; i < 20; i++) {
        int result = duet_channel_recv_message(end, &code, had, sizeof had, &n, 0);
        if (result == DUET_OK && code == PROBE)
            return 1;
        if (result != DUET_OK)
            assert_int_equal(result, DUET_AGAIN);
    }
    return 0;
}

/** Send on what an end has begun, else the probe; 1: that was sent. */
static int
send_probe(duet_channel *end)
{
    size_t n;

    if (end->send_phase == DUET__SEND_FRAME) {
        assert_true(
            couple_went_on(duet_channel_send_frame(end, end->tx_code, data, end->tx_left, &n, 0)));
        return 0;
    }
    if (end->send_phase == DUET__SEND_MESSAGE) {
        assert_true(couple_went_on(duet_channel_send_message(end, end->tx_code, data, 10, &n, 0)));
        return 0;
    }
    assert_int_equal(duet_channel_send_message(end, PROBE, data, 100, &n, 0), DUET_OK);
    return 1;
}

void
couple_check_works(struct couple *couple)
{
    int asked[2] = {0, 0}, came[2] = {0, 0};

    for (int i = 0; i < ENDS_PATIENCE && !(came[0] && came[1]); i++) {
        if (i > 1000) /* TCP takes its time */
            (void)poll(NULL, 0, 1);
        for (int role = 0; role < 2; role++) {
            duet_channel *end = couple->end[role];
            came[role] |= end_turn(end);
            if (!asked[role] && !(duet_channel_state(end) & DUET_WANT_WRITE))
                asked[role] = send_probe(end);
        }
    }
    assert_true(came[0] && came[1]);
}
