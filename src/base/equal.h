/*
 * Comparison in constant time, for all bytes that a secret or a peer may have made.
 */
#ifndef DUET_BASE_EQUAL_H
#define DUET_BASE_EQUAL_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

/** 1 when the n bytes are equal, else 0; the time depends on n only. */
static inline int
duet__equal(const uint8_t *a, const uint8_t *b, size_t n)
{
    volatile uint64_t difference = 0;
    for (; n >= sizeof(uint64_t); n -= sizeof(uint64_t)) {
        difference |= duet__load64(a) ^ duet__load64(b);
        a += sizeof(uint64_t);
        b += sizeof(uint64_t);
    }
    for (size_t i = 0; i < n; i++)
        difference |= (uint64_t)(a[i] ^ b[i]);
    uint64_t all = difference;
    return (int)(1 - ((all | (0 - all)) >> 63));
}

#endif
