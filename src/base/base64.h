/*
 * Base64 (RFC 4648 §4) in constant time: no branch and no index depends on what is encoded.
 *
 * Strict: padding must be right and the last digit's unused bits zero.
 */
#ifndef DUET_BASE_BASE64_H
#define DUET_BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/** Digits that size bytes take, padding included. */
#define DUET__BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/** Write DUET__BASE64_SIZE(size) digits, without a final NUL. */
void duet__base64_encode(char *out, const uint8_t *in, size_t size);

/**
 * Read size digits into at most cap bytes.
 *
 * Returns 0 with the number of bytes in *put, or -1: another character, wrong padding, too long.
 * The time depends on size, and on whether and where it fails, only.
 */
int duet__base64_decode(uint8_t *out, size_t cap, size_t *put, const char *in, size_t size);

#endif
