/*
 * SHA-256 (FIPS 180-4) and HMAC (RFC 2104) on the kernel's compression.
 *
 * Libcrypto's own interface costs more for each call than a whole derivation does here, and cannot
 * start a hash from a chain. None of these can fail; duet__init() must have succeeded.
 */
#ifndef DUET_CRYPTO_SHA256_H
#define DUET_CRYPTO_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { DUET__DIGEST = 32, DUET__HASH_GROUP = 64 };

/** The standard initial value, FIPS 180-4 §5.3.3. */
extern const uint32_t duet__sha256_initial[8];

struct duet__sha256 {
    uint32_t chain[8];
    uint64_t size;      /* bytes so far */
    uint8_t buffer[64]; /* the unfinished group, size % 64 bytes */
};

/** Begin from a chain as if at byte zero. */
void duet__sha256_begin(struct duet__sha256 *hash, const uint32_t chain[8]);
void duet__sha256_update(struct duet__sha256 *hash, const void *data, size_t size);
/** Pad and give the final chain as words; the hash is wiped. */
void duet__sha256_end(struct duet__sha256 *hash, uint32_t chain[8]);

/** SHA-256 of size bytes. */
void duet__sha256(uint8_t out[DUET__DIGEST], const void *data, size_t size);

/** Chain words as bytes, big-endian, and back. */
void duet__chain_store(uint8_t out[DUET__DIGEST], const uint32_t chain[8]);
void duet__chain_load(uint32_t chain[8], const uint8_t in[DUET__DIGEST]);

/** A key of HMAC-SHA256, already hashed: the two chains after the padded key. */
struct duet__hmac_key {
    uint32_t inner[8], outer[8];
};

struct duet__hmac {
    struct duet__sha256 hash;
    uint32_t outer[8];
};

void duet__hmac_set_key(struct duet__hmac_key *key, const uint8_t *bytes, size_t size);
void duet__hmac_begin(struct duet__hmac *mac, const struct duet__hmac_key *key);
static inline void
duet__hmac_update(struct duet__hmac *mac, const void *data, size_t size)
{
    duet__sha256_update(&mac->hash, data, size);
}
/** Give the MAC; everything in mac is wiped. */
void duet__hmac_end(struct duet__hmac *mac, uint8_t out[DUET__DIGEST]);

/** Groups that a message of size bytes takes with its padding. */
static inline size_t
duet__hmac_groups(size_t size)
{
    return (size + 1 + 8 + DUET__HASH_GROUP - 1) / DUET__HASH_GROUP;
}

/** Pad a message of size bytes that lies in so many groups. */
void duet__hmac_pad(uint8_t *groups, size_t size);

/** The MAC of a padded message, for one that is laid out once and changed a little each time. */
void duet__hmac_padded(const struct duet__hmac_key *key, const uint8_t *groups, size_t count,
                       uint8_t out[DUET__DIGEST]);

/** duet__hmac_set_key() for two keys of 32 bytes at once. */
void duet__hmac_set_key2(struct duet__hmac_key key[2], uint8_t bytes[2][DUET__DIGEST]);

/** duet__hmac_padded() for two keys at once; both messages have so many groups. */
void duet__hmac_padded2(const struct duet__hmac_key *const key[2], const uint8_t *const groups[2],
                        size_t count, uint8_t out[2][DUET__DIGEST]);

#endif
