/*
 * A frame as one run of bytes: groups, the unfinished group, the hash's padding, the counters.
 */
#include "frame/stream.h"

#include "base/bytes.h"
#include "base/wipe.h"

#include <string.h>

/* The counter block that byte `at` of this frame lies in. */
static void
block_at(const struct duet__cipher *d, uint64_t at, uint8_t block[WIRE_BLOCK])
{
    memcpy(block, d->block, WIRE_BLOCK);
    duet__add128(block, at / WIRE_BLOCK);
}

/* Keystream of the group that byte `at` begins. */
static int
keystream(const struct duet__cipher *d, uint64_t at, uint8_t out[WIRE_GROUP])
{
    uint8_t block[WIRE_BLOCK];
    block_at(d, at, block);
    return duet__kernel()->keystream(&d->key, block, out) == 0 ? DUET_OK : DUET_E_CRYPTO;
}

void
duet__stream_begin(struct duet__cipher *d)
{
    d->at = 0;
    d->state = DUET__CIPHER_IN_FRAME;
}

/* ---- The frame's bytes ---- */

static void
take(struct duet__flow *flow, size_t n)
{
    flow->out += n;
    flow->in += n;
    flow->n -= n;
    flow->d->at += n;
}

/* One step of run_part(): what was keystream in the group becomes plaintext. The widths: most of a
 * part is in the first, a header all of it. */
#define STEP(type, load, store)                                                                    \
    do {                                                                                           \
        type from = load(in + i);                                                                  \
        type to = from ^ load(group + i);                                                          \
        store(out + i, to);                                                                        \
        store(group + i, way == DUET__SEALING ? from : to);                                        \
        i += sizeof(type);                                                                         \
    } while (0)

static inline uint8_t
load8(const uint8_t *p)
{
    return *p;
}

static inline void
store8(uint8_t *p, unsigned v)
{
    *p = (uint8_t)v;
}

/* n bytes of the group that is begun; at most up to its end. */
static void
run_part(struct duet__flow *flow, size_t n, enum duet__way way)
{
    struct duet__cipher *d = flow->d;
    uint8_t *group = d->group + d->at % WIRE_GROUP;
    uint8_t *out = flow->out;
    const uint8_t *in = flow->in;
    size_t i = 0;

    while (n - i >= sizeof(duet__wide))
        STEP(duet__wide, duet__load_wide, duet__store_wide);
    while (n - i >= sizeof(uint64_t))
        STEP(uint64_t, duet__load64, duet__store64);
    while (n - i > 0)
        STEP(uint8_t, load8, store8);
    take(flow, n);
    if (d->at % WIRE_GROUP == 0)
        duet__kernel()->compress(d->chain, d->group, 1);
}

/* Up to the end of the group that is begun, if one is. */
static void
run_head(struct duet__flow *flow, enum duet__way way)
{
    size_t fill = flow->d->at % WIRE_GROUP;
    size_t n = WIRE_GROUP - fill;

    if (fill > 0 && flow->n > 0)
        run_part(flow, flow->n < n ? flow->n : n, way);
}

/* A group that ends later; all whole ones are done. */
static int
run_tail(struct duet__flow *flow, enum duet__way way)
{
    if (flow->n == 0)
        return DUET_OK;
    int result = keystream(flow->d, flow->d->at, flow->d->group);
    if (result == DUET_OK)
        run_part(flow, flow->n, way);
    return result;
}

static struct duet__run
groups_of(const struct duet__flow *flow, uint8_t block[WIRE_BLOCK])
{
    struct duet__run run = {&flow->d->key, block,    flow->d->chain,
                            flow->out,     flow->in, flow->n / WIRE_GROUP};
    block_at(flow->d, flow->d->at, block);
    return run;
}

/* The whole groups. */
static int
run_groups(struct duet__flow *flow, enum duet__way way)
{
    const struct duet__kernel *kernel = duet__kernel();
    uint8_t block[WIRE_BLOCK];
    struct duet__run run;

    if (flow->n < WIRE_GROUP)
        return DUET_OK;
    run = groups_of(flow, block);
    int failed = way == DUET__SEALING ? kernel->seal(&run) : kernel->open(&run);
    take(flow, run.groups * WIRE_GROUP);
    return failed ? DUET_E_CRYPTO : DUET_OK;
}

