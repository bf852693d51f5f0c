/*
 * A channel over TLS: OpenSSL carries the bytes, duet_stream is the seam.
 *   tls_below secret.key certificate.pem key.pem listen 4000
 *   tls_below secret.key - - connect localhost 4000
 * Who the peer is, duet proves; the certificate is not checked here, TLS is the wrapping alone.
 */
#include "tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 30000 };

struct tls {
    SSL *ssl;
    int fd;
    short read_waits, write_waits; /* what poll() must see before SSL_read(), SSL_write() go on */
};

/** What duet must be told of a call of OpenSSL that did not succeed. */
static int
tls_result(struct tls *tls, int returned, short *waits, int at_the_end)
{
    switch (SSL_get_error(tls->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        *waits = POLLIN;
        return DUET_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        *waits = POLLOUT;
        return DUET_AGAIN;
    default: /* duet itself knows whether the end was the peer's: a cut one is DUET_E_TRUNCATED */
        return at_the_end;
    }
}

static int
tls_read(void *context, uint8_t *buffer, size_t size, size_t *got)
{
    struct tls *tls = context;
    int returned = SSL_read_ex(tls->ssl, buffer, size, got);

    return returned == 1 ? DUET_OK : tls_result(tls, returned, &tls->read_waits, DUET_CLOSED);
}

static int
tls_write(void *context, const uint8_t *buffer, size_t size, size_t *put)
{
    struct tls *tls = context;
    int returned = SSL_write_ex(tls->ssl, buffer, size, put);

    return returned == 1 ? DUET_OK : tls_result(tls, returned, &tls->write_waits, DUET_E_TRUNCATED);
}

static int
tls_wait(void *context, unsigned want, int timeout_ms)
{
    struct tls *tls = context;
    struct pollfd one = {.fd = tls->fd};

    if (want & DUET_WANT_READ)
        one.events |= tls->read_waits;
    if (want & DUET_WANT_WRITE)
        one.events |= tls->write_waits;
    if (poll(&one, 1, timeout_ms) >= 0)
        return DUET_OK;
    return errno == EINTR ? DUET_AGAIN : DUET_E_IO; /* a signal ends the call that waits */
}

/** TLS on a socket, up to the end of its handshake. Returns 0 on failure. */
static int
tls_open(struct tls *tls, SSL_CTX *context, enum duet_role role)
{
    int done = 0;

    /* duet may write the rest of a buffer from elsewhere, and in parts. */
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    tls->ssl = SSL_new(context);
    if (tls->ssl != NULL && SSL_set_fd(tls->ssl, tls->fd) == 1)
        done = role == DUET_TOP ? SSL_connect(tls->ssl) : SSL_accept(tls->ssl);
    return done == 1 && fcntl(tls->fd, F_SETFL, O_NONBLOCK) == 0;
}

/** Greet, and print the peer's greeting. */
static int
greet(duet_channel *channel, const char *greeting)
{
    char line[100];
    size_t count;
    int result = duet_channel_send(channel, greeting, strlen(greeting), &count, WAIT_MS);

    if (result == DUET_OK)
        result = duet_channel_recv(channel, line, sizeof line, &count, 1, WAIT_MS);
    if (result == DUET_OK)
        printf("%.*s\n", (int)count, line);
    return result == DUET_OK ? duet_channel_close(channel, WAIT_MS) : result;
}

static int
run(const duet_config *config, SSL_CTX *context, char **words)
{
    struct tls tls = {NULL, -1, POLLIN, POLLOUT};
    const duet_stream stream = {&tls, tls_read, tls_write, tls_wait};
    duet_opening opening = {.size = sizeof opening, .config = config, .stream = &stream};
    duet_replay *replay = duet_replay_new(DUET_REPLAY_DEFAULT);
    duet_channel *channel = NULL;
    int result = DUET_E_IO;

    tls.fd = tcp_from_words(words, &opening.role);
    opening.replay = replay;
    if (tls.fd >= 0 && tls_open(&tls, context, opening.role))
        result = duet_channel_open_with(&channel, &opening);
    if (result == DUET_OK)
        result = greet(channel, opening.role == DUET_TOP ? "hello from TOP" : "hello from BOTTOM");
    if (result != DUET_OK)
        fprintf(stderr, "tls_below: %s. %s\n", duet_explain(result)->sentence,
                channel != NULL ? duet_channel_detail(channel) : "");
    if (result == DUET_E_UNAUTHENTICATED || result == DUET_E_UNTRUSTED)
        (void)!duet_channel_silence(channel, -1);
    duet_channel_free(channel); /* before what carries it */
    if (result == DUET_OK)
        SSL_shutdown(tls.ssl);
    SSL_free(tls.ssl);
    duet_replay_free(replay);
    if (tls.fd >= 0)
        close(tls.fd);
    return result == DUET_OK ? 0 : 1;
}

int
main(int argc, char **argv)
{
    duet_config *config = NULL;
    duet_where where;
    SSL_CTX *context;
    int code = 1;

    if (argc < 6)
        return fputs("usage: tls_below SECRET CERTIFICATE KEY listen PORT | connect HOST PORT\n",
                     stderr),
               2;
    if (duet_config_load(&config, argv[1], &where) != DUET_OK)
        return fprintf(stderr, "%s: %s\n", argv[1], where.reason), 1;
    signal(SIGPIPE, SIG_IGN); /* duet raises none, OpenSSL's writes do */
    context = SSL_CTX_new(TLS_method());
    if (context != NULL && (strcmp(argv[2], "-") == 0 ||
                            (SSL_CTX_use_certificate_chain_file(context, argv[2]) == 1 &&
                             SSL_CTX_use_PrivateKey_file(context, argv[3], SSL_FILETYPE_PEM) == 1)))
        code = run(config, context, argv + 4);
    else
        fprintf(stderr, "%s, %s: not a certificate and its key\n", argv[2], argv[3]);
    SSL_CTX_free(context);
    duet_config_free(config);
    return code;
}
