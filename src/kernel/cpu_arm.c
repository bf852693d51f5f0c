/*
 * What a 64-bit ARM processor has of what the kernels need. The instructions that would tell are
 * not for programs, so the system is asked, unless the compiler's target has it all in any case.
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

/* Of AT_HWCAP, as the kernel's interface for ARM fixes them. */
enum { HWCAP_WITH_AES = 1 << 3, HWCAP_WITH_SHA2 = 1 << 6 };

unsigned
duet__cpu(void)
{
    unsigned long told = getauxval(AT_HWCAP);
    unsigned has = 0;

    if (told & HWCAP_WITH_AES)
        has |= DUET__CPU_AES;
    if (told & HWCAP_WITH_SHA2)
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
