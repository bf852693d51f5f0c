/*
 * The kernel for x86-64 processors with VAES on 256-bit registers and the SHA extensions, without
 * AVX-512: as x86_ni, with half the instructions for the cipher.
 *
 * The SHA instructions have no form for registers whose upper halves are in use: once such a half
 * was written, each change between them and other forms costs 50 ns, on AMD's Zen 3 too. So each
 * part of the cipher ends with vzeroupper, and its blocks are in memory meanwhile.
 */
#if defined(__x86_64__)

#define SUM(k, w, x)   DO("vpaddd " k ", " w ", " x)
#define ALIGN(b, w, x) DO("vpalignr $4, " b ", " w ", " x)

/* A lane's two pairs of blocks are in registers 13 and 14; 15 is for the round's key. */
#define KEY(l, i)          DO("vbroadcasti128 16*" #i "(%[key" #l "]), %%ymm15")
#define ONE(what, y)       DO(what " %%ymm15, %%ymm" y ", %%ymm" y)
#define BOTH(what)         ONE(what, "13") ONE(what, "14")
#define ROUND(l, i)        KEY(l, i) BOTH("vaesenc")
#define READ(l, place, y)  DO("vmovdqa " AT(l, place) ", %%ymm" y)
#define WRITE(l, place, y) DO("vmovdqa %%ymm" y ", " AT(l, place))
#define COUNT(l, place, y)                                                                         \
    READ(l, place, "15")                                                                           \
    DO("vpshufb %[counter_bytes], %%ymm15, %%ymm" y)                                               \
    DO("vpaddq %[blocks_each], %%ymm15, %%ymm15") WRITE(l, place, "15")
#define TAKE(l) READ(l, "64", "13") READ(l, "96", "14")
#define PUT(l)  WRITE(l, "64", "13") WRITE(l, "96", "14") DO("vzeroupper")
#define FINISH(l, place, y)                                                                        \
    DO("vpxor " place "(%[in" #l "]), %%ymm" y ", %%ymm" y)                                        \
    DO("vmovdqu %%ymm" y ", " place "(%[out" #l "])")

#define CIPHER_0(l)                                                                                \
    COUNT(l, "0", "13")                                                                            \
    COUNT(l, "32", "14") KEY(l, 0) BOTH("vpxor") ROUND(l, 1) ROUND(l, 2) ROUND(l, 3) PUT(l)
#define CIPHER_1(l) TAKE(l) ROUND(l, 4) ROUND(l, 5) ROUND(l, 6) ROUND(l, 7) PUT(l)
#define CIPHER_2(l) TAKE(l) ROUND(l, 8) ROUND(l, 9) ROUND(l, 10) ROUND(l, 11) PUT(l)
#define CIPHER_3(l)                                                                                \
    TAKE(l)                                                                                        \
    ROUND(l, 12)                                                                                   \
    ROUND(l, 13)                                                                                   \
    KEY(l, 14) BOTH("vaesenclast") FINISH(l, "0", "13") FINISH(l, "32", "14") DO("vzeroupper")

#include "kernel/x86_pass.h"

const struct duet__kernel duet__kernel_x86_vaes_avx2 = {
    "x86_vaes_avx2", set_key, keystream, compress, compress2, seal, open, seal2, open2};

#else

typedef int duet__no_x86_vaes_avx2; /* a file is not empty */

#endif
