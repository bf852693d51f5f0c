/*
 * ML-KEM-768 (FIPS 203) by libcrypto 3.5 or newer, its randomness brought by the caller.
 *
 * An older libcrypto has none: duet__mlkem_available() is then 0, and no other call is made.
 */
#ifndef DUET_CRYPTO_MLKEM_H
#define DUET_CRYPTO_MLKEM_H

#include <stdint.h>

enum {
    DUET__MLKEM_KEY = 1184, /* bytes of an encapsulation key */
    DUET__MLKEM_TEXT = 1088 /* bytes of a ciphertext */
};
enum {
    DUET__MLKEM_SEED = 64,  /* d ‖ z, which make a key pair */
    DUET__MLKEM_DRAW = 32,  /* m, which makes a ciphertext */
    DUET__MLKEM_SHARED = 32 /* bytes of a shared secret */
};

/** A decapsulation key. */
struct duet__mlkem;

/** Look for ML-KEM-768 in libcrypto; called once, before any other call. */
void duet__mlkem_init(void);

/** 1 where libcrypto has ML-KEM-768. */
int duet__mlkem_available(void);

/** Make a key pair of seed: *pair, to be freed by duet__mlkem_free(), and the encapsulation key.
 * Returns DUET_OK; with *pair NULL DUET_E_CRYPTO. */
int duet__mlkem_generate(struct duet__mlkem **pair, uint8_t key[DUET__MLKEM_KEY],
                         const uint8_t seed[DUET__MLKEM_SEED]);

/** Make a shared secret and its ciphertext for an encapsulation key. Returns DUET_OK; with shared
 * wiped DUET_E_PROTOCOL (the key fails the check of FIPS 203 §7.2), DUET_E_CRYPTO. */
int duet__mlkem_encapsulate(uint8_t text[DUET__MLKEM_TEXT], uint8_t shared[DUET__MLKEM_SHARED],
                            const uint8_t key[DUET__MLKEM_KEY],
                            const uint8_t draw[DUET__MLKEM_DRAW]);

/** The shared secret of a ciphertext; one that was not made for this key gives another secret, not
 * an error. Returns DUET_OK; with shared wiped DUET_E_CRYPTO. */
int duet__mlkem_decapsulate(uint8_t shared[DUET__MLKEM_SHARED], struct duet__mlkem *pair,
                            const uint8_t text[DUET__MLKEM_TEXT]);

/** Wipe and free; NULL is accepted. */
void duet__mlkem_free(struct duet__mlkem *pair);

#endif
