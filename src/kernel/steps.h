/*
 * How a kernel interleaves AES-256 with SHA-256: a group of 64 bytes takes sixteen steps, each four
 * rounds of the hash and one round of the cipher for the group's four blocks.
 */
#ifndef DUET_KERNEL_STEPS_H
#define DUET_KERNEL_STEPS_H

#define ALWAYS inline __attribute__((always_inline))

/* AES-256's rounds, a group's counter blocks, and its steps of four SHA-256 rounds. */
enum { ROUNDS = 14, BLOCKS = 4, QUADS = 16 };

/* Sixteen steps with constant numbers, so that they are unrolled. */
#define SIXTEEN(STEP)                                                                              \
    do {                                                                                           \
        STEP(0);                                                                                   \
        STEP(1);                                                                                   \
        STEP(2);                                                                                   \
        STEP(3);                                                                                   \
        STEP(4);                                                                                   \
        STEP(5);                                                                                   \
        STEP(6);                                                                                   \
        STEP(7);                                                                                   \
        STEP(8);                                                                                   \
        STEP(9);                                                                                   \
        STEP(10);                                                                                  \
        STEP(11);                                                                                  \
        STEP(12);                                                                                  \
        STEP(13);                                                                                  \
        STEP(14);                                                                                  \
        STEP(15);                                                                                  \
    } while (0)

#endif
