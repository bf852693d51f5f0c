/*
 * What the kernels are held to: libcrypto's AES-256-CTR and its SHA-256 from a chain, bytes drawn
 * by a seed, and guards around what is written.
 */
#ifndef TESTS_KERNEL_ORACLE_H
#define TESTS_KERNEL_ORACLE_H

#include <stddef.h>
#include <stdint.h>

enum { ORACLE_GUARD = 64 };

/** Bytes that look random and are the same in each run. */
void oracle_draw(void *out, size_t size);

/** A counter block; every other one wraps soon, at 2^64 or at 2^128. */
void oracle_block(uint8_t block[16]);

/** AES-256-CTR from any counter block. */
void oracle_ctr(const uint8_t key[32], const uint8_t block[16], const uint8_t *in, uint8_t *out,
                size_t size);

/** SHA-256's compression of groups of 64 bytes into the chain. */
void oracle_compress(uint32_t chain[8], const uint8_t *in, size_t groups);

/** SHA-256 from the chain as if at byte zero, with padding (docs/protocol.md §1 "MAC"). */
void oracle_hash(uint32_t chain[8], const uint8_t *in, size_t size);

/** Fill the bytes around a buffer, and hold that none of them has changed. */
void oracle_guard(uint8_t *at, size_t size);
void oracle_assert_guards(const uint8_t *at, size_t size);

#endif
