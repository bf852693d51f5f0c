/*
 * The kernel for x86-64 processors with VAES on 256-bit registers of AVX-512VL and the SHA
 * extensions: as x86_ni, with half the instructions for the cipher.
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

/**
 * One step of sixteen of the cipher for the four blocks of lane l, which is 0 or 1: 0 is the
 * whitening of the counters in b, 1 to 13 a round, ROUNDS the last one, 15 the xor of in to out.
 * Between 0 and 15 the blocks are in registers of their own.
 */
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

/* It is in registers; an address of it would keep it in memory. */
static inline void
wipe_lane(struct lane *lane)
{
    (void)lane;
}

/* ---- Passes: a step of the cipher beside each step of the hash ---- */

static ALWAYS void
cipher_step(unsigned l, unsigned step, __m128i b[BLOCKS], struct lane *lane)
{
    for (unsigned i = 0; step == 0 && i < BLOCKS; i++)
        b[i] = next_block(&lane->counter);
    aes_step(l, step, b, lane);
}

static ALWAYS void
cipher_group(struct lane *lane)
{
    __m128i b[BLOCKS];

#define STEP(q) cipher_step(0, q, b, lane)
    SIXTEEN(STEP);
#undef STEP
    lane->in += 64;
    lane->out += 64;
}

static ALWAYS void
fused_step(unsigned q, struct lane *lane, unsigned n, __m128i m[LANES][4], __m128i b[LANES][BLOCKS])
{
    for (unsigned l = 0; l < n; l++) {
        sha_step(q, &lane[l].state, m[l], lane[l].text);
        cipher_step(l, q, b[l], &lane[l]);
    }
}

/** Hash and encrypt a group of each of n lanes. */
static ALWAYS void
fused_group(struct lane *lane, unsigned n)
{
    struct state begin[LANES];
    __m128i m[LANES][4], b[LANES][BLOCKS];

    for (unsigned l = 0; l < n; l++)
        begin[l] = lane[l].state;
#define STEP(q) fused_step(q, lane, n, m, b)
    SIXTEEN(STEP);
#undef STEP
    for (unsigned l = 0; l < n; l++) {
        add_state(&lane[l].state, &begin[l]);
        lane[l].text += 64;
        lane[l].in += 64;
        lane[l].out += 64;
    }
}

static ALWAYS void
pass(struct lane *lane, size_t groups)
{
    for (; groups > 0; groups--)
        fused_group(lane, 1);
}

static void
pass2(struct lane lane[LANES], size_t groups)
{
    struct lane local[LANES] = {lane[0], lane[1]};

    for (; groups > 0; groups--)
        fused_group(local, LANES);
    lane[0] = local[0];
    lane[1] = local[1];
}

const struct duet__kernel duet__kernel_x86_vaes = {
    "x86_vaes", set_key, keystream, compress, compress2, seal, open, seal2, open2};

#else

typedef int duet__no_x86_vaes; /* a file is not empty */

#endif
