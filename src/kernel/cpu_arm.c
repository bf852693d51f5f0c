/*
 * The features of a 64-bit ARM processor. The instructions that read them are privileged, so they
 * are taken from the system, unless the compiler's target has them in any case.
 */
#include "kernel/kernel.h"

#if defined(__aarch64__)

#if defined(__ARM_FEATURE_AES) && defined(__ARM_FEATURE_SHA2)

unsigned
duet__cpu(void)
{
    return DUET__CPU_AES | DUET__CPU_SHA;
}

#elif __has_include(<sys/auxv.h>)

#include <sys/auxv.h>

/* Bits of AT_HWCAP in Linux's ABI for ARM. */
enum { HWCAP_WITH_AES = 1 << 3, HWCAP_WITH_SHA2 = 1 << 6 };

unsigned
duet__cpu(void)
{
    unsigned long hwcap = getauxval(AT_HWCAP);
    unsigned has = 0;

    if (hwcap & HWCAP_WITH_AES)
        has |= DUET__CPU_AES;
    if (hwcap & HWCAP_WITH_SHA2)
        has |= DUET__CPU_SHA;
    return has;
}

#else

unsigned
duet__cpu(void)
{
    return 0;
}

#endif

#endif
