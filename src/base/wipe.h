/*
 * Zeroizing a few bytes without a call, and copying a secret so that no copy is left in registers.
 * Elsewhere duet_wipe() zeroizes.
 */
#ifndef DUET_BASE_WIPE_H
#define DUET_BASE_WIPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** As duet_wipe(), for a size that the compiler knows. */
static inline void
duet__wipe_small(void *p, size_t size)
{
    memset(p, 0, size);
    __asm__ volatile("" : : "r"(p) : "memory"); /* a read, so that the memset() is not removed */
}

/** Copy size bytes one by one, without the vector registers that memcpy() leaves filled: the next
 * to save these (a signal, the dynamic linker) would write the secret to a stack that nobody
 * wipes, as seen with AVX-512 and glibc 2.36. No overlap. */
static inline void
duet__copy_secret(uint8_t *out, const uint8_t *in, size_t size)
{
    volatile uint8_t *to = out;
    const volatile uint8_t *from = in;

    for (size_t i = 0; i < size; i++)
        to[i] = from[i];
}

/** Zeroize 8 KiB of the stack below the caller: where compilers and libcrypto, in functions that
 * have returned, may have left copies of secrets. Called once a handshake, a refresh, a session, or
 * the making, reading or setting of a key is done. */
void duet__wipe_stack(void);

#endif
