/*
 * The kernel for 64-bit ARM processors with the AES and SHA2 extensions: both in one pass.
 *
 * As on x86-64 (x86.h), SHA-256's rounds wait for each other, and a step of AES for the four blocks
 * of a group stands beside each four rounds. Sealing hashes what it reads; opening hashes the group
 * before the one that it deciphers. Two streams go one after the other. Compiled with its own
 * flags; chosen only where the system says that the processor has both extensions.
 */
#if defined(__aarch64__)

#include "base/bytes.h"
#include "base/wipe.h"
#include "kernel/kernel.h"
#include "kernel/steps.h"

#include <arm_neon.h>

enum { KEY_WORDS = 8, ALL_WORDS = 4 * (ROUNDS + 1) };

/* ---- AES-256 (FIPS 197) in counter mode ---- */

/** SubWord: in a state of four times the same word ShiftRows has no effect. */
static inline uint32_t
substitute(uint32_t word)
{
    uint8x16_t state = vreinterpretq_u8_u32(vdupq_n_u32(word));
    return vgetq_lane_u32(vreinterpretq_u32_u8(vaeseq_u8(state, vdupq_n_u8(0))), 0);
}

/** FIPS 197 §5.2; words as they lie in memory, the first byte lowest. */
static void
ce_set_key(struct duet__key *key, const uint8_t raw[32])
{
    uint32_t w[ALL_WORDS];
    uint32_t constant = 1;

    memcpy(w, raw, KEY_WORDS * sizeof *w);
    for (unsigned i = KEY_WORDS; i < ALL_WORDS; i++) {
        uint32_t word = w[i - 1];
        if (i % KEY_WORDS == 0) {
            word = substitute(word >> 8 | word << 24) ^ constant;
            constant <<= 1;
        } else if (i % KEY_WORDS == 4) {
            word = substitute(word);
        }
        w[i] = w[i - KEY_WORDS] ^ word;
    }
    memcpy(key->bytes, w, sizeof w);
    duet__wipe_small(w, sizeof w);
}

/** One stream. */
struct lane {
    const uint8_t *round;  /* 15 round keys */
    uint64_t high, low;    /* the next counter block */
    uint32x4_t abcd, efgh; /* SHA-256's state */
    const uint8_t *text;   /* the next to hash */
    const uint8_t *in;     /* the next to encrypt, and where to */
    uint8_t *out;
};

static inline uint8x16_t
next_block(struct lane *lane)
{
    uint64x2_t block = vcombine_u64(vcreate_u64(lane->high), vcreate_u64(lane->low));

    lane->low++;
    lane->high += lane->low == 0;
    return vrev64q_u8(vreinterpretq_u8_u64(block));
}

/** One step of sixteen: the counters, 13 rounds, the last round with what it adds, the xor of in to
 * out. */
static ALWAYS void
cipher_step(unsigned step, uint8x16_t b[BLOCKS], struct lane *lane)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        if (step == 0)
            b[i] = next_block(lane);
        else if (step < ROUNDS)
            b[i] = vaesmcq_u8(vaeseq_u8(b[i], vld1q_u8(lane->round + 16 * (step - 1))));
        else if (step == ROUNDS)
            b[i] = veorq_u8(vaeseq_u8(b[i], vld1q_u8(lane->round + 16 * (ROUNDS - 1))),
                            vld1q_u8(lane->round + 16 * ROUNDS));
        else
            vst1q_u8(lane->out + 16 * i, veorq_u8(b[i], vld1q_u8(lane->in + 16 * i)));
    }
}

/* ---- SHA-256 (FIPS 180-4) ---- */

/** Four rounds, and the four words of the message schedule that come four steps later. */
static ALWAYS void
sha_step(unsigned q, struct lane *lane, uint32x4_t m[4])
{
    unsigned now = q % 4;

    for (size_t i = 0; q == 0 && i < 4; i++)
        m[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(lane->text + 16 * i)));
    uint32x4_t x = vaddq_u32(m[now], vld1q_u32(duet__sha256_constants + 4 * (size_t)q));
    uint32x4_t abcd = lane->abcd;
    lane->abcd = vsha256hq_u32(abcd, lane->efgh, x);
    lane->efgh = vsha256h2q_u32(lane->efgh, abcd, x);
    if (q < QUADS - 4) /* the words at q + 4 take the place of those at q */
        m[now] = vsha256su1q_u32(vsha256su0q_u32(m[now], m[(q + 1) % 4]), m[(q + 2) % 4],
                                 m[(q + 3) % 4]);
}

