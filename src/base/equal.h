/*
 * Comparison in constant time, for whatever a secret made. Nothing else compares such octets.
 */
#ifndef DUET_BASE_EQUAL_H
#define DUET_BASE_EQUAL_H

#include <stddef.h>
#include <stdint.h>

/** 1 when the n octets are equal, else 0; the time depends on n only. */
static inline int
duet__equal(const uint8_t *a, const uint8_t *b, size_t n)
{
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < n; i++)
        difference = (uint8_t)(difference | (a[i] ^ b[i]));
    return (int)(((unsigned)difference - 1u) >> 8 & 1u);
}

#endif
