/*
 * Key files under a passphrase: the text of a secret or an identity, encrypted (docs/protocol.md
 * "Sealed key files").
 */
#ifndef DUET_SECRET_SEALED_H
#define DUET_SECRET_SEALED_H

#include "crypto/hkdf.h"
#include "crypto/scrypt.h"

enum { DUET__SALT = 16 }; /* bytes, drawn anew for each sealed text */

/** A text, owned; no final NUL. */
struct duet__owned_text {
    char *text;
    size_t size;
};

/** Wipe and free. */
void duet__owned_text_free(struct duet__owned_text *text);

/**
 * Seal a text. salt: DUET__SALT random bytes; work: DUET__WORK_LEAST to DUET__WORK_MOST.
 *
 * Returns DUET_OK; with an empty result DUET_E_MEMORY, DUET_E_CRYPTO, DUET_E_LENGTH (no passphrase,
 * or a text of over 128 KiB).
 */
int duet__sealed_make(struct duet__owned_text *sealed, struct duet__bytes text,
                      struct duet__bytes passphrase, const uint8_t salt[DUET__SALT], unsigned work);

/**
 * Open a sealed text.
 *
 * Returns DUET_OK; with an empty result DUET_E_FORMAT (see where), DUET_E_FORGED (another
 * passphrase, or a damaged text), DUET_E_MEMORY, DUET_E_CRYPTO.
 */
int duet__sealed_open(struct duet__owned_text *text, struct duet__bytes sealed,
                      struct duet__bytes passphrase, duet_where *where);

#endif