static int
run_groups2(struct duet__flow flow[2], enum duet__way way)
{
    const struct duet__kernel *kernel = duet__kernel();
    uint8_t block[2][WIRE_BLOCK];
    struct duet__run run[2];

    for (size_t i = 0; i < 2; i++)
        run[i] = groups_of(&flow[i], block[i]);
    int failed = way == DUET__SEALING ? kernel->seal2(run) : kernel->open2(run);
    for (size_t i = 0; i < 2; i++)
        take(&flow[i], run[i].groups * WIRE_GROUP);
    return failed ? DUET_E_CRYPTO : DUET_OK;
}

int
duet__stream_run(struct duet__flow *flow, enum duet__way way)
{
    run_head(flow, way);
    int result = run_groups(flow, way);
    return result == DUET_OK ? run_tail(flow, way) : result;
}

int
duet__stream_run2(struct duet__flow flow[2], enum duet__way way)
{
    run_head(&flow[0], way);
    run_head(&flow[1], way);
    int result = run_groups2(flow, way);
    if (result == DUET_OK)
        result = run_tail(&flow[0], way);
    return result == DUET_OK ? run_tail(&flow[1], way) : result;
}

/* ---- Its end ---- */

/* The keystream over the MAC, which may begin, cross or end a group. */
static int
mac_pad(struct duet__cipher *d, uint64_t end, uint8_t pad[DUET_MAC_SIZE])
{
    size_t fill = end % WIRE_GROUP;
    size_t first = WIRE_GROUP - fill;
    uint8_t next[WIRE_GROUP];
    int result = DUET_OK;

    if (fill == 0)
        result = keystream(d, end, d->group);
    if (result == DUET_OK && first < DUET_MAC_SIZE)
        result = keystream(d, end + first, next);
    if (result != DUET_OK)
        return result;
    if (first >= DUET_MAC_SIZE) {
        memcpy(pad, d->group + fill, DUET_MAC_SIZE);
        return DUET_OK;
    }
    memcpy(pad, d->group + fill, first);
    memcpy(pad + first, next, DUET_MAC_SIZE - first);
    duet__wipe_small(next, sizeof next);
    return DUET_OK;
}

enum { WIDES = WIRE_GROUP / sizeof(duet__wide) };

#define ONES_8  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define ONES_32 ONES_8, ONES_8, ONES_8, ONES_8

/* FIPS 180-4 §5.1.1, with the bit count of this frame alone (§1 "MAC"). Behind the plaintext the
 * group holds keystream; two masks, laid so that they change at its end, take that away and put
 * 0x80 there. */
static void
end_hash(struct duet__cipher *d, uint64_t size)
{
    static const uint8_t keep[2 * WIRE_GROUP] = {ONES_32, ONES_32};
    static const uint8_t mark[2 * WIRE_GROUP] = {[WIRE_GROUP] = 0x80};
    const duet__wide count = {0, DUET__BIG(64, size * 8)};
    size_t fill = size % WIRE_GROUP;
    size_t from = WIRE_GROUP - fill;
    duet__wide tail[2 * WIDES] = {{0}};

    for (size_t i = 0; i < WIDES; i++) {
        size_t at = i * sizeof(duet__wide);
        tail[i] = (duet__load_wide(d->group + at) & duet__load_wide(keep + from + at)) |
                  duet__load_wide(mark + from + at);
    }
    int two = fill + 9 > WIRE_GROUP; /* 0x80 and the count do not fit behind it */
    if (two)
        tail[2 * WIDES - 1] = count;
    else
        tail[WIDES - 1] |= count;
    duet__kernel()->compress(d->chain, (const uint8_t *)tail, two ? 2 : 1);
    duet__wipe_small(tail, sizeof tail);
}

int
duet__stream_end(struct duet__cipher *d, uint8_t mac[DUET_MAC_SIZE])
{
    uint64_t size = DUET_HEADER_SIZE + (uint64_t)d->length;
    uint64_t blocks = (size + DUET_MAC_SIZE + WIRE_BLOCK - 1) / WIRE_BLOCK;
    uint8_t pad[DUET_MAC_SIZE];
    int result = mac_pad(d, size, pad);
    if (result != DUET_OK)
        return result;

    end_hash(d, size);
    duet__store64(mac, ((uint64_t)d->chain[0] << 32 | d->chain[1]) ^ duet__load64(pad));
    duet__add128(d->block, blocks);
    d->blocks += blocks;
    d->frames++;
    d->seq++;
    d->state = DUET__CIPHER_IDLE;
    duet__wipe_small(d->group, sizeof d->group);
    duet__wipe_small(pad, sizeof pad);
    return DUET_OK;
}
