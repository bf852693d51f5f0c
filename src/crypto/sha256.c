/*
 * SHA-256 and HMAC on the kernel's compression: buffering and padding, nothing else.
 */
#include "crypto/sha256.h"

#include "base/bytes.h"
#include "base/wipe.h"
#include "kernel/kernel.h"

#include <duet/secret.h>
#include <string.h>

enum { GROUP = DUET__HASH_GROUP, COUNT_AT = GROUP - 8 };

const uint32_t duet__sha256_initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

void
duet__sha256_begin(struct duet__sha256 *hash, const uint32_t chain[8])
{
    memcpy(hash->chain, chain, sizeof hash->chain);
    hash->size = 0;
}

void
duet__sha256_update(struct duet__sha256 *hash, const void *data, size_t size)
{
    const uint8_t *in = data;
    size_t fill = hash->size % GROUP;
    hash->size += size;
    if (fill > 0) {
        size_t part = size < GROUP - fill ? size : GROUP - fill;
        if (part > 0)
            memcpy(hash->buffer + fill, in, part);
        if (fill + part < GROUP)
            return;
        duet__kernel()->compress(hash->chain, hash->buffer, 1);
        in += part;
        size -= part;
    }
    duet__kernel()->compress(hash->chain, in, size / GROUP);
    if (size % GROUP > 0)
        memcpy(hash->buffer, in + (size - size % GROUP), size % GROUP);
}

void
duet__sha256_end(struct duet__sha256 *hash, uint32_t chain[8])
{
    size_t fill = hash->size % GROUP;

    hash->buffer[fill++] = 0x80;
    if (fill > COUNT_AT) { /* the 64-bit count does not fit after it */
        memset(hash->buffer + fill, 0, GROUP - fill);
        duet__kernel()->compress(hash->chain, hash->buffer, 1);
        fill = 0;
    }
    memset(hash->buffer + fill, 0, COUNT_AT - fill);
    duet__store64(hash->buffer + COUNT_AT, hash->size * 8);
    duet__kernel()->compress(hash->chain, hash->buffer, 1);
    memcpy(chain, hash->chain, sizeof hash->chain);
    duet_wipe(hash, sizeof *hash);
}

void
duet__sha256(uint8_t out[DUET__DIGEST], const void *data, size_t size)
{
    struct duet__sha256 hash;
    uint32_t chain[8];
    duet__sha256_begin(&hash, duet__sha256_initial);
    duet__sha256_update(&hash, data, size);
    duet__sha256_end(&hash, chain);
    duet__chain_store(out, chain);
    duet_wipe(chain, sizeof chain);
}

typedef uint32_t words __attribute__((vector_size(16)));

/* Stored four words at once: a kernel that reads them back as a vector would wait for words that
 * were stored one by one. */
void
duet__chain_store(uint8_t out[DUET__DIGEST], const uint32_t chain[8])
{
    for (size_t i = 0; i < 2; i++) {
        words x;
        memcpy(&x, chain + 4 * i, sizeof x);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        x = x << 24 | (x & 0xff00) << 8 | (x >> 8 & 0xff00) | x >> 24;
#endif
        memcpy(out + sizeof x * i, &x, sizeof x);
    }
}

void
duet__chain_load(uint32_t chain[8], const uint8_t in[DUET__DIGEST])
{
    for (size_t i = 0; i < 8; i++)
        chain[i] = duet__load32(in + 4 * i);
}

/* The chain after one group of the key xored with a constant, RFC 2104 §2. */
static void
absorb_key(uint32_t chain[8], const uint8_t key[GROUP], uint8_t constant)
{
    uint8_t pad[GROUP];
    for (size_t i = 0; i < GROUP; i++)
        pad[i] = key[i] ^ constant;
    memcpy(chain, duet__sha256_initial, sizeof duet__sha256_initial);
    duet__kernel()->compress(chain, pad, 1);
    duet_wipe(pad, sizeof pad);
}

void
duet__hmac_set_key(struct duet__hmac_key *key, const uint8_t *bytes, size_t size)
{
    uint8_t block[GROUP] = {0};
    if (size > GROUP)
        duet__sha256(block, bytes, size);
    else if (size > 0)
        memcpy(block, bytes, size);
    absorb_key(key->inner, block, 0x36);
    absorb_key(key->outer, block, 0x5c);
    duet_wipe(block, sizeof block);
}

