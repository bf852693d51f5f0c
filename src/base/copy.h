/*
 * Copying a long secret without the vector registers that memcpy() leaves filled: whoever saves
 * these next (the dynamic linker, a signal) writes the secret to a stack that nobody wipes. Seen
 * with AVX-512 and glibc 2.36.
 */
#ifndef DUET_BASE_COPY_H
#define DUET_BASE_COPY_H

#include <stddef.h>
#include <stdint.h>

/** Copy size bytes, one by one; no overlap. */
static inline void
duet__copy_secret(uint8_t *out, const uint8_t *in, size_t size)
{
    volatile uint8_t *to = out;
    const volatile uint8_t *from = in;

    for (size_t i = 0; i < size; i++)
        to[i] = from[i];
}

#endif
