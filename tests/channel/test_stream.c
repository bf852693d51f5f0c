/*
 * A channel over a stream of the caller's: one that gives and takes a byte at a time, and TLS by
 * libssl, so that duet runs inside of what it replaces (docs/protocol.md §1; the seed's section 0).
 */
#include "channel/ends.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 700000 };

static uint8_t *sent, *got;

/** One end of a stream in a thread of its own: sends all, receives all, closes. */
struct end {
    duet_config *config;
    duet_replay *replay;
    duet_stream stream;
    enum duet_role role;
    int result;
    uint8_t *got;
};

static int
wait_fd(int fd, unsigned want, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd};

    poll_fd.events =
        (short)((want & DUET_WANT_READ ? POLLIN : 0) | (want & DUET_WANT_WRITE ? POLLOUT : 0));
    return poll(&poll_fd, 1, timeout_ms) >= 0 ? DUET_OK : DUET_E_IO;
}

/* ---- A byte at a time ---- */

struct dribble {
    int fd;
    unsigned turn;
    unsigned blocked; /* DUET_WANT_: whose last call returned DUET_AGAIN */
    unsigned vain;    /* waits for what did not */
};

static int
dribbled(struct dribble *d, unsigned want, int result)
{
    d->blocked = result == DUET_AGAIN ? d->blocked | want : d->blocked & ~want;
    return result;
}

static int
dribble_read(void *context, uint8_t *buffer, size_t size, size_t *bytes)
{
    struct dribble *d = context;
    size_t n = size < 1 + d->turn % 3 ? size : 1 + d->turn % 3;

    if (d->turn++ % 5 == 4)
        return dribbled(d, DUET_WANT_READ, DUET_AGAIN);
    ssize_t result = recv(d->fd, buffer, n, MSG_DONTWAIT);
    *bytes = result > 0 ? (size_t)result : 0;
    if (result == 0)
        return DUET_CLOSED;
    return dribbled(d, DUET_WANT_READ, result > 0 ? DUET_OK : DUET_AGAIN);
}

static int
dribble_write(void *context, const uint8_t *buffer, size_t size, size_t *bytes)
{
    struct dribble *d = context;
    size_t n = size < 1 + d->turn % 7 ? size : 1 + d->turn % 7;

    if (d->turn++ % 5 == 4)
        return dribbled(d, DUET_WANT_WRITE, DUET_AGAIN);
    ssize_t result = send(d->fd, buffer, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    *bytes = result > 0 ? (size_t)result : 0;
    return dribbled(d, DUET_WANT_WRITE, result > 0 ? DUET_OK : DUET_AGAIN);
}

static int
dribble_wait(void *context, unsigned want, int timeout_ms)
{
    struct dribble *d = context;

    d->vain += (want & ~d->blocked) != 0;
    return wait_fd(d->fd, want, timeout_ms);
}

/* ---- TLS ---- */

struct tls {
    SSL *ssl;
    int fd;
    unsigned wants; /* what libssl waits for, whatever it was asked */
};

/** What libssl said, as a result; wants remembers what it waits for. */
static int
tls_result(struct tls *tls, int result, size_t *bytes)
{
    *bytes = result > 0 ? (size_t)result : 0;
    if (result > 0)
        return DUET_OK;
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        tls->wants = DUET_WANT_READ;
        return DUET_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        tls->wants = DUET_WANT_WRITE;
        return DUET_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return DUET_CLOSED;
    default:
        return DUET_E_IO;
    }
}

static int
tls_read(void *context, uint8_t *buffer, size_t size, size_t *bytes)
{
    struct tls *tls = context;
    return tls_result(tls, SSL_read(tls->ssl, buffer, (int)size), bytes);
}

static int
tls_write(void *context, const uint8_t *buffer, size_t size, size_t *bytes)
{
    struct tls *tls = context;
    return tls_result(tls, SSL_write(tls->ssl, buffer, (int)size), bytes);
}

static int
tls_wait(void *context, unsigned want, int timeout_ms)
{
    struct tls *tls = context;

    /* Nothing is pending in libssl: SSL_read() was asked first. */
    return wait_fd(tls->fd, want | tls->wants, timeout_ms);
}

