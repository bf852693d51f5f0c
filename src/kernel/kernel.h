/*
 * The kernels: AES-256-CTR and the SHA-256 compression for each CPU, behind one table.
 *
 * A kernel works on whole groups of 64 bytes (one block of SHA-256, four counter blocks) alone:
 * heads, tails and padding are in frame/, once. A new kernel is a file of its own, a line here and
 * a line in kernel.c.
 */
#ifndef DUET_KERNEL_H
#define DUET_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/** An AES-256 key in the form of the chosen kernel: 15 round keys, or the key alone. */
struct duet__key {
    _Alignas(16) uint8_t bytes[240];
};

/** Whole groups of one direction: where they are read and written. */
struct duet__run {
    const struct duet__key *key;
    const uint8_t *block; /* the first counter block, 16 bytes */
    uint32_t *chain;      /* 8 words: what the run's plaintext is hashed into */
    uint8_t *out;
    const uint8_t *in; /* may be out, else no overlap */
    size_t groups;     /* of 64 bytes */
};

/**
 * One kernel. Each function that uses the cipher returns 0, or -1 when libcrypto failed; then its
 * output is undefined. No branch and no index depends on data or keys.
 */
struct duet__kernel {
    const char *name;

    void (*set_key)(struct duet__key *key, const uint8_t raw[32]);

    /** Keystream of four counter blocks, the first being block. */
    int (*keystream)(const struct duet__key *key, const uint8_t block[16], uint8_t out[64]);

    /** Compress groups of 64 bytes into the chain (FIPS 180-4 §6.2.2). */
    void (*compress)(uint32_t chain[8], const uint8_t *in, size_t groups);

    /** The same for two independent chains at once, so many groups of each; in[1] may be in[0]. */
    void (*compress2)(uint32_t chain[2][8], const uint8_t *const in[2], size_t groups);

    /** Hash the plaintext `in` into the chain and encrypt it to `out`. */
    int (*seal)(const struct duet__run *run);

    /** Decrypt `in` to `out` and hash that into the chain. */
    int (*open)(const struct duet__run *run);

    /** seal and open for two independent directions at once; lengths may differ. */
    int (*seal2)(const struct duet__run run[2]);
    int (*open2)(const struct duet__run run[2]);
};

/** The constants of SHA-256's rounds, FIPS 180-4 §4.2.2; aligned to 16 bytes. */
extern const uint32_t duet__sha256_constants[64];

/** The portable kernel: libcrypto's AES, SHA-256 in plain C. */
extern const struct duet__kernel duet__kernel_portable;

#if defined(__x86_64__)
/** AES-NI and SHA-NI; VAES on 256-bit registers and SHA-NI, with AVX-512 and without; AES-NI and
 * AVX2. All are fused. */
extern const struct duet__kernel duet__kernel_x86_ni;
extern const struct duet__kernel duet__kernel_x86_vaes;
extern const struct duet__kernel duet__kernel_x86_vaes_avx2;
extern const struct duet__kernel duet__kernel_x86_avx2;
#endif

#if defined(__aarch64__)
/** ARMv8's AES and SHA2 extensions, fused. */
extern const struct duet__kernel duet__kernel_arm_ce;
#endif

/** Features of a processor, as bits. */
enum duet__cpu_feature {
    DUET__CPU_AES = 1,   /* AES-NI, or ARMv8's AES */
    DUET__CPU_SHA = 2,   /* SHA-NI, or ARMv8's SHA2 */
    DUET__CPU_SSE4 = 4,  /* SSSE3 and SSE4.1 */
    DUET__CPU_VAES = 8,  /* VAES */
    DUET__CPU_AVX2 = 16, /* AVX2, its registers saved by the system, and BMI1 and BMI2 */
    DUET__CPU_VL = 32,   /* AVX-512VL, its registers saved by the system */
    DUET__CPU_AMD = 64   /* made by AMD */
};

/** The features of this processor. */
unsigned duet__cpu(void);

/** A kernel and the features that it needs. */
struct duet__kernel_entry {
    const struct duet__kernel *kernel;
    unsigned needs;
};

/** The first of count entries that has the features it needs and passes the self-test against the
 * portable kernel; with a name only that one. NULL: none. */
const struct duet__kernel *duet__kernel_pick(const struct duet__kernel_entry *from, size_t count,
                                             unsigned features, const char *name);

/** The i-th kernel of this build that this processor can run, fastest first; or NULL. */
const struct duet__kernel *duet__kernel_at(size_t i);

/** Set up the portable kernel. Returns 0, or -1 without libcrypto's AES-256-CTR. Called once. */
int duet__kernel_portable_init(void);

/** Choose a kernel. Returns 0, or -1 when not even the portable one works. Called once, by
 * duet__init(). */
int duet__kernel_choose(void);

/** Set once by duet__kernel_choose(), then only read: use duet__kernel(). */
extern const struct duet__kernel *duet__kernel_chosen;

/** The chosen kernel; NULL before duet__init(). */
static inline const struct duet__kernel *
duet__kernel(void)
{
    return duet__kernel_chosen;
}

#endif
