/*
 * The features of an x86-64 processor, by cpuid. Wide registers count only if the system saves them
 * when it switches tasks (OSXSAVE, then XCR0).
 */
#include "kernel/kernel.h"

#if defined(__x86_64__)

#include <cpuid.h>

/* XCR0: SSE, AVX, and the three parts of AVX-512's registers */
enum { XCR0_WIDE = 0xe6 };

static int
saves_wide_registers(void)
{
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & XCR0_WIDE) == XCR0_WIDE;
}

unsigned
duet__cpu(void)
{
    unsigned a, b, c, d, basic;
    unsigned has = 0;

    if (!__get_cpuid(1, &a, &b, &basic, &d) || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    if ((basic & bit_SSSE3) && (basic & bit_SSE4_1))
        has |= DUET__CPU_SSE4;
    if (basic & bit_AES)
        has |= DUET__CPU_AES;
    if (b & bit_SHA)
        has |= DUET__CPU_SHA;
    if ((c & bit_VAES) && (b & bit_AVX512F) && (b & bit_AVX512VL) && (basic & bit_OSXSAVE) &&
        saves_wide_registers())
        has |= DUET__CPU_VAES;
    return has;
}

#endif
