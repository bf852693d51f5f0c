/*
 * The kernel for x86-64 processors with AES-NI and AVX2, but without the SHA extensions.
 *
 * Two blocks of SHA-256 are a pair. While the rounds of the first run in ordinary registers, the
 * message schedule of both is made in vector registers, a block in each half. Beside the rounds of
 * the second the cipher runs, a round for all eight counter blocks in each step of four rounds.
 * Sealing hashes what it reads; opening hashes the pair before the one that it decrypts.
 */
#if defined(__x86_64__)

#include "kernel/x86_aes.h"

#include "kernel/steps.h"

#include <duet/secret.h>

enum { PAIR = 128, PAIR_BLOCKS = 8 }; /* bytes; counter blocks */

/** Words of both schedules with the rounds' constants added: for each step of four rounds the
 * first block's, then the second's. */
struct words {
    _Alignas(32) uint32_t of[QUADS][2][4];
};

/* ---- SHA-256 (FIPS 180-4) ---- */

/** §6.2.2 step 1: the next four words of both schedules from the last sixteen. */
static ALWAYS __m256i
extend(const __m256i w[4])
{
    /* Two words of a sum lie in the low half of each block's part, or in the high half. */
    const __m256i to_low = _mm256_broadcastsi128_si256(_mm_set_epi64x(-1, 0x0b0a090803020100));
    const __m256i to_high = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0b0a090803020100, -1));
    __m256i x = _mm256_alignr_epi8(w[1], w[0], 4);
    __m256i sum = _mm256_add_epi32(w[0], _mm256_alignr_epi8(w[3], w[2], 4));
    __m256i s0 = _mm256_xor_si256(_mm256_srli_epi32(x, 7), _mm256_slli_epi32(x, 25));
    s0 = _mm256_xor_si256(s0, _mm256_xor_si256(_mm256_srli_epi32(x, 18), _mm256_slli_epi32(x, 14)));
    sum = _mm256_add_epi32(sum, _mm256_xor_si256(s0, _mm256_srli_epi32(x, 3)));

    /* A word beside itself in 64 bits: a shift of these is a rotation of the word. */
    for (int high = 0; high < 2; high++) {
        __m256i y = high ? _mm256_shuffle_epi32(sum, 0x50) : _mm256_shuffle_epi32(w[3], 0xfa);
        __m256i s1 = _mm256_xor_si256(_mm256_srli_epi64(y, 17), _mm256_srli_epi64(y, 19));
        s1 = _mm256_xor_si256(s1, _mm256_srli_epi32(y, 10));
        sum = _mm256_add_epi32(sum, _mm256_shuffle_epi8(s1, high ? to_high : to_low));
    }
    return sum;
}

static inline uint32_t
rotr(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

/** §6.2.2 step 3, round number i; letters are not moved but named by the round. The order of the
 * sums is that of their arrival, which the build keeps by -fno-tree-reassoc. */
static ALWAYS void
sha_round(unsigned i, uint32_t s[8], uint32_t kw)
{
#define LETTER(n) s[((n)-i) & 7]
    uint32_t a = LETTER(0), b = LETTER(1), e = LETTER(4), t = LETTER(7) + kw;

    t += e & LETTER(5);
    t += ~e & LETTER(6);
    t += rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
    LETTER(3) += t;
    t += rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
    LETTER(7) = t + (((a ^ b) & (b ^ LETTER(2))) ^ b);
#undef LETTER
}

static ALWAYS void
four_rounds(unsigned q, uint32_t s[8], const uint32_t kw[4])
{
    sha_round(4 * q, s, kw[0]);
    sha_round(4 * q + 1, s, kw[1]);
    sha_round(4 * q + 2, s, kw[2]);
    sha_round(4 * q + 3, s, kw[3]);
}

/** The words of step q of both blocks, which lie in w[q % 4], and then those of step q + 4. */
static ALWAYS void
schedule_step(unsigned q, struct words *words, __m256i w[4])
{
    const __m128i *k = (const __m128i *)(const void *)duet__sha256_constants;
    __m256i sum = _mm256_add_epi32(w[q % 4], _mm256_broadcastsi128_si256(k[q]));

    _mm256_store_si256((__m256i *)(void *)words->of[q], sum);
    /* The rounds add them from memory: a compiler would move each from register to register. */
    __asm__("" : "+m"(words->of[q]));
    if (q + 4 < QUADS) {
        const __m256i last[4] = {w[q % 4], w[(q + 1) % 4], w[(q + 2) % 4], w[(q + 3) % 4]};
        w[q % 4] = extend(last);
    }
}

/** The first 16 words of two blocks; second may be first. */
static ALWAYS void
load_words(__m256i w[4], const uint8_t *first, const uint8_t *second)
{
    const __m256i order =
        _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));

    for (size_t i = 0; i < 4; i++)
        w[i] = _mm256_shuffle_epi8(_mm256_set_m128i(load(second + 16 * i), load(first + 16 * i)),
                                   order);
}

static ALWAYS void
hash_first(uint32_t chain[8], struct words *words, const uint8_t *first, const uint8_t *second)
{
    __m256i w[4];
    uint32_t s[8];

    memcpy(s, chain, sizeof s);
    load_words(w, first, second);
#define STEP(q)                                                                                    \
    do {                                                                                           \
        schedule_step(q, words, w);                                                                \
        four_rounds(q, s, words->of[q][0]);                                                        \
    } while (0)
    SIXTEEN(STEP);
#undef STEP
    for (unsigned i = 0; i < 8; i++)
        chain[i] += s[i];
}

