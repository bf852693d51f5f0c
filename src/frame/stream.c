/*
 * A frame as one run of octets: groups, the unfinished group, the hash's padding, the counters.
 */
#include "frame/stream.h"

#include "base/octets.h"

#include <string.h>

/* The counter block that octet `at` of this frame lies in. */
static void
block_at(const struct duet__dir *d, uint64_t at, uint8_t block[WIRE_BLOCK])
{
    memcpy(block, d->block, WIRE_BLOCK);
    duet__add128(block, at / WIRE_BLOCK);
}

/* Keystream of the group that octet `at` begins. */
static int
keystream(const struct duet__dir *d, uint64_t at, uint8_t out[WIRE_GROUP])
{
    uint8_t block[WIRE_BLOCK];
    block_at(d, at, block);
    return duet__kernel()->keystream(&d->key, block, out) == 0 ? DUET_OK : DUET_E_CRYPTO;
}

void
duet__stream_begin(struct duet__dir *d)
{
    d->at = 0;
    d->state = DUET__DIR_IN_FRAME;
}

static int
run_groups(struct duet__dir *d, uint8_t *out, const uint8_t *in, size_t groups, enum duet__way way)
{
    const struct duet__kernel *kernel = duet__kernel();
    uint8_t block[WIRE_BLOCK];
    block_at(d, d->at, block);
    struct duet__run run = {&d->key, block, d->chain, out, in, groups};
    int failed = way == DUET__SEALING ? kernel->seal(&run) : kernel->open(&run);
    d->at += (uint64_t)groups * WIRE_GROUP;
    return failed ? DUET_E_CRYPTO : DUET_OK;
}

/* Part of a group: what was keystream in d->group becomes plaintext. */
static void
run_part(struct duet__dir *d, uint8_t *out, const uint8_t *in, size_t n, enum duet__way way)
{
    uint8_t *group = d->group + d->at % WIRE_GROUP;
    for (size_t i = 0; i < n; i++) {
        uint8_t from = in[i];
        uint8_t to = from ^ group[i];
        out[i] = to;
        group[i] = way == DUET__SEALING ? from : to;
    }
    d->at += n;
    if (d->at % WIRE_GROUP == 0)
        duet__kernel()->compress(d->chain, d->group, 1);
}

int
duet__stream_run(struct duet__dir *d, uint8_t *out, const uint8_t *in, size_t n, enum duet__way way)
{
    while (n > 0) {
        size_t fill = d->at % WIRE_GROUP;
        size_t part = n;
        int result = DUET_OK;
        if (fill == 0 && n >= WIRE_GROUP) {
            part = n - n % WIRE_GROUP;
            result = run_groups(d, out, in, part / WIRE_GROUP, way);
        } else {
            if (fill == 0)
                result = keystream(d, d->at, d->group);
            if (part > WIRE_GROUP - fill)
                part = WIRE_GROUP - fill;
            run_part(d, out, in, part, way);
        }
        if (result != DUET_OK)
            return result;
        out += part;
        in += part;
        n -= part;
    }
    return DUET_OK;
}

/* The keystream over the MAC, which may begin, cross or end a group. */
static int
mac_pad(struct duet__dir *d, uint64_t end, uint8_t pad[DUET_MAC_SIZE])
{
    size_t fill = end % WIRE_GROUP;
    size_t first = WIRE_GROUP - fill < DUET_MAC_SIZE ? WIRE_GROUP - fill : DUET_MAC_SIZE;
    uint8_t next[WIRE_GROUP];
    int result = DUET_OK;

    if (fill == 0)
        result = keystream(d, end, d->group);
    if (result != DUET_OK)
        return result;
    memcpy(pad, d->group + fill, first);
    if (first < DUET_MAC_SIZE) {
        result = keystream(d, end + first, next);
        memcpy(pad + first, next, DUET_MAC_SIZE - first);
        duet_wipe(next, sizeof next);
    }
    return result;
}

/* FIPS 180-4 §5.1.1, with the bit count of this frame alone (§1 "MAC") */
static void
end_hash(struct duet__dir *d, uint64_t size)
{
    size_t fill = size % WIRE_GROUP;
    uint8_t *group = d->group;
    group[fill] = 0x80;
    memset(group + fill + 1, 0, WIRE_GROUP - fill - 1);
    if (fill + 9 > WIRE_GROUP) {
        duet__kernel()->compress(d->chain, group, 1);
        memset(group, 0, WIRE_GROUP);
    }
    duet__store64(group + WIRE_GROUP - 8, size * 8);
    duet__kernel()->compress(d->chain, group, 1);
}

int
duet__stream_end(struct duet__dir *d, uint8_t mac[DUET_MAC_SIZE], uint8_t pad[DUET_MAC_SIZE])
{
    uint64_t size = DUET_HEADER_SIZE + (uint64_t)d->length;
    uint64_t blocks = (size + DUET_MAC_SIZE + WIRE_BLOCK - 1) / WIRE_BLOCK;
    int result = mac_pad(d, size, pad);
    if (result != DUET_OK)
        return result;

    end_hash(d, size);
    duet__store32(mac, d->chain[0]);
    duet__store32(mac + 4, d->chain[1]);
    duet__add128(d->block, blocks);
    d->blocks += blocks;
    d->frames++;
    d->seq++;
    d->state = DUET__DIR_IDLE;
    duet_wipe(d->group, sizeof d->group);
    return DUET_OK;
}
