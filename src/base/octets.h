/*
 * Octets and integers: big-endian load and store, and xor.
 *
 * All integers of the protocol are big-endian (docs/protocol.md, "Notation").
 */
#ifndef DUET_BASE_OCTETS_H
#define DUET_BASE_OCTETS_H

#include <stddef.h>
#include <stdint.h>

static inline uint16_t
duet__load16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t
duet__load32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t
duet__load64(const uint8_t *p)
{
    return (uint64_t)duet__load32(p) << 32 | duet__load32(p + 4);
}

static inline void
duet__store16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void
duet__store32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline void
duet__store64(uint8_t *p, uint64_t v)
{
    duet__store32(p, (uint32_t)(v >> 32));
    duet__store32(p + 4, (uint32_t)v);
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
