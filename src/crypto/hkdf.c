/*
 * HKDF (RFC 5869), and info() and a secret's id of docs/protocol.md §2.
 */
#include "crypto/hkdf.h"

#include "wire/wire.h"

#include <string.h>

void
duet__hkdf_extract(uint8_t prk[DUET__DIGEST], struct duet__bytes salt, struct duet__bytes ikm)
{
    struct duet__hmac_key key;
    struct duet__hmac mac;
    duet__hmac_set_key(&key, salt.data, salt.size);
    duet__hmac_begin(&mac, &key);
    duet__hmac_update(&mac, ikm.data, ikm.size);
    duet__hmac_end(&mac, prk);
    duet_wipe(&key, sizeof key);
}

/** T(i) ‖ info ‖ more ‖ i, padded for HMAC. From one block of output to the next only T and i
 * change, so the message is laid out once. */
struct laid {
    uint8_t groups[3 * DUET__HASH_GROUP];
    size_t count; /* groups; 0: the message is too long for them */
    size_t number_at;
};

static void
lay_out(struct laid *laid, struct duet__bytes info, struct duet__bytes more)
{
    laid->count = 0;
    if (info.size > sizeof laid->groups || more.size > sizeof laid->groups)
        return;
    laid->number_at = DUET__DIGEST + info.size + more.size;
    if (duet__hmac_groups(laid->number_at + 1) * DUET__HASH_GROUP > sizeof laid->groups)
        return;
    laid->count = duet__hmac_groups(laid->number_at + 1);
    if (info.size > 0)
        memcpy(laid->groups + DUET__DIGEST, info.data, info.size);
    if (more.size > 0)
        memcpy(laid->groups + DUET__DIGEST + info.size, more.data, more.size);
    duet__hmac_pad(laid->groups, laid->number_at + 1);
}

/** Compute the i-th block of the output from the one before, in its place. */
static void
expand_block(const struct duet__hmac_key *key, struct laid *laid, uint8_t i,
             uint8_t block[DUET__DIGEST])
{
    memcpy(laid->groups, block, DUET__DIGEST);
    laid->groups[laid->number_at] = i;
    duet__hmac_padded(key, laid->groups, laid->count, block);
}

void
duet__hkdf_expand_by(const struct duet__hmac_key *key, struct duet__bytes info,
                     struct duet__bytes more, uint8_t *out, size_t n)
{
    struct laid laid;
    struct duet__hmac mac;
    uint8_t block[DUET__DIGEST];

    laid.count = 0;
    if (n > DUET__DIGEST)
        lay_out(&laid, info, more);
    for (uint8_t i = 1; n > 0; i++) {
        if (i > 1 && laid.count > 0) {
            expand_block(key, &laid, i, block);
        } else {
            duet__hmac_begin(&mac, key);
            if (i > 1)
                duet__hmac_update(&mac, block, sizeof block);
            duet__hmac_update(&mac, info.data, info.size);
            duet__hmac_update(&mac, more.data, more.size);
            duet__hmac_update(&mac, &i, 1);
            duet__hmac_end(&mac, block);
        }
        size_t part = n < sizeof block ? n : sizeof block;
        memcpy(out, block, part);
        out += part;
        n -= part;
    }
    duet_wipe(block, sizeof block);
    duet_wipe(laid.groups, laid.count * DUET__HASH_GROUP);
}

void
duet__hkdf_expand(const uint8_t prk[DUET__DIGEST], struct duet__bytes info, struct duet__bytes more,
                  uint8_t *out, size_t n)
{
    struct duet__hmac_key key;

    duet__hmac_set_key(&key, prk, DUET__DIGEST);
    duet__hkdf_expand_by(&key, info, more, out, n);
    duet_wipe(&key, sizeof key);
}

/* §2 info */
struct duet__info
duet__info(const char *x, const uint8_t label_digest[DUET__DIGEST])
{
    struct duet__info info = {.size = 0};
    size_t size = strlen(x); /* one of ours, 10 at most */

    memcpy(info.bytes, WIRE_VERSION_TEXT " ", 7);
    memcpy(info.bytes + 7, x, size + 1); /* its final NUL is the 0x00 */
    memcpy(info.bytes + 8 + size, label_digest, DUET__DIGEST);
    info.size = 8 + size + DUET__DIGEST;
    return info;
}

void
duet__derive(const uint8_t prk[DUET__DIGEST], const struct duet__info *info, uint8_t *out, size_t n)
{
    duet__hkdf_expand(prk, (struct duet__bytes){info->bytes, info->size}, DUET__NO_BYTES, out, n);
}

void
duet__secret_id(uint8_t id[DUET_SECRET_ID_SIZE], const uint8_t *bytes, size_t size)
{
    static const char prefix[] = WIRE_VERSION_TEXT " id";
    struct duet__sha256 hash;
    uint32_t chain[8];
    uint8_t digest[DUET__DIGEST];

    duet__sha256_begin(&hash, duet__sha256_initial);
    duet__sha256_update(&hash, prefix, sizeof prefix - 1);
    duet__sha256_update(&hash, bytes, size);
    duet__sha256_end(&hash, chain);
    duet__chain_store(digest, chain);
    memcpy(id, digest, DUET_SECRET_ID_SIZE);
}
