/*
 * What the kernels with the SHA extensions share: the hash, and the passes that interleave it with
 * the cipher. The file that includes this defines aes_step() and wipe_registers(), and is compiled
 * with flags of its own.
 *
 * SHA-256's rounds depend on each other, so their latency alone limits the speed of one stream; a
 * step of AES for the four blocks of a group runs beside each four rounds of SHA, in slots that are
 * free. AES-256 has 14 rounds, a group of SHA-256 sixteen times four. Sealing hashes what it reads;
 * opening hashes the group before the one that it decrypts. Two streams, a lane each, are
 * interleaved step by step: while one waits for its rounds the other runs.
 */
#ifndef DUET_KERNEL_X86_H
#define DUET_KERNEL_X86_H

#include "kernel/steps.h"
#include "kernel/x86_aes.h"

enum { LANES = 2 };

/** SHA-256's state in the order of the instructions. */
struct state {
    __m128i abef, cdgh;
};

/** One stream. */
struct lane {
    __m128i counter; /* of the next block, its halves as words, the low one first */
    struct state state;
    const __m128i *round; /* AES: 15 round keys */
    const uint8_t *text;  /* the next to hash */
    const uint8_t *in;    /* the next to encrypt, and where to */
    uint8_t *out;
};

/**
 * One step of sixteen of the cipher for the four blocks of lane l, which is 0 or 1: 0 is the
 * whitening of the counters in b, 1 to 13 a round, ROUNDS the last one, 15 the xor of in to out.
 * Between 0 and 15 the blocks may be elsewhere than in b.
 */
static inline void aes_step(unsigned l, unsigned step, __m128i b[BLOCKS], const struct lane *lane);

/** Zeroize what aes_step() leaves in registers that the compiler does not use. */
static inline void wipe_registers(void);

/* ---- The cipher ---- */

static ALWAYS void
cipher_step(unsigned l, unsigned step, __m128i b[BLOCKS], struct lane *lane)
{
    for (unsigned i = 0; step == 0 && i < BLOCKS; i++)
        b[i] = next_block(&lane->counter);
    aes_step(l, step, b, lane);
}

/* ---- SHA-256 (FIPS 180-4) ---- */

static inline struct state
state_of(const uint32_t chain[8])
{
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)chain);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(chain + 4));
    __m128i cdab = _mm_shuffle_epi32(low, 0xb1), efgh = _mm_shuffle_epi32(high, 0x1b);
    struct state s = {_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
    return s;
}

