/*
 * The kernel for x86-64 processors with AES-NI and the SHA extensions: both in one pass.
 *
 * SHA-256's rounds wait for each other, so they alone decide the speed; a round of AES for the four
 * blocks of a group stands beside each four rounds of SHA and fills the slots that these leave.
 * AES-256 has 14 rounds, a group of SHA-256 sixteen times four. Sealing hashes what it reads;
 * opening hashes the group before the one that it deciphers. Compiled with its own flags; chosen
 * only where cpuid allows.
 */
#include "kernel/kernel.h"

#if defined(__x86_64__)

#include "base/octets.h"

#include <cpuid.h>
#include <immintrin.h>

enum { ROUNDS = 14, BLOCKS = 4, QUADS = 16 };

static inline __m128i
load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline void
store(uint8_t *p, __m128i v)
{
    _mm_storeu_si128((__m128i *)(void *)p, v);
}

/* ---- AES-256 (FIPS 197) ---- */

/** The key expansion's step that rotates, substitutes and adds a round constant, and the one that
 * only substitutes; word is aeskeygenassist's, spread. */
static inline __m128i
expand(__m128i key, __m128i word)
{
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
    return _mm_xor_si128(key, word);
}

#define EXPAND_EVEN(a, b, constant)                                                                \
    expand((a), _mm_shuffle_epi32(_mm_aeskeygenassist_si128((b), (constant)), 0xff))
#define EXPAND_ODD(a, b) expand((a), _mm_shuffle_epi32(_mm_aeskeygenassist_si128((b), 0), 0xaa))

static void
set_key(struct duet__key *key, const uint8_t raw[32])
{
    __m128i a = load(raw), b = load(raw + 16);
    __m128i *round = (__m128i *)(void *)key->octets;

#define TWO(constant)                                                                              \
    do {                                                                                           \
        *round++ = a;                                                                              \
        *round++ = b;                                                                              \
        a = EXPAND_EVEN(a, b, (constant));                                                         \
        b = EXPAND_ODD(b, a);                                                                      \
    } while (0)
    TWO(0x01);
    TWO(0x02);
    TWO(0x04);
    TWO(0x08);
    TWO(0x10);
    TWO(0x20);
    TWO(0x40);
#undef TWO
    *round = a;
}

/** A counter, its halves as words, the low one first; `low` is that one again, to see it wrap. */
struct counter {
    __m128i words;
    uint64_t low;
};

static inline struct counter
counter_of(const uint8_t block[16])
{
    struct counter c = {
        _mm_set_epi64x((long long)duet__load64(block), (long long)duet__load64(block + 8)),
        duet__load64(block + 8)};
    return c;
}

/** The next counter block: add one, and carry where the low half wraps. */
static inline __m128i
next_block(struct counter *c)
{
    const __m128i order = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
    __m128i block = _mm_shuffle_epi8(c->words, order);

    c->words = _mm_add_epi64(c->words, _mm_set_epi64x(0, 1));
    if (__builtin_expect(++c->low == 0, 0)) /* public: where a frame is */
        c->words = _mm_add_epi64(c->words, _mm_set_epi64x(1, 0));
    return block;
}

static inline void
count(__m128i b[BLOCKS], struct counter *c)
{
    for (unsigned i = 0; i < BLOCKS; i++)
        b[i] = next_block(c);
}

/** One step of sixteen for all four blocks: whitening, 13 rounds, the last round, the xor with
 * data. */
static inline __attribute__((always_inline)) void
aes_step(unsigned step, __m128i b[BLOCKS], const __m128i *round, uint8_t *out, const uint8_t *in)
{
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (step == 0)
            b[i] = _mm_xor_si128(b[i], round[0]);
        else if (step < ROUNDS)
            b[i] = _mm_aesenc_si128(b[i], round[step]);
        else if (step == ROUNDS)
            b[i] = _mm_aesenclast_si128(b[i], round[ROUNDS]);
        else
            store(out + 16 * (size_t)i, _mm_xor_si128(b[i], load(in + 16 * (size_t)i)));
    }
}

/* ---- SHA-256 (FIPS 180-4) ---- */

/** The chain in the order that the instructions want. */
struct state {
    __m128i abef, cdgh;
};

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

