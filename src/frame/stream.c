/*
 * A frame as one run of bytes: groups of 64 bytes, the unfinished group, the hash's padding, the
 * counters (docs/protocol.md §1). What header and MAC mean is for seal.c and open.c.
 *
 *        0      16               64              128              fill
 *        | header | payload ...  |  payload ...   | ... payload    | MAC |
 *        `------ a group -------'`-- a group ----'`-- c->group: plaintext | keystream --'
 *                xor_part()         the kernel       xor_part()
 */
#include "frame/stream.h"

#include "base/bytes.h"
#include "base/wipe.h"

#include <string.h>

/** The counter block of byte `at` of this frame. */
static inline void
counter_block(const struct duet__cipher *c, uint64_t at, uint8_t block[WIRE_BLOCK])
{
    memcpy(block, c->block, WIRE_BLOCK);
    duet__add128(block, at / WIRE_BLOCK);
}

/** Fill out with the keystream of the group that byte `at` begins. */
static int
group_keystream(const struct duet__cipher *c, uint64_t at, uint8_t out[WIRE_GROUP])
{
    uint8_t block[WIRE_BLOCK];

    counter_block(c, at, block);
    return duet__kernel()->keystream(&c->key, block, out) == 0 ? DUET_OK : DUET_E_CRYPTO;
}

static inline void
flow_advance(struct duet__flow *flow, size_t n)
{
    flow->out += n;
    flow->in += n;
    flow->n -= n;
    flow->c->at += n;
}

/** The whole groups that the flow holds, as the kernel takes them; block: room for the counter. */
static inline struct duet__run
flow_groups(const struct duet__flow *flow, uint8_t block[WIRE_BLOCK])
{
    struct duet__run run = {&flow->c->key, block,    flow->c->chain,
                            flow->out,     flow->in, flow->n / WIRE_GROUP};

    counter_block(flow->c, flow->c->at, block);
    return run;
}

/* ---- Header and payload ---- */

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

/* One step of xor_part(): keystream in the group becomes plaintext. Most of a part goes through the
 * widest type, a header as one step of it. */
#define XOR_STEP(type, load, store)                                                                \
    do {                                                                                           \
        type from = load(in + i);                                                                  \
        type to = from ^ load(group + i);                                                          \
        store(out + i, to);                                                                        \
        store(group + i, way == DUET__SEALING ? from : to);                                        \
        i += sizeof(type);                                                                         \
    } while (0)

/** Process n bytes by the keystream in c->group, at most up to the group's end, where it is hashed.
 */
static void
xor_part(struct duet__flow *flow, size_t n, enum duet__way way)
{
    struct duet__cipher *c = flow->c;
    uint8_t *group = c->group + c->at % WIRE_GROUP;
    uint8_t *out = flow->out;
    const uint8_t *in = flow->in;
    size_t i = 0;

    while (n - i >= sizeof(duet__wide))
        XOR_STEP(duet__wide, duet__load_wide, duet__store_wide);
    while (n - i >= sizeof(uint64_t))
        XOR_STEP(uint64_t, duet__load64, duet__store64);
    while (n - i > 0)
        XOR_STEP(uint8_t, load8, store8);
    flow_advance(flow, n);
    if (c->at % WIRE_GROUP == 0)
        duet__kernel()->compress(c->chain, c->group, 1);
}

/** Process up to the end of the group under way, if there is one. */
static inline void
finish_group(struct duet__flow *flow, enum duet__way way)
{
    size_t fill = flow->c->at % WIRE_GROUP;
    size_t left = WIRE_GROUP - fill;

    if (fill > 0 && flow->n > 0)
        xor_part(flow, flow->n < left ? flow->n : left, way);
}

int
duet__stream_run(struct duet__flow *flow, enum duet__way way)
{
    const struct duet__kernel *kernel = duet__kernel();

    finish_group(flow, way);
    if (flow->n >= WIRE_GROUP) {
        uint8_t block[WIRE_BLOCK];
        struct duet__run run = flow_groups(flow, block);
        int failed = way == DUET__SEALING ? kernel->seal(&run) : kernel->open(&run);
        flow_advance(flow, run.groups * WIRE_GROUP);
        if (failed)
            return DUET_E_CRYPTO;
    }
    if (flow->n == 0)
        return DUET_OK;
    if (group_keystream(flow->c, flow->c->at, flow->c->group) != DUET_OK)
        return DUET_E_CRYPTO;
    xor_part(flow, flow->n, way);
    return DUET_OK;
}