/** Both ends of TLS on a socket pair, without certificates: TLS is only the carrier here. */
static void
open_tls(struct tls ends[2], SSL_CTX **context)
{
    int fds[2];
    int done = 0;

    *context = SSL_CTX_new(TLS_method());
    assert_non_null(*context);
    SSL_CTX_set_max_proto_version(*context, TLS1_2_VERSION);
    SSL_CTX_set_security_level(*context, 0);
    assert_int_equal(SSL_CTX_set_cipher_list(*context, "ADH-AES256-GCM-SHA384:@SECLEVEL=0"), 1);
    SSL_CTX_set_dh_auto(*context, 1);
    SSL_CTX_set_mode(*context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    for (int i = 0; i < 2; i++) {
        ends[i] = (struct tls){.ssl = SSL_new(*context), .fd = fds[i]};
        assert_int_equal(SSL_set_fd(ends[i].ssl, fds[i]), 1);
    }
    for (int turn = 0; turn < 100 && done != 3; turn++) {
        done |= SSL_connect(ends[0].ssl) == 1 ? 1 : 0;
        done |= SSL_accept(ends[1].ssl) == 1 ? 2 : 0;
    }
    assert_int_equal(done, 3);
}

/* ---- What each end does ---- */

static void *
converse(void *argument)
{
    struct end *end = argument;
    duet_exchange_io io = {.data = sent, .size = SIZE, .buffer = end->got, .room = SIZE};
    duet_channel *channel;
    size_t n;

    end->result =
        duet_channel_open_stream(&channel, end->config, end->replay, end->role, &end->stream);
    if (end->result == DUET_OK)
        end->result = duet_channel_exchange(channel, &io, 60000);
    if (end->result == DUET_OK)
        end->result = duet_channel_close(channel, 10000);
    if (end->result == DUET_OK &&
        duet_channel_recv(channel, end->got, 1, &n, 1, 10000) != DUET_CLOSED)
        end->result = DUET_E_PROTOCOL;
    duet_channel_free(channel);
    return NULL;
}

static void
run(const duet_stream streams[2])
{
    struct end ends[2];
    pthread_t thread;
    duet_config *config = ends_config();
    duet_replay *replay = duet_replay_new(16);

    sent = malloc(SIZE);
    got = malloc((size_t)2 * SIZE);
    assert_true(sent != NULL && got != NULL && replay != NULL);
    ends_fill(sent, SIZE, 5);
    for (int i = 0; i < 2; i++)
        ends[i] = (struct end){.config = config,
                               .replay = i == DUET_BOTTOM ? replay : NULL, /* TOP's own nonce */
                               .stream = streams[i],
                               .role = (enum duet_role)i,
                               .got = got + (size_t)i * SIZE};
    assert_int_equal(pthread_create(&thread, NULL, converse, &ends[1]), 0);
    converse(&ends[0]);
    pthread_join(thread, NULL);
    assert_int_equal(ends[0].result, DUET_OK);
    assert_int_equal(ends[1].result, DUET_OK);
    assert_memory_equal(ends[0].got, sent, SIZE);
    assert_memory_equal(ends[1].got, sent, SIZE);
    free(sent);
    free(got);
    duet_replay_free(replay);
    duet_config_free(config);
}

static void
byte_by_byte(void **state)
{
    struct dribble ends[2] = {{0}};
    duet_stream streams[2];
    int fds[2];

    (void)state;
    /* Not a socketpair: of pieces so small it holds a kilobyte, and both ends close at once. */
    ends_sockets(ENDS_TCP, &fds[0], &fds[1]);
    for (int i = 0; i < 2; i++) {
        ends[i].fd = fds[i];
        streams[i] = (duet_stream){&ends[i], dribble_read, dribble_write, dribble_wait};
    }
    run(streams);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ends[i].vain, 0);
        close(fds[i]);
    }
}

static void
inside_tls(void **state)
{
    struct tls ends[2];
    duet_stream streams[2];
    SSL_CTX *context;

    (void)state;
    open_tls(ends, &context);
    for (int i = 0; i < 2; i++)
        streams[i] = (duet_stream){&ends[i], tls_read, tls_write, tls_wait};
    run(streams);
    for (int i = 0; i < 2; i++) {
        SSL_free(ends[i].ssl);
        close(ends[i].fd);
    }
    SSL_CTX_free(context);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(inside_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
