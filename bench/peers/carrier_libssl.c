/*
 * OpenSSL as a carrier: TLS 1.3 on the socket, certificates on both sides.
 */
#include "bench/peers/carrier.h"
#include "bench/peers/certificate.h"
#include "bench/peers/libssl.h"

static int
prepare(void)
{
    return bench_certificate() != NULL ? 0 : -1;
}

static void
close_end(void *end)
{
    SSL_free(end);
}

static void *
open_end(const struct carrier *carrier, int fd, int far)
{
    SSL *ssl = bench_libssl_end(carrier->variety, far);
    if (ssl == NULL)
        return NULL;
    if (SSL_set_fd(ssl, fd) && SSL_do_handshake(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

static int
send_each(void *end, const uint8_t *data, size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t put;
        if (!SSL_write_ex(end, data + i * size, size, &put) || put != size)
            return -1;
    }
    return 0;
}

static int
receive(void *end, uint8_t *buffer, size_t size, size_t least, size_t *got)
{
    for (*got = 0; *got < least;) {
        size_t put;
        if (!SSL_read_ex(end, buffer + *got, size - *got, &put))
            return -1;
        *got += put;
    }
    return 0;
}

const struct carrier carrier_libssl = {
    .name = "libssl",
    .variety = &bench_libssl_aes256,
    .prepare = prepare,
    .open = open_end,
    .send = send_each,
    .recv = receive,
    .close = close_end,
};
