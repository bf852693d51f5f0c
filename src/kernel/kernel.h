/*
 * The kernels: AES-256-CTR and the SHA-256 compression for each CPU, behind one table.
 *
 * A kernel sees whole groups of 64 octets (one block of SHA-256, four counter blocks) and nothing
 * else: heads, tails and padding live once, in frame/. Libcrypto's objects are fetched here, once.
 */
#ifndef DUET_KERNEL_H
#define DUET_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/** An AES-256 key as the chosen kernel wants it: 15 round keys, or the key alone. */
struct duet__key {
    _Alignas(16) uint8_t octets[240];
};

/**
 * One kernel. Each function that uses the cipher returns 0, or -1 when libcrypto failed; then what
 * it wrote means nothing. No kernel branches on data or keys, or looks anything up by them.
 */
struct duet__kernel {
    const char *name;

    void (*set_key)(struct duet__key *key, const uint8_t raw[32]);

    /** Keystream of four counter blocks, the first being block. */
    int (*keystream)(const struct duet__key *key, const uint8_t block[16], uint8_t out[64]);

    /** Compress groups of 64 octets into the chain (FIPS 180-4 §6.2.2). */
    void (*compress)(uint32_t chain[8], const uint8_t *in, size_t groups);

    /** Hash the plaintext `in` into the chain and encipher it to `out`; out may be in. */
    int (*seal)(const struct duet__key *key, const uint8_t block[16], uint32_t chain[8],
                uint8_t *out, const uint8_t *in, size_t groups);

    /** Decipher `in` to `out` and hash that into the chain; out may be in. */
    int (*open)(const struct duet__key *key, const uint8_t block[16], uint32_t chain[8],
                uint8_t *out, const uint8_t *in, size_t groups);
};

/** The constants of SHA-256's rounds, FIPS 180-4 §4.2.2; aligned to 16 octets. */
extern const uint32_t duet__sha256_constants[64];

/** The portable kernel: libcrypto's AES, SHA-256 in plain C. */
extern const struct duet__kernel duet__kernel_portable;

#if defined(__x86_64__)
/** AES-NI and SHA-NI, fused; and whether this processor has both. */
extern const struct duet__kernel duet__kernel_x86_ni;
int duet__kernel_x86_ni_fits(void);
#endif

/** The kernels that this build holds and this processor can run, best first: the i-th, or NULL. */
const struct duet__kernel *duet__kernel_at(size_t i);

/** Prepare the portable kernel. Returns 0, or -1 without libcrypto's AES-256-CTR. Called once. */
int duet__kernel_portable_init(void);

/** Choose a kernel. Returns 0, or -1 when not even the portable one works. Called once, by
 * duet_init(). */
int duet__kernel_choose(void);

/** The chosen kernel; NULL before duet_init(). */
const struct duet__kernel *duet__kernel(void);

#endif
