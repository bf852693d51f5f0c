/*
 * What all kernels for x86-64 share: AES-256's key schedule by AES-NI, and the counter blocks.
 */
#ifndef DUET_KERNEL_X86_AES_H
#define DUET_KERNEL_X86_AES_H

#include "base/bytes.h"
#include "kernel/kernel.h"

#include <immintrin.h>

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

/* ---- AES-256 (FIPS 197) in counter mode ---- */

/** A step of the key expansion; word: what is added to each column. */
static inline __m128i
expand(__m128i key, __m128i word)
{
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
    return _mm_xor_si128(key, word);
}

/* SubWord by AES's last round, whose ShiftRows has no effect as all columns are equal; it also adds
 * the round constant. The word is b's last, rotated for the even keys. */
#define EXPAND_EVEN(a, b, constant)                                                                \
    expand((a), _mm_aesenclast_si128(_mm_shuffle_epi8((b), _mm_set1_epi32(0x0c0f0e0d)),            \
                                     _mm_set1_epi32(constant)))
#define EXPAND_ODD(a, b)                                                                           \
    expand((a), _mm_aesenclast_si128(_mm_shuffle_epi32((b), 0xff), _mm_setzero_si128()))

static void
set_key(struct duet__key *key, const uint8_t raw[32])
{
    __m128i a = load(raw), b = load(raw + 16);
    __m128i *round = (__m128i *)(void *)key->bytes;

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

static inline __m128i
counter_of(const uint8_t block[16])
{
    return _mm_set_epi64x((long long)duet__load64(block), (long long)duet__load64(block + 8));
}

/** The next counter block: add one, and carry where the low half has become zero. */
static inline __m128i
next_block(__m128i *counter)
{
    const __m128i order = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
    __m128i block = _mm_shuffle_epi8(*counter, order);

    *counter = _mm_add_epi64(*counter, _mm_set_epi64x(0, 1));
    __m128i wrapped = _mm_cmpeq_epi64(*counter, _mm_setzero_si128()); /* -1 where zero */
    *counter = _mm_sub_epi64(*counter, _mm_slli_si128(wrapped, 8));
    return block;
}

#endif
