/*
 * The settings that say how a channel sends and receives have their effect on every kind of
 * channel: with the standard handshake, with one of the application's own, preset and raw; on
 * descriptors and on a stream of functions.
 */
#include "channel/ends.h"
#include "support/own_ops.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum kind { KIND_STANDARD, KIND_OWN, KIND_PRESET, KIND_RAW, KINDS };

struct couple {
    duet_config *config;
    duet_replay *replay;
    duet_channel *end[2]; /* by role */
    int fd[2];
};

static struct own_context own;
static uint8_t data[1000], had[1000];

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

/* ---- Two ends of a kind ---- */

static void
start_cipher(duet_cipher *cipher, uint8_t seed)
{
    uint8_t key[32], block[16], chain[32];

    ends_fill(key, sizeof key, seed);
    ends_fill(block, sizeof block, seed + 1);
    ends_fill(chain, sizeof chain, seed + 2);
    assert_int_equal(duet_cipher_init(cipher, key, block, chain, 0, 5000), DUET_OK);
}

static void
open_end(struct couple *couple, enum kind kind, enum duet_role role, int on_stream)
{
    static const uint8_t salt[16] = "only for a test";
    const duet_stream functions = {&couple->fd[role], socket_read, socket_write, socket_wait};
    const duet_stream *stream = on_stream ? &functions : NULL;
    duet_channel **end = &couple->end[role];
    int fd = couple->fd[role];
    /* TOP's nonce in BOTTOM's cache would be a reflected flight. */
    duet_replay *replay = role == DUET_BOTTOM ? couple->replay : NULL;

    if (kind == KIND_RAW) {
        duet_cipher tx, rx;
        start_cipher(&tx, role == DUET_TOP ? 10 : 20);
        start_cipher(&rx, role == DUET_TOP ? 20 : 10);
        assert_int_equal(duet_channel_open_with(end, &(duet_opening){.size = sizeof(duet_opening),
                                                                     .config = couple->config,
                                                                     .tx = &tx,
                                                                     .rx = &rx,
                                                                     .stream = stream,
                                                                     .rfd = fd,
                                                                     .wfd = fd}),
                         DUET_OK);
    } else if (kind == KIND_PRESET) {
        duet_session *session;
        assert_int_equal(duet_session_new_preset(&session, couple->config, role, salt, sizeof salt),
                         DUET_OK);
        assert_int_equal(duet_channel_open_preset(end, session, stream, fd, fd), DUET_OK);
    } else if (on_stream) {
        assert_int_equal(duet_channel_open_stream(end, couple->config, replay, role, stream),
                         DUET_OK);
    } else {
        assert_int_equal(duet_channel_open(end, couple->config, replay, role, fd, fd), DUET_OK);
    }
}

/** Open both ends with one setting, and do the handshake if there is one. */
static void
open_couple(struct couple *couple, int form, enum duet_setting setting, uint64_t value)
{
    enum kind kind = (enum kind)(form / 2);
    int result[2] = {DUET_AGAIN, DUET_AGAIN};

    *couple = (struct couple){.config = ends_config(), .replay = duet_replay_new(100)};
    if (kind == KIND_OWN) {
        duet_handshake_ops ops = own_handshake(&own);
        memset(&own, 0, sizeof own);
        memset(own.secret, 0x77, sizeof own.secret);
        assert_int_equal(duet_config_set_own(couple->config, &ops, NULL), DUET_OK);
    }
    assert_int_equal(duet_config_set(couple->config, setting, value), DUET_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, couple->fd), 0);
    for (int role = 0; role < 2; role++)
        open_end(couple, kind, (enum duet_role)role, form % 2);
    assert_int_equal(duet_config_set(couple->config, setting, value), DUET_E_MISUSE); /* frozen */
    for (int i = 0; i < 100; i++)
        for (int role = 0; role < 2; role++)
            if (result[role] == DUET_AGAIN)
                result[role] = duet_channel_handshake(couple->end[role], 0);
    assert_int_equal(result[DUET_TOP], DUET_OK);
    assert_int_equal(result[DUET_BOTTOM], DUET_OK);
    while (ends_waiting(couple->fd[DUET_BOTTOM]) > 0) { /* TOP's READY */
        size_t got;
        assert_int_equal(duet_channel_recv(couple->end[DUET_BOTTOM], had, 1, &got, 1, 0),
                         DUET_AGAIN);
    }
}

static void
close_couple(struct couple *couple)
{
    for (int role = 0; role < 2; role++) {
        duet_channel_free(couple->end[role]);
        close(couple->fd[role]);
    }
    duet_config_free(couple->config);
    duet_replay_free(couple->replay);
}

/* ---- Settings, on each form: a kind, on descriptors or on a stream ---- */

static void
frame_size(void **state)
{
    static const size_t sizes[] = {100, 500, 1000};
    struct couple couple;
    size_t n;

    (void)state;
    for (int form = 0; form < 2 * KINDS; form++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            open_couple(&couple, form, DUET_SET_FRAME_SIZE, sizes[i]);
            assert_int_equal(duet_channel_send(couple.end[DUET_TOP], data, 1000, &n, 0), DUET_OK);
            assert_int_equal(ends_waiting(couple.fd[DUET_BOTTOM]),
                             1000 + 1000 / sizes[i] * DUET_FRAME_OVERHEAD);
            close_couple(&couple);
        }
}

static void
buffered(void **state)
{
    struct couple couple;
    size_t n;

    (void)state;
    for (int form = 0; form < 2 * KINDS; form++)
        for (unsigned on = 0; on < 2; on++) {
            open_couple(&couple, form, DUET_SET_BUFFERED, on);
            assert_int_equal(duet_channel_send(couple.end[DUET_TOP], data, 1000, &n, 0), DUET_OK);
            assert_int_equal(duet_channel_recv(couple.end[DUET_BOTTOM], had, 10, &n, 1, 0),
                             on ? DUET_OK : DUET_E_ROOM);
            assert_int_equal(n, on ? 10 : 0);
            assert_memory_equal(had, data, n);
            close_couple(&couple);
        }
}

/** What the receiver accepts bounds the sender; on raw directions the ciphers' limit does. */
static void
max_payload(void **state)
{
    struct couple couple;
    size_t n;

    (void)state;
    for (int form = 0; form < 2 * KIND_RAW; form++) {
        open_couple(&couple, form, DUET_SET_MAX_PAYLOAD, 300);
        assert_int_equal(duet_channel_send_frame(couple.end[DUET_TOP], 5, data, 301, &n, 0),
                         DUET_E_LENGTH);
        assert_int_equal(duet_channel_send_frame(couple.end[DUET_TOP], 5, data, 300, &n, 0),
                         DUET_OK);
        close_couple(&couple);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_size),
        cmocka_unit_test(buffered),
        cmocka_unit_test(max_payload),
    };
    ends_fill(data, sizeof data, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
