/*
 * HKDF with SHA-256 (RFC 5869), and the two shapes in which the protocol uses it; a secret's id.
 */
#ifndef DUET_CRYPTO_HKDF_H
#define DUET_CRYPTO_HKDF_H

#include "crypto/sha256.h"

#include <duet/secret.h>

/** Bytes as the input of a derivation. */
struct duet__bytes {
    const void *data;
    size_t size;
};

#define DUET__NO_BYTES ((struct duet__bytes){NULL, 0})

/** RFC 5869 §2.2: prk = HMAC(salt, ikm). */
void duet__hkdf_extract(uint8_t prk[DUET__DIGEST], struct duet__bytes salt, struct duet__bytes ikm);

/** RFC 5869 §2.3: n bytes, at most 255 * 32, from prk and info ‖ more. */
void duet__hkdf_expand(const uint8_t prk[DUET__DIGEST], struct duet__bytes info,
                       struct duet__bytes more, uint8_t *out, size_t n);

/** The same with the prk hashed already, for a prk that serves many derivations. */
void duet__hkdf_expand_by(const struct duet__hmac_key *key, struct duet__bytes info,
                          struct duet__bytes more, uint8_t *out, size_t n);

/** info(x) = "duet/1 " ‖ x ‖ 0x00 ‖ D, docs/protocol.md §2. */
struct duet__info {
    uint8_t bytes[64];
    size_t size;
};
struct duet__info duet__info(const char *x, const uint8_t label_digest[DUET__DIGEST]);

/** Expand(prk, info(x), n). */
void duet__derive(const uint8_t prk[DUET__DIGEST], const struct duet__info *info, uint8_t *out,
                  size_t n);

/** A secret's id, the first bytes of SHA-256("duet/1 id" ‖ W): docs/protocol.md "Strings". */
void duet__secret_id(uint8_t id[DUET_SECRET_ID_SIZE], const uint8_t *bytes, size_t size);

#endif