/** One group alone. */
static void
hash_one(uint32_t chain[8], struct words *words, const uint8_t *text)
{
    hash_first(chain, words, text, text);
}

/** Two groups with one schedule: the second goes into another chain, or into the same one after the
 * first. */
static void
hash_two(uint32_t *const chain[2], struct words *words, const uint8_t *first, const uint8_t *second)
{
    uint32_t s[8];

    hash_first(chain[0], words, first, second);
    memcpy(s, chain[1], sizeof s);
#define STEP(q) four_rounds(q, s, words->of[q][1])
    SIXTEEN(STEP);
#undef STEP
    for (unsigned i = 0; i < 8; i++)
        chain[1][i] += s[i];
}

static void
hash_pair(uint32_t chain[8], struct words *words, const uint8_t *text)
{
    hash_two((uint32_t *const[2]){chain, chain}, words, text, text + 64);
}

/* ---- AES-256 in counter mode ---- */

/** Where a run stands. */
struct place {
    __m128i counter;
    const __m128i *round; /* 15 round keys */
    const uint8_t *in;
    uint8_t *out;
};

static struct place
place_of(const struct duet__run *run)
{
    struct place place = {counter_of(run->block), (const __m128i *)(const void *)run->key->bytes,
                          run->in, run->out};
    return place;
}

/** One step of sixteen for n blocks: whitening, 14 rounds, then the xor of in to out. */
static ALWAYS void
cipher_step(unsigned q, struct place *place, __m128i *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (q == 0)
            b[i] = _mm_xor_si128(next_block(&place->counter), place->round[0]);
        else if (q < ROUNDS)
            b[i] = _mm_aesenc_si128(b[i], place->round[q]);
        else if (q == ROUNDS)
            b[i] = _mm_aesenclast_si128(b[i], place->round[ROUNDS]);
        else
            store(place->out + 16 * i, _mm_xor_si128(b[i], load(place->in + 16 * i)));
    }
}

static ALWAYS void
cipher_blocks(struct place *place, size_t n)
{
    __m128i b[PAIR_BLOCKS];

#define STEP(q) cipher_step(q, place, b, n)
    SIXTEEN(STEP);
#undef STEP
    place->in += 16 * n;
    place->out += 16 * n;
}

/* ---- Both ---- */

/** Hash the pair at text, and encrypt the next pair beside it. */
static void
fused_pair(uint32_t chain[8], struct words *words, const uint8_t *text, struct place *place)
{
    __m128i b[PAIR_BLOCKS];
    uint32_t s[8];

    hash_first(chain, words, text, text + 64);
    memcpy(s, chain, sizeof s);
#define STEP(q)                                                                                    \
    do {                                                                                           \
        cipher_step(q, place, b, PAIR_BLOCKS);                                                     \
        four_rounds(q, s, words->of[q][1]);                                                        \
    } while (0)
    SIXTEEN(STEP);
#undef STEP
    for (unsigned i = 0; i < 8; i++)
        chain[i] += s[i];
    place->in += PAIR;
    place->out += PAIR;
}

/* ---- The table's functions ---- */

static int
keystream(const struct duet__key *key, const uint8_t block[16], uint8_t out[64])
{
    static const uint8_t zeros[64];
    const struct duet__run run = {.key = key, .block = block, .out = out, .in = zeros};
    struct place place = place_of(&run);

    cipher_blocks(&place, BLOCKS);
    return 0;
}

static void
compress(uint32_t chain[8], const uint8_t *in, size_t groups)
{
    struct words words;

    for (; groups >= 2; groups -= 2, in += PAIR)
        hash_pair(chain, &words, in);
    if (groups > 0)
        hash_one(chain, &words, in);
    duet_wipe(&words, sizeof words);
}

static void
compress2(uint32_t chain[2][8], const uint8_t *const in[2], size_t groups)
{
    uint32_t *const both[2] = {chain[0], chain[1]};
    struct words words;

    for (size_t at = 0; at < groups * 64; at += 64)
        hash_two(both, &words, in[0] + at, in[1] + at);
    duet_wipe(&words, sizeof words);
}

static int
seal(const struct duet__run *run)
{
    struct place place = place_of(run);
    struct words words;

    for (size_t left = run->groups / 2; left > 0; left--)
        fused_pair(run->chain, &words, place.in, &place);
    if (run->groups % 2 != 0) {
        hash_one(run->chain, &words, place.in); /* first: out may be in */
        cipher_blocks(&place, BLOCKS);
    }
    duet_wipe(&words, sizeof words);
    return 0;
}

static int
open(const struct duet__run *run)
{
    struct place place = place_of(run);
    struct words words;

    if (run->groups >= 2)
        cipher_blocks(&place, PAIR_BLOCKS);
    for (size_t left = run->groups / 2; left > 1; left--)
        fused_pair(run->chain, &words, place.out - PAIR, &place);
    if (run->groups >= 2)
        hash_pair(run->chain, &words, place.out - PAIR);
    if (run->groups % 2 != 0) {
        cipher_blocks(&place, BLOCKS);
        hash_one(run->chain, &words, place.out - 64);
    }
    duet_wipe(&words, sizeof words);
    return 0;
}

/* A second stream fills no gap here: the ordinary registers' units are busy with one. */

static int
seal2(const struct duet__run run[2])
{
    return seal(&run[0]) | seal(&run[1]);
}

static int
open2(const struct duet__run run[2])
{
    return open(&run[0]) | open(&run[1]);
}

const struct duet__kernel duet__kernel_x86_avx2 = {
    "x86_avx2", set_key, keystream, compress, compress2, seal, open, seal2, open2};

#else

typedef int duet__no_x86_avx2; /* a file is not empty */

#endif