/* ---- One group ---- */

static ALWAYS void
hash_group(struct lane *lane)
{
    uint32x4_t abcd = lane->abcd, efgh = lane->efgh, m[4];

#define STEP(q) sha_step(q, lane, m)
    SIXTEEN(STEP);
#undef STEP
    lane->abcd = vaddq_u32(lane->abcd, abcd);
    lane->efgh = vaddq_u32(lane->efgh, efgh);
    lane->text += 64;
}

static ALWAYS void
cipher_group(struct lane *lane)
{
    uint8x16_t b[BLOCKS];

#define STEP(q) cipher_step(q, b, lane)
    SIXTEEN(STEP);
#undef STEP
    lane->in += 64;
    lane->out += 64;
}

/** Both at once. All of text is read before out is written. */
static ALWAYS void
fused_group(struct lane *lane)
{
    uint32x4_t abcd = lane->abcd, efgh = lane->efgh, m[4];
    uint8x16_t b[BLOCKS];

#define STEP(q)                                                                                    \
    sha_step(q, lane, m);                                                                          \
    cipher_step(q, b, lane)
    SIXTEEN(STEP);
#undef STEP
    lane->abcd = vaddq_u32(lane->abcd, abcd);
    lane->efgh = vaddq_u32(lane->efgh, efgh);
    lane->text += 64;
    lane->in += 64;
    lane->out += 64;
}

/* ---- The table's functions ---- */

static struct lane
lane_of(const struct duet__run *run, const uint8_t *text)
{
    struct lane lane = {.round = run->key->bytes,
                        .high = duet__load64(run->block),
                        .low = duet__load64(run->block + 8),
                        .abcd = vld1q_u32(run->chain),
                        .efgh = vld1q_u32(run->chain + 4),
                        .text = text,
                        .in = run->in,
                        .out = run->out};
    return lane;
}

static void
chain_of(uint32_t chain[8], const struct lane *lane)
{
    vst1q_u32(chain, lane->abcd);
    vst1q_u32(chain + 4, lane->efgh);
}

static int
ce_keystream(const struct duet__key *key, const uint8_t block[16], uint8_t out[64])
{
    static const uint8_t zeros[64];
    struct lane lane = {.round = key->bytes,
                        .high = duet__load64(block),
                        .low = duet__load64(block + 8),
                        .in = zeros,
                        .out = out};

    cipher_group(&lane);
    return 0;
}

static void
ce_compress(uint32_t chain[8], const uint8_t *in, size_t groups)
{
    struct lane lane = {.abcd = vld1q_u32(chain), .efgh = vld1q_u32(chain + 4), .text = in};

    for (; groups > 0; groups--)
        hash_group(&lane);
    chain_of(chain, &lane);
}

static void
ce_compress2(uint32_t chain[2][8], const uint8_t *const in[2], size_t groups)
{
    ce_compress(chain[0], in[0], groups);
    ce_compress(chain[1], in[1], groups);
}

static int
ce_seal(const struct duet__run *run)
{
    struct lane lane = lane_of(run, run->in);

    for (size_t groups = run->groups; groups > 0; groups--)
        fused_group(&lane);
    chain_of(run->chain, &lane);
    return 0;
}

static int
ce_open(const struct duet__run *run)
{
    struct lane lane = lane_of(run, run->out);

    if (run->groups == 0)
        return 0;
    cipher_group(&lane);
    for (size_t groups = run->groups; groups > 1; groups--)
        fused_group(&lane);
    hash_group(&lane);
    chain_of(run->chain, &lane);
    return 0;
}

static int
ce_seal2(const struct duet__run run[2])
{
    return ce_seal(&run[0]) | ce_seal(&run[1]);
}

static int
ce_open2(const struct duet__run run[2])
{
    return ce_open(&run[0]) | ce_open(&run[1]);
}

const struct duet__kernel duet__kernel_arm_ce = {"arm_ce",    ce_set_key,   ce_keystream,
                                                 ce_compress, ce_compress2, ce_seal,
                                                 ce_open,     ce_seal2,     ce_open2};

#else

typedef int duet__no_arm; /* a file is not empty */

#endif
