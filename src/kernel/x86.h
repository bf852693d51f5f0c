/*
 * What the kernels with the SHA extensions share: the hash, and the table's functions. The file
 * that includes this defines the passes, which interleave the hash with the cipher, and is compiled
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

/** Encrypt a group, without the hash. */
static void cipher_group(struct lane *lane);

/** Hash and encrypt so many groups of a lane. All of a group's text is read before its out is
 * written. */
static void pass(struct lane *lane, size_t groups);

/** The same for two lanes, interleaved. */
static void pass2(struct lane lane[LANES], size_t groups);

/** Zeroize what these leave in registers that the compiler does not use. */
static inline void wipe_registers(void);

/** A lane is done: zeroize its hash's state where the passes have put that into memory. */
static inline void wipe_lane(struct lane *lane);

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

/** A group of each of two chains; their rounds fill each other's waits. */
static ALWAYS void
hash_groups(struct state s[LANES], const uint8_t *const text[LANES])
{
    struct state begin[LANES] = {s[0], s[1]};
    __m128i m[LANES][4];

#define STEP(q)                                                                                    \
    do {                                                                                           \
        sha_step(q, &s[0], m[0], text[0]);                                                         \
        sha_step(q, &s[1], m[1], text[1]);                                                         \
    } while (0)
    SIXTEEN(STEP);
#undef STEP
    add_state(&s[0], &begin[0]);
    add_state(&s[1], &begin[1]);
}

/* ---- Passes ---- */

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

static void
compress2(uint32_t chain[LANES][8], const uint8_t *const in[LANES], size_t groups)
{
    struct state s[LANES] = {state_of(chain[0]), state_of(chain[1])};

    for (size_t at = 0; at < groups * 64; at += 64) {
        const uint8_t *const text[LANES] = {in[0] + at, in[1] + at};
        hash_groups(s, text);
    }
    chain_of(chain[0], s[0]);
    chain_of(chain[1], s[1]);
}

static int
seal(const struct duet__run *run)
{
    struct lane lane = lane_of(run, run->in);

    pass(&lane, run->groups);
    wipe_registers();
    chain_of(run->chain, lane.state);
    wipe_lane(&lane);
    return 0;
}

static int
seal2(const struct duet__run run[LANES])
{
    struct lane lane[LANES] = {lane_of(&run[0], run[0].in), lane_of(&run[1], run[1].in)};
    const size_t groups[LANES] = {run[0].groups, run[1].groups};

    pass_both(lane, groups);
    wipe_registers();
    for (unsigned l = 0; l < LANES; l++) {
        chain_of(run[l].chain, lane[l].state);
        wipe_lane(&lane[l]);
    }
    return 0;
}

static int
open(const struct duet__run *run)
{
    if (run->groups == 0)
        return 0;
    struct lane lane = lane_of(run, run->out);
    cipher_group(&lane);
    pass(&lane, run->groups - 1);
    wipe_registers();
    hash_group(&lane.state, lane.text);
    chain_of(run->chain, lane.state);
    wipe_lane(&lane);
    return 0;
}

static int
open2(const struct duet__run run[LANES])
{
    if (run[0].groups == 0 || run[1].groups == 0)
        return open(&run[0]) | open(&run[1]);
    struct lane lane[LANES] = {lane_of(&run[0], run[0].out), lane_of(&run[1], run[1].out)};
    const size_t groups[LANES] = {run[0].groups - 1, run[1].groups - 1};
    cipher_group(&lane[0]);
    cipher_group(&lane[1]);
    pass_both(lane, groups);
    wipe_registers();
    for (unsigned l = 0; l < LANES; l++) {
        hash_group(&lane[l].state, lane[l].text);
        chain_of(run[l].chain, lane[l].state);
        wipe_lane(&lane[l]);
    }
    return 0;
}

#endif
