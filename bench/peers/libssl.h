/*
 * What the libssl peers and carriers share: contexts, made once for each variety.
 */
#ifndef BENCH_PEERS_LIBSSL_H
#define BENCH_PEERS_LIBSSL_H

#include <openssl/ssl.h>

/** A variety of TLS 1.3. */
struct bench_libssl {
    const char *suite;
    int psk;    /* 1: a pre-shared key (psk_dhe_ke); 0: P-256 certificates on both sides */
    int lean;   /* 1: idle buffers are released */
    int hybrid; /* 1: the key exchange is X25519MLKEM768, which OpenSSL 3.5 or newer has; 0: X25519 */
};

extern const struct bench_libssl bench_libssl_aes256;

/** A new end, its context made once for each variety. NULL: failed. */
SSL *bench_libssl_end(const struct bench_libssl *variety, int server);

#endif