/** Four rounds, and the message schedule that keeps four words ahead of them. */
static inline __attribute__((always_inline)) void
sha_step(unsigned q, struct state *s, __m128i m[4], const uint8_t *in)
{
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    unsigned now = q % 4, next = (q + 1) % 4, before = (q + 3) % 4;

    if (q < 4)
        m[now] = _mm_shuffle_epi8(load(in + 16 * (size_t)q), order);
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

/* Sixteen steps, each with a constant number, so that nothing of the loops is left. */
#define SIXTEEN(STEP)                                                                              \
    do {                                                                                           \
        STEP(0);                                                                                   \
        STEP(1);                                                                                   \
        STEP(2);                                                                                   \
        STEP(3);                                                                                   \
        STEP(4);                                                                                   \
        STEP(5);                                                                                   \
        STEP(6);                                                                                   \
        STEP(7);                                                                                   \
        STEP(8);                                                                                   \
        STEP(9);                                                                                   \
        STEP(10);                                                                                  \
        STEP(11);                                                                                  \
        STEP(12);                                                                                  \
        STEP(13);                                                                                  \
        STEP(14);                                                                                  \
        STEP(15);                                                                                  \
    } while (0)

static inline __attribute__((always_inline)) void
hash_group(struct state *s, const uint8_t *in)
{
    struct state begin = *s;
    __m128i m[4];

#define STEP(q) sha_step(q, s, m, in)
    SIXTEEN(STEP);
#undef STEP
    s->abef = _mm_add_epi32(s->abef, begin.abef);
    s->cdgh = _mm_add_epi32(s->cdgh, begin.cdgh);
}

static inline __attribute__((always_inline)) void
cipher_group(struct counter *c, const __m128i *round, uint8_t *out, const uint8_t *in)
{
    __m128i b[BLOCKS];

    count(b, c);
#define STEP(q) aes_step(q, b, round, out, in)
    SIXTEEN(STEP);
#undef STEP
}

/** Both at once: hash `text`, and encipher `in` to `out`. All of text is read before out is
 * written. */
static inline __attribute__((always_inline)) void
fused_group(struct state *s, const uint8_t *text, struct counter *c, const __m128i *round,
            uint8_t *out, const uint8_t *in)
{
    struct state begin = *s;
    __m128i m[4], b[BLOCKS];

    count(b, c);
#define STEP(q)                                                                                    \
    sha_step(q, s, m, text);                                                                       \
    aes_step(q, b, round, out, in)
    SIXTEEN(STEP);
#undef STEP
    s->abef = _mm_add_epi32(s->abef, begin.abef);
    s->cdgh = _mm_add_epi32(s->cdgh, begin.cdgh);
}

/* ---- The table's functions ---- */

static int
keystream(const struct duet__key *key, const uint8_t block[16], uint8_t out[64])
{
    static const uint8_t zeros[64];
    struct counter c = counter_of(block);

    cipher_group(&c, (const __m128i *)(const void *)key->octets, out, zeros);
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
seal(const struct duet__key *key, const uint8_t block[16], uint32_t chain[8], uint8_t *out,
     const uint8_t *in, size_t groups)
{
    const __m128i *round = (const __m128i *)(const void *)key->octets;
    struct state s = state_of(chain);
    struct counter c = counter_of(block);

    for (; groups > 0; groups--, in += 64, out += 64)
        fused_group(&s, in, &c, round, out, in);
    chain_of(chain, s);
    return 0;
}

static int
open(const struct duet__key *key, const uint8_t block[16], uint32_t chain[8], uint8_t *out,
     const uint8_t *in, size_t groups)
{
    const __m128i *round = (const __m128i *)(const void *)key->octets;
    struct state s = state_of(chain);
    struct counter c = counter_of(block);

    if (groups == 0)
        return 0;
    cipher_group(&c, round, out, in);
    for (; groups > 1; groups--, out += 64) {
        in += 64;
        fused_group(&s, out, &c, round, out + 64, in);
    }
    hash_group(&s, out);
    chain_of(chain, s);
    return 0;
}

int
duet__kernel_x86_ni_fits(void)
{
    unsigned a, b, c, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_AES) || !(c & bit_SSSE3) || !(c & bit_SSE4_1))
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

const struct duet__kernel duet__kernel_x86_ni = {"x86_ni", set_key, keystream,
                                                 compress, seal,    open};

#else

typedef int duet__no_x86; /* a file is not empty */

#endif
