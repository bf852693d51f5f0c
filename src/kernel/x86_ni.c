/*
 * The kernel for x86-64 processors with AES-NI and the SHA extensions: encryption and hash in one
 * pass (see x86_pass.h). This file has the parts of the cipher. It needs no AVX, which small
 * processors with the SHA extensions lack.
 */
#if defined(__x86_64__)

#define SUM(k, w, x)   DO("movdqa " w ", " x) DO("paddd " k ", " x)
#define ALIGN(b, w, x) DO("movdqa " w ", " x) DO("palignr $4, " b ", " x)

/* A lane's four blocks are in registers 13 to 15 and 0; a round's key is read from memory. */
#define ONE(what, l, i, x) DO(what " 16*" #i "(%[key" #l "]), %%xmm" x)
#define THREE(what, l, i)  ONE(what, l, i, "13") ONE(what, l, i, "14") ONE(what, l, i, "15")
#define FOUR(what, l, i)   THREE(what, l, i) ONE(what, l, i, "0")
#define ROUND(l, i)        FOUR("aesenc", l, i)
#define READ(l, place, x)  DO("movdqa " AT(l, place) ", %%xmm" x)
#define WRITE(l, place, x) DO("movdqa %%xmm" x ", " AT(l, place))
#define COUNT(l, place, x)                                                                         \
    READ(l, place, x) DO("pshufb %[counter_bytes], %%xmm" x) DO("addq $4, " AT(l, place))
#define TAKE_THREE(l) READ(l, "64", "13") READ(l, "80", "14") READ(l, "96", "15")
#define TAKE(l)       TAKE_THREE(l) READ(l, "112", "0")
#define PUT_THREE(l)  WRITE(l, "64", "13") WRITE(l, "80", "14") WRITE(l, "96", "15")
#define PUT(l)        PUT_THREE(l) WRITE(l, "112", "0")
#define FINISH(l, place, x)                                                                        \
    DO("movdqu " place "(%[in" #l "]), %%xmm0")                                                    \
    DO("pxor %%xmm0, %%xmm" x) DO("movdqu %%xmm" x ", " place "(%[out" #l "])")

#define COUNT_TWO(l)     COUNT(l, "0", "13") COUNT(l, "16", "14")
#define COUNT_ALL(l)     COUNT_TWO(l) COUNT(l, "32", "15") COUNT(l, "48", "0")
#define LAST_THREE(l)    THREE("aesenc", l, 12) THREE("aesenc", l, 13) THREE("aesenclast", l, 14)
#define LAST(what, l, i) ONE(what, l, i, "13")
#define LAST_ONE(l)      LAST("aesenc", l, 12) LAST("aesenc", l, 13) LAST("aesenclast", l, 14)
#define FINISH_THREE(l)  FINISH(l, "0", "13") FINISH(l, "16", "14") FINISH(l, "32", "15")

#define CIPHER_0(l) COUNT_ALL(l) FOUR("pxor", l, 0) ROUND(l, 1) ROUND(l, 2) ROUND(l, 3) PUT(l)
#define CIPHER_1(l) TAKE(l) ROUND(l, 4) ROUND(l, 5) ROUND(l, 6) ROUND(l, 7) PUT(l)
#define CIPHER_2(l) TAKE(l) ROUND(l, 8) ROUND(l, 9) ROUND(l, 10) ROUND(l, 11) PUT(l)
/* The fourth block comes last: what is read needs a register. */
#define CIPHER_3(l)                                                                                \
    TAKE_THREE(l)                                                                                  \
    LAST_THREE(l) FINISH_THREE(l) READ(l, "112", "13") LAST_ONE(l) FINISH(l, "48", "13")

#include "kernel/x86_pass.h"

const struct duet__kernel duet__kernel_x86_ni = {"x86_ni", set_key, keystream, compress, compress2,
                                                 seal,     open,    seal2,     open2};

#else

typedef int duet__no_x86_ni; /* a file is not empty */

#endif
