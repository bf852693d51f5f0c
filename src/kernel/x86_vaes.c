/*
 * The kernel for x86-64 processors with VAES on 256-bit registers and the SHA extensions: as
 * x86_ni, with half the instructions for the cipher.
 *
 * The SHA instructions have no form that preserves the upper halves of registers 0 to 15: once such
 * a half was written, each change between them and 256-bit instructions costs some processors 50
 * ns. Registers 16 to 31 have no such cost. No compiler can be told to use these alone, so the
 * steps are in assembler, and the file is compiled without AVX-512: the compiler does not know
 * those registers, so they keep their contents from one step to the next. Other code does use them,
 * such as libc's memcpy(), so the object calls nothing, which scripts/symbols checks.
 */
#if defined(__x86_64__)

#if defined(__AVX512F__)
#error "the compiler would use registers 16 to 31 itself: compile this file with -mno-avx512f"
#endif

#include "kernel/x86.h"

#include "base/public.h"

/** Two blocks in memory, at any address. */
struct __attribute__((packed, may_alias)) pair {
    uint8_t bytes[32];
};

/* A lane's two pairs of blocks are in registers x and y; z is for the round's key. */
#define KEY(z) "vbroadcasti32x4 %[key], %%ymm" z "\n\t"
#define BOTH(what, x, y, z)                                                                        \
    what " %%ymm" z ", %%ymm" x ", %%ymm" x "\n\t" what " %%ymm" z ", %%ymm" y ", %%ymm" y "\n\t"

#define WHITEN(x, y, z)                                                                            \
    __asm__ volatile("vmovdqa64 %[b0], %%xmm" x "\n\t"                                             \
                     "vmovdqa64 %[b2], %%xmm" y "\n\t"                                             \
                     "vinserti32x4 $1, %[b1], %%ymm" x ", %%ymm" x "\n\t"                          \
                     "vinserti32x4 $1, %[b3], %%ymm" y ", %%ymm" y "\n\t" KEY(z)                   \
                         BOTH("vpxord", x, y, z)                                                   \
                     :                                                                             \
                     : [b0] "x"(b[0]), [b1] "x"(b[1]), [b2] "x"(b[2]), [b3] "x"(b[3]),             \
                       [key] "m"(lane->round[0]))

#define ROUND(what, x, y, z)                                                                       \
    __asm__ volatile(KEY(z) BOTH(what, x, y, z) : : [key] "m"(lane->round[step]))

#define FINISH(x, y)                                                                               \
    __asm__ volatile("vpxord %[in0], %%ymm" x ", %%ymm" x "\n\t"                                   \
                     "vpxord %[in1], %%ymm" y ", %%ymm" y "\n\t"                                   \
                     "vmovdqu64 %%ymm" x ", %[out0]\n\t"                                           \
                     "vmovdqu64 %%ymm" y ", %[out1]\n\t"                                           \
                     : [out0] "=m"(out[0]), [out1] "=m"(out[1])                                    \
                     : [in0] "m"(in[0]), [in1] "m"(in[1]))

#define STEPS(x, y, z)                                                                             \
    do {                                                                                           \
        if (step == 0)                                                                             \
            WHITEN(x, y, z);                                                                       \
        else if (step < ROUNDS)                                                                    \
            ROUND("vaesenc", x, y, z);                                                             \
        else if (step == ROUNDS)                                                                   \
            ROUND("vaesenclast", x, y, z);                                                         \
        else                                                                                       \
            FINISH(x, y);                                                                          \
    } while (0)

static ALWAYS void
aes_step(unsigned l, unsigned step, __m128i b[BLOCKS], const struct lane *lane)
{
    const struct pair *in = (const void *)lane->in;
    struct pair *out = (void *)lane->out;

    if (step == 0)
        DUET__PUBLIC(b, BLOCKS * sizeof *b); /* a counter is a nonce */
    if (l == 0)
        STEPS("16", "17", "18");
    else
        STEPS("19", "20", "21");
}

static inline void
wipe_registers(void)
{
    __asm__ volatile("vpxord %xmm16, %xmm16, %xmm16\n\t"
                     "vpxord %xmm17, %xmm17, %xmm17\n\t"
                     "vpxord %xmm18, %xmm18, %xmm18\n\t"
                     "vpxord %xmm19, %xmm19, %xmm19\n\t"
                     "vpxord %xmm20, %xmm20, %xmm20\n\t"
                     "vpxord %xmm21, %xmm21, %xmm21");
}

const struct duet__kernel duet__kernel_x86_vaes = {"x86_vaes", set_key, keystream, compress,
                                                   seal,       open,    seal2,     open2};

#else

typedef int duet__no_x86_vaes; /* a file is not empty */

#endif
