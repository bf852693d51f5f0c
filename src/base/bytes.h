/*
 * Bytes and integers: big-endian load and store, and sixteen bytes at once.
 *
 * All integers of the protocol are big-endian (docs/protocol.md, "Notation").
 */
#ifndef DUET_BASE_BYTES_H
#define DUET_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Compilers make one instruction of this, which they do not reliably of a sum of shifted bytes. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define DUET__BIG(bits, v) __builtin_bswap##bits(v)
#else
#define DUET__BIG(bits, v) (v)
#endif

/** The smaller one. */
static inline size_t
duet__min(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

static inline uint16_t
duet__load16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return DUET__BIG(16, v);
}

static inline uint32_t
duet__load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return DUET__BIG(32, v);
}

static inline uint64_t
duet__load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return DUET__BIG(64, v);
}

static inline void
duet__store16(uint8_t *p, unsigned v)
{
    uint16_t big = DUET__BIG(16, (uint16_t)v);
    memcpy(p, &big, sizeof big);
}

static inline void
duet__store32(uint8_t *p, uint32_t v)
{
    v = DUET__BIG(32, v);
    memcpy(p, &v, sizeof v);
}

static inline void
duet__store64(uint8_t *p, uint64_t v)
{
    v = DUET__BIG(64, v);
    memcpy(p, &v, sizeof v);
}

/** Sixteen bytes in one register. Loading what was stored as one whole is fast (store forwarding);
 * loading what was stored in parts waits until the parts have reached the cache. */
typedef uint64_t duet__wide __attribute__((vector_size(16)));

static inline duet__wide
duet__load_wide(const uint8_t *p)
{
    duet__wide v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void
duet__store_wide(uint8_t *p, duet__wide v)
{
    memcpy(p, &v, sizeof v);
}

/** Add n to the 128-bit big-endian integer at p, modulo 2^128. */
static inline void
duet__add128(uint8_t p[16], uint64_t n)
{
    uint64_t low = duet__load64(p + 8);
    duet__store64(p + 8, low + n);
    duet__store64(p, duet__load64(p) + (low + n < low));
}

#endif
