/*
 * X25519 (RFC 7748) by libcrypto.
 */
#ifndef DUET_CRYPTO_X25519_H
#define DUET_CRYPTO_X25519_H

#include <stdint.h>

/** Prepare; called once, before any other call. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__x25519_init(void);

/** The public key of a private one. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__x25519_public(uint8_t out[32], const uint8_t private_key[32]);

/** A key pair, 32 bytes each. */
struct duet__x25519_pair {
    const uint8_t *private_key, *public_key;
};

/** 1 when a public key is in the one form that X25519 gives. It accepts others too (RFC 7748 §5:
 * the last bit is ignored, values over the prime are reduced), so one identity would have several
 * names. The time depends on the key. */
int duet__x25519_in_form(const uint8_t key[32]);

/** The shared secret. Returns DUET_OK; with out wiped DUET_E_PROTOCOL when it is all zeros (a
 * public key of small order, RFC 7748 §6.1), DUET_E_CRYPTO. */
int duet__x25519(uint8_t out[32], const struct duet__x25519_pair *mine,
                 const uint8_t their_key[32]);

#endif
