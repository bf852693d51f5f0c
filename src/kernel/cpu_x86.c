/*
 * The features of an x86-64 processor, by cpuid. Wide registers count only if the system saves them
 * when it switches tasks (OSXSAVE, then XCR0).
 */
#include "kernel/kernel.h"

#if defined(__x86_64__)

#include <cpuid.h>

/* XCR0: SSE and AVX, and the three parts of AVX-512's registers too */
enum { XCR0_AVX = 0x06, XCR0_AVX512 = 0xe6 };

static unsigned
saved_registers(unsigned basic)
{
    unsigned low = 0, high;

    if (basic & bit_OSXSAVE)
        __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int
is_amd(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx && c == signature_AMD_ecx &&
           d == signature_AMD_edx;
}

unsigned
duet__cpu(void)
{
    unsigned a, b, c, d, basic, saved;
    unsigned has = is_amd() ? DUET__CPU_AMD : 0;

    if (!__get_cpuid(1, &a, &b, &basic, &d) || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    if ((basic & bit_SSSE3) && (basic & bit_SSE4_1))
        has |= DUET__CPU_SSE4;
    if (basic & bit_AES)
        has |= DUET__CPU_AES;
    if (b & bit_SHA)
        has |= DUET__CPU_SHA;
    saved = saved_registers(basic);
    if (c & bit_VAES)
        has |= DUET__CPU_VAES;
    if ((b & bit_AVX512F) && (b & bit_AVX512VL) && (saved & XCR0_AVX512) == XCR0_AVX512)
        has |= DUET__CPU_VL;
    if ((b & bit_AVX2) && (b & bit_BMI) && (b & bit_BMI2) && (saved & XCR0_AVX) == XCR0_AVX)
        has |= DUET__CPU_AVX2;
    return has;
}

#endif
