/*
 * The kernel for x86-64 processors with AES-NI and the SHA extensions: encryption and hash in one
 * pass (see x86.h). This file has the cipher's steps, a round for each of the four blocks.
 */
#if defined(__x86_64__)

#include "kernel/x86.h"

static ALWAYS void
aes_step(unsigned l, unsigned step, __m128i b[BLOCKS], const struct lane *lane)
{
    (void)l; /* a lane's blocks are in b all the time */
    for (size_t i = 0; i < BLOCKS; i++) {
        if (step == 0)
            b[i] = _mm_xor_si128(b[i], lane->round[0]);
        else if (step < ROUNDS)
            b[i] = _mm_aesenc_si128(b[i], lane->round[step]);
        else if (step == ROUNDS)
            b[i] = _mm_aesenclast_si128(b[i], lane->round[ROUNDS]);
        else
            store(lane->out + 16 * i, _mm_xor_si128(b[i], load(lane->in + 16 * i)));
    }
}

static inline void
wipe_registers(void)
{
}

const struct duet__kernel duet__kernel_x86_ni = {"x86_ni", set_key, keystream, compress,
                                                 seal,     open,    seal2,     open2};

#else

typedef int duet__no_x86_ni; /* a file is not empty */

#endif
