/*
 * AES-256-GCM by libcrypto, with the nonce that Noise gives it (revision 34, §12.3).
 *
 * For handshake messages only; frames are sealed by frame/.
 */
#ifndef DUET_CRYPTO_AEAD_H
#define DUET_CRYPTO_AEAD_H

#include "crypto/hkdf.h"

enum { DUET__TAG = 16 }; /* bytes of the authentication tag */

struct duet__aead {
    const uint8_t *key;    /* 32 bytes */
    uint64_t n;            /* Noise's counter nonce */
    struct duet__bytes ad; /* associated data */
};

/** Fetch the cipher; called once. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__aead_init(void);

/** Encrypt size bytes; out takes DUET__TAG more and may be in. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__aead_encrypt(const struct duet__aead *with, uint8_t *out, const uint8_t *in, size_t size);

/**
 * Decrypt; size counts the tag, at least DUET__TAG; out takes size - DUET__TAG bytes and may be
 * in. Returns DUET_OK; DUET_E_FORGED with out wiped; DUET_E_CRYPTO.
 */
int duet__aead_decrypt(const struct duet__aead *with, uint8_t *out, const uint8_t *in, size_t size);

#endif
