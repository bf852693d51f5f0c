/*
 * Wiping without a call, for the few bytes that each frame leaves behind. Elsewhere duet_wipe().
 */
#ifndef DUET_BASE_WIPE_H
#define DUET_BASE_WIPE_H

#include <stddef.h>
#include <string.h>

/** As duet_wipe(), for a size that the compiler knows. */
static inline void
duet__wipe_small(void *p, size_t size)
{
    memset(p, 0, size);
    __asm__ volatile("" : : "r"(p) : "memory"); /* as if it were read: no compiler leaves it out */
}

#endif
