/*
 * A self-signed certificate with an ECDSA P-256 key, for the TLS peers: both ends present it and
 * trust it alone, which is the cheapest use of certificates in TLS.
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