int
duet__stream_two(struct duet__flow flow[2], enum duet__way way)
{
    const struct duet__kernel *kernel = duet__kernel();
    uint8_t block[2][WIRE_BLOCK];
    struct duet__run run[2];

    for (size_t i = 0; i < 2; i++) {
        finish_group(&flow[i], way);
        run[i] = flow_groups(&flow[i], block[i]);
    }
    int failed = way == DUET__SEALING ? kernel->seal2(run) : kernel->open2(run);
    for (size_t i = 0; i < 2; i++)
        flow_advance(&flow[i], run[i].groups * WIRE_GROUP);
    return failed ? DUET_E_CRYPTO : DUET_OK;
}

/* ---- The frame's end ---- */

enum { WIDES = WIRE_GROUP / sizeof(duet__wide) };

#define ONES_8  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define ONES_32 ONES_8, ONES_8, ONES_8, ONES_8

/**
 * Pad and finish the hash: FIPS 180-4 §5.1.1 with the bit count of this frame alone (§1 "MAC").
 *
 * c->group holds keystream after the plaintext. Two masks, read so that they change at the
 * plaintext's end, clear it and put 0x80 there, without a loop over a number of bytes.
 */
static void
end_hash(struct duet__cipher *c, uint64_t size)
{
    static const uint8_t keep[2 * WIRE_GROUP] = {ONES_32, ONES_32};
    static const uint8_t mark[2 * WIRE_GROUP] = {[WIRE_GROUP] = 0x80};
    const duet__wide count = {0, DUET__BIG(64, size * 8)};
    size_t fill = size % WIRE_GROUP;
    size_t from = WIRE_GROUP - fill;
    duet__wide tail[2 * WIDES] = {{0}};

    for (size_t i = 0; i < WIDES; i++) {
        size_t at = i * sizeof(duet__wide);
        tail[i] = (duet__load_wide(c->group + at) & duet__load_wide(keep + from + at)) |
                  duet__load_wide(mark + from + at);
    }
    int two = fill + 9 > WIRE_GROUP; /* 0x80 and the count do not fit into this group */
    if (two)
        tail[2 * WIDES - 1] = count;
    else
        tail[WIDES - 1] |= count;
    duet__kernel()->compress(c->chain, (const uint8_t *)tail, two ? 2 : 1);
    duet__wipe_small(tail, sizeof tail);
}

int
duet__stream_end(struct duet__cipher *c, uint8_t mac[DUET_MAC_SIZE])
{
    uint64_t size = DUET_HEADER_SIZE + (uint64_t)c->length;
    uint64_t blocks = (size + DUET_MAC_SIZE + WIRE_BLOCK - 1) / WIRE_BLOCK;
    size_t fill = size % WIRE_GROUP;
    size_t first = WIRE_GROUP - fill; /* keystream bytes that this group has left for the MAC */
    uint8_t pad[DUET_MAC_SIZE], next[WIRE_GROUP];

    /* The MAC's keystream may begin, cross or end a group. */
    if (fill == 0 && group_keystream(c, size, c->group) != DUET_OK)
        return DUET_E_CRYPTO;
    if (first >= DUET_MAC_SIZE) {
        memcpy(pad, c->group + fill, DUET_MAC_SIZE);
    } else {
        if (group_keystream(c, size + first, next) != DUET_OK)
            return DUET_E_CRYPTO;
        memcpy(pad, c->group + fill, first);
        memcpy(pad + first, next, DUET_MAC_SIZE - first);
        duet__wipe_small(next, sizeof next);
    }
    end_hash(c, size);
    duet__store64(mac, ((uint64_t)c->chain[0] << 32 | c->chain[1]) ^ duet__load64(pad));
    duet__add128(c->block, blocks);
    c->blocks += blocks;
    c->frames++;
    c->seq++;
    c->state = DUET__CIPHER_IDLE;
    duet__wipe_small(c->group, sizeof c->group);
    duet__wipe_small(pad, sizeof pad);
    return DUET_OK;
}
