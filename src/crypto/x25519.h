/*
 * X25519 (RFC 7748) by libcrypto.
 */
#ifndef DUET_CRYPTO_X25519_H
#define DUET_CRYPTO_X25519_H

#include <stdint.h>

/** The public key of a private one. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__x25519_public(uint8_t out[32], const uint8_t private_key[32]);

/**
 * The shared secret. Returns DUET_OK; DUET_E_PROTOCOL when it is all zeros (a public key of small
 * order, RFC 7748 §6.1); DUET_E_CRYPTO.
 */
int duet__x25519(uint8_t out[32], const uint8_t private_key[32], const uint8_t public_key[32]);

#endif