static inline void
chain_of(uint32_t chain[8], struct state s)
{
    __m128i feba = _mm_shuffle_epi32(s.abef, 0x1b), dchg = _mm_shuffle_epi32(s.cdgh, 0xb1);

    _mm_storeu_si128((__m128i *)(void *)chain, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(chain + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/** Four rounds, and the message schedule four words ahead of them. */
static ALWAYS void
sha_step(unsigned q, struct state *s, __m128i m[4], const uint8_t *text)
{
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    unsigned now = q % 4, next = (q + 1) % 4, before = (q + 3) % 4;

    if (q < 4)
        m[now] = _mm_shuffle_epi8(load(text + 16 * (size_t)q), order);
    __m128i x = _mm_add_epi32(m[now], ((const __m128i *)(const void *)duet__sha256_constants)[q]);
    s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, x);
    if (q >= 3 && q < QUADS - 1) {
        m[next] = _mm_add_epi32(m[next], _mm_alignr_epi8(m[now], m[before], 4));
        m[next] = _mm_sha256msg2_epu32(m[next], m[now]);
    }
    s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(x, 0x0e));
    if (q >= 1 && q < QUADS - 3)
        m[before] = _mm_sha256msg1_epu32(m[before], m[now]);
}

static ALWAYS void
add_state(struct state *s, const struct state *begin)
{
    s->abef = _mm_add_epi32(s->abef, begin->abef);
    s->cdgh = _mm_add_epi32(s->cdgh, begin->cdgh);
}

/* ---- One group ---- */

static ALWAYS void
hash_group(struct state *s, const uint8_t *text)
{
    struct state begin = *s;
    __m128i m[4];

#define STEP(q) sha_step(q, s, m, text)
    SIXTEEN(STEP);
#undef STEP
    add_state(s, &begin);
}

static ALWAYS void
cipher_group(struct lane *lane)
{
    __m128i b[BLOCKS];

#define STEP(q) cipher_step(0, q, b, lane)
    SIXTEEN(STEP);
#undef STEP
    lane->in += 64;
    lane->out += 64;
}

static ALWAYS void
fused_step(unsigned q, struct lane *lane, unsigned n, __m128i m[LANES][4], __m128i b[LANES][BLOCKS])
{
    for (unsigned l = 0; l < n; l++) {
        sha_step(q, &lane[l].state, m[l], lane[l].text);
        cipher_step(l, q, b[l], &lane[l]);
    }
}

/** Hash and encrypt a group of each of n lanes. All of a lane's text is read before its out is
 * written. */
static ALWAYS void
fused_group(struct lane *lane, unsigned n)
{
    struct state begin[LANES];
    __m128i m[LANES][4], b[LANES][BLOCKS];

    for (unsigned l = 0; l < n; l++)
        begin[l] = lane[l].state;
#define STEP(q) fused_step(q, lane, n, m, b)
    SIXTEEN(STEP);
#undef STEP
    for (unsigned l = 0; l < n; l++) {
        add_state(&lane[l].state, &begin[l]);
        lane[l].text += 64;
        lane[l].in += 64;
        lane[l].out += 64;
    }
}

/* ---- Passes ---- */

static ALWAYS void
pass(struct lane *lane, size_t groups)
{
    for (; groups > 0; groups--)
        fused_group(lane, 1);
}

static void
pass2(struct lane lane[LANES], size_t groups)
{
    struct lane local[LANES] = {lane[0], lane[1]};

    for (; groups > 0; groups--)
        fused_group(local, LANES);
    lane[0] = local[0];
    lane[1] = local[1];
}

/** As many groups as both lanes have, then the rest of the longer one. */
static void
pass_both(struct lane lane[LANES], const size_t groups[LANES])
{
    size_t common = groups[0] < groups[1] ? groups[0] : groups[1];

    pass2(lane, common);
    for (unsigned l = 0; l < LANES; l++)
        pass(&lane[l], groups[l] - common);
}

/* ---- The table's functions ---- */

static struct lane
lane_of(const struct duet__run *run, const uint8_t *text)
{
    struct lane lane = {.round = (const __m128i *)(const void *)run->key->bytes,
                        .counter = counter_of(run->block),
                        .state = state_of(run->chain),
                        .text = text,
                        .in = run->in,
                        .out = run->out};
    return lane;
}

static int
keystream(const struct duet__key *key, const uint8_t block[16], uint8_t out[64])
{
    static const uint8_t zeros[64];
    struct lane lane = {.round = (const __m128i *)(const void *)key->bytes,
                        .counter = counter_of(block),
                        .in = zeros,
                        .out = out};

    cipher_group(&lane);
    wipe_registers();
    return 0;
}

static void
compress(uint32_t chain[8], const uint8_t *in, size_t groups)
{
    struct state s = state_of(chain);

    for (; groups > 0; groups--, in += 64)
        hash_group(&s, in);
    chain_of(chain, s);
}

static int
seal(const struct duet__run *run)
{
    struct lane lane = lane_of(run, run->in);

    pass(&lane, run->groups);
    wipe_registers();
    chain_of(run->chain, lane.state);
    return 0;
}

static int
seal2(const struct duet__run run[LANES])
{
    struct lane lane[LANES] = {lane_of(&run[0], run[0].in), lane_of(&run[1], run[1].in)};
    const size_t groups[LANES] = {run[0].groups, run[1].groups};

    pass_both(lane, groups);
    wipe_registers();
    chain_of(run[0].chain, lane[0].state);
    chain_of(run[1].chain, lane[1].state);
    return 0;
}

static int
open(const struct duet__run *run)
{
    struct lane lane = lane_of(run, run->out);

    if (run->groups == 0)
        return 0;
    cipher_group(&lane);
    pass(&lane, run->groups - 1);
    wipe_registers();
    hash_group(&lane.state, lane.text);
    chain_of(run->chain, lane.state);
    return 0;
}

static int
open2(const struct duet__run run[LANES])
{
    struct lane lane[LANES] = {lane_of(&run[0], run[0].out), lane_of(&run[1], run[1].out)};
    const size_t groups[LANES] = {run[0].groups - 1, run[1].groups - 1};

    if (run[0].groups == 0 || run[1].groups == 0)
        return open(&run[0]) | open(&run[1]);
    cipher_group(&lane[0]);
    cipher_group(&lane[1]);
    pass_both(lane, groups);
    wipe_registers();
    for (unsigned l = 0; l < LANES; l++) {
        hash_group(&lane[l].state, lane[l].text);
        chain_of(run[l].chain, lane[l].state);
    }
    return 0;
}

#endif
