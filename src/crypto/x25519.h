/*
 * X25519 (RFC 7748) by libcrypto.
 */
#ifndef DUET_CRYPTO_X25519_H
#define DUET_CRYPTO_X25519_H

#include <stdint.h>

/** What every other call needs; called once. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__x25519_init(void);

/** The public key of a private one. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__x25519_public(uint8_t out[32], const uint8_t private_key[32]);

/** A key pair, 32 octets each. */
struct duet__x25519_pair {
    const uint8_t *private_key, *public_key;
};

/**
 * The shared secret. Returns DUET_OK; DUET_E_PROTOCOL when it is all zeros (a public key of small
 * order, RFC 7748 §6.1); DUET_E_CRYPTO.
 */
int duet__x25519(uint8_t out[32], const struct duet__x25519_pair *mine,
                 const uint8_t their_key[32]);

#endif