void
duet__hmac_begin(struct duet__hmac *mac, const struct duet__hmac_key *key)
{
    duet__sha256_begin(&mac->hash, key->inner);
    mac->hash.size = GROUP; /* the padded key counts */
    memcpy(mac->outer, key->outer, sizeof mac->outer);
}

/* The outer hash is one group: a digest, 0x80 and the count, the padded key's group included. */
static void
end_outer(uint32_t outer[8], const uint32_t inner[8], uint8_t out[DUET__DIGEST])
{
    uint8_t group[GROUP] = {[DUET__DIGEST] = 0x80};

    duet__chain_store(group, inner);
    duet__store64(group + COUNT_AT, (uint64_t)(GROUP + DUET__DIGEST) * 8);
    duet__kernel()->compress(outer, group, 1);
    duet__chain_store(out, outer);
    duet_wipe(group, sizeof group);
    duet_wipe(outer, 8 * sizeof *outer);
}

void
duet__hmac_end(struct duet__hmac *mac, uint8_t out[DUET__DIGEST])
{
    uint32_t chain[8];

    duet__sha256_end(&mac->hash, chain);
    end_outer(mac->outer, chain, out);
    duet_wipe(chain, sizeof chain);
}

void
duet__hmac_pad(uint8_t *groups, size_t size)
{
    size_t count = duet__hmac_groups(size);

    groups[size] = 0x80;
    memset(groups + size + 1, 0, count * GROUP - size - 1);
    duet__store64(groups + count * GROUP - 8, (GROUP + (uint64_t)size) * 8);
}

void
duet__hmac_padded(const struct duet__hmac_key *key, const uint8_t *groups, size_t count,
                  uint8_t out[DUET__DIGEST])
{
    uint32_t inner[8], outer[8];

    memcpy(inner, key->inner, sizeof inner);
    memcpy(outer, key->outer, sizeof outer);
    duet__kernel()->compress(inner, groups, count);
    end_outer(outer, inner, out);
    duet_wipe(inner, sizeof inner);
}

/* ---- Two at once ---- */

static void
absorb_key2(uint32_t chain[2][8], uint8_t bytes[2][DUET__DIGEST], uint8_t constant)
{
    uint8_t pad[2][GROUP];

    memset(pad, constant, sizeof pad);
    for (size_t lane = 0; lane < 2; lane++) {
        for (size_t i = 0; i < DUET__DIGEST; i++)
            pad[lane][i] ^= bytes[lane][i];
        memcpy(chain[lane], duet__sha256_initial, sizeof duet__sha256_initial);
    }
    duet__kernel()->compress2(chain, (const uint8_t *const[2]){pad[0], pad[1]}, 1);
    duet__wipe_small(pad, sizeof pad);
}

void
duet__hmac_set_key2(struct duet__hmac_key key[2], uint8_t bytes[2][DUET__DIGEST])
{
    uint32_t chain[2][8];

    absorb_key2(chain, bytes, 0x36);
    for (size_t lane = 0; lane < 2; lane++)
        memcpy(key[lane].inner, chain[lane], sizeof chain[lane]);
    absorb_key2(chain, bytes, 0x5c);
    for (size_t lane = 0; lane < 2; lane++)
        memcpy(key[lane].outer, chain[lane], sizeof chain[lane]);
    duet__wipe_small(chain, sizeof chain);
}

void
duet__hmac_padded2(const struct duet__hmac_key *const key[2], const uint8_t *const groups[2],
                   size_t count, uint8_t out[2][DUET__DIGEST])
{
    uint8_t group[2][GROUP] = {{[DUET__DIGEST] = 0x80}, {[DUET__DIGEST] = 0x80}};
    uint32_t chain[2][8];

    for (size_t lane = 0; lane < 2; lane++)
        memcpy(chain[lane], key[lane]->inner, sizeof chain[lane]);
    duet__kernel()->compress2(chain, groups, count);
    for (size_t lane = 0; lane < 2; lane++) {
        duet__chain_store(group[lane], chain[lane]);
        duet__store64(group[lane] + COUNT_AT, (uint64_t)(GROUP + DUET__DIGEST) * 8);
        memcpy(chain[lane], key[lane]->outer, sizeof chain[lane]);
    }
    duet__kernel()->compress2(chain, (const uint8_t *const[2]){group[0], group[1]}, 1);
    for (size_t lane = 0; lane < 2; lane++)
        duet__chain_store(out[lane], chain[lane]);
    duet__wipe_small(group, sizeof group);
    duet__wipe_small(chain, sizeof chain);
}
