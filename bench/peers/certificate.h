/*
 * A certificate of its own signature with an ECDSA P-256 key, for the peers that speak TLS: both
 * ends show it, and both trust it alone, which is the cheapest that TLS can do with certificates.
 */
#ifndef BENCH_PEERS_CERTIFICATE_H
#define BENCH_PEERS_CERTIFICATE_H

#include <openssl/x509.h>

struct bench_certificate {
    EVP_PKEY *key;
    X509 *certificate;
};

/** The certificate, made once. NULL: libcrypto failed. */
const struct bench_certificate *bench_certificate(void);

#endif
