/*
 * The raw direction: frames sealed and opened under keys that the caller brings.
 *
 * For a peer with a key schedule of its own, and for programs that want nothing but the frame. Does
 * no I/O, allocates nothing, reads no clock, and never changes keys by itself. Most programs want a
 * channel (channel.h) or a session (session.h). Source: docs/protocol.md §1, §3 "The raw
 * direction".
 */
#ifndef DUET_FRAME_H
#define DUET_FRAME_H

#include <duet/error.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DUET_HEADER_SIZE    16u                                /**< bytes before the payload */
#define DUET_MAC_SIZE       8u                                 /**< bytes after it */
#define DUET_FRAME_OVERHEAD (DUET_HEADER_SIZE + DUET_MAC_SIZE) /**< bytes that a frame adds */
#define DUET_MATERIAL_SIZE  32u         /**< bytes of material that a rekey mixes into the chain */
#define DUET_CODE_APP_MAX   0xFFFFFEFFu /**< the last code of the application */
#define DUET_CODE_PAD       0xFFFFFF04u /**< padding, which the peer ignores */
#define DUET_CODE_MORE      0xFFFFFF09u /**< a part of a message that goes on */

#if defined(__cplusplus)
#define DUET_ALIGNED alignas(16)
#else
#define DUET_ALIGNED _Alignas(16)
#endif

/** The cipher of one direction, in the caller's memory, aligned to 16 bytes. What is inside is
 * private and may change. One thread at a time. NEVER SEAL WITH A COPY OF IT, nor on both sides of
 * a fork: the keystream would repeat. At its end duet_wipe() it, sizeof(duet_cipher) bytes: then
 * every call on it returns DUET_E_MISUSE. */
typedef struct duet_cipher {
    DUET_ALIGNED uint64_t opaque[64];
} duet_cipher;

/**
 * Start a cipher from a given state.
 *
 * cipher  out: ready to seal or to open, never both.
 * key     in: 32 bytes, the AES-256 key.
 * block   in: 16 bytes, the first counter block. A pair (key, block) must never be used again.
 * chain   in: 32 SECRET bytes, the SHA-256 state. With a known chain, anyone who knows the
 *         plaintext can forge frames.
 * seq     the first frame's number.
 * limit   bytes, the largest payload that opening accepts.
 *
 * Returns DUET_OK, or DUET_E_CRYPTO (libcrypto has no AES-256-CTR), and every call on it returns
 * DUET_E_MISUSE.   Source: docs/protocol.md §3 "The raw cipher".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_cipher_init(duet_cipher *cipher, const uint8_t key[32],
                                           const uint8_t block[16], const uint8_t chain[32],
                                           uint32_t seq, uint32_t limit);

/**
 * Change the key of a cipher: a new epoch, whose key and counter block the caller has derived. The
 * chain (SHA-256) and the sequence number go on, so frames before and after it are one stream.
 *
 * cipher    between two frames. Both ends do it after the same frame.
 * key       in: 32 bytes, the new AES-256 key.
 * block     in: 16 bytes, the first counter block of the epoch. A pair (key, block) must never be
 *           used again.
 * material  in: DUET_MATERIAL_SIZE bytes that both ends know, mixed into the chain as if they were
 *           a frame that is never sent; NULL: the chain is left as it is.
 *
 * Returns DUET_OK; with nothing changed DUET_E_MISUSE (a frame is under way, or the cipher was
 * never started) or what ended the cipher. Timing does not depend on key, block or material.
 * Source: docs/protocol.md §3 "The raw cipher".   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_cipher_rekey(duet_cipher *cipher, const uint8_t key[32],
                                            const uint8_t block[16], const uint8_t *material);

/**
 * Begin a frame: seal its header. Its payload follows, in one piece or in several.
 *
 * cipher   for sending, no frame begun.
 * header   out: DUET_HEADER_SIZE bytes.
 * code     any code: in the raw direction the caller decides about the whole frame.
 * len      bytes of payload that will follow, all of them, 0 to 2^32 - 1. After 0, call
 *          duet_cipher_seal_piece() once with 0 bytes.
 *
 * Returns DUET_OK; DUET_E_MISUSE with nothing changed; DUET_E_CRYPTO: the cipher is wiped, and
 * every later call returns that. Timing depends on len only.
 * Source: docs/protocol.md §1.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_cipher_seal_begin(duet_cipher *cipher,
                                                 uint8_t header[DUET_HEADER_SIZE], uint32_t code,
                                                 uint32_t len);

/**
 * Seal the next piece of the frame that was begun. The piece that completes it also gives the MAC.
 *
 * out     out: len bytes, and DUET_MAC_SIZE more when this piece completes the payload. May be the
 *         same as in, else no overlap.
 * put     out: bytes written.
 * in      in: len bytes of payload.
 * len     bytes, at most what is left of the payload.
 *
 * Returns, timing and source as duet_cipher_seal_begin(); DUET_E_MISUSE when no frame is begun or
 * len is too large.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_cipher_seal_piece(duet_cipher *cipher, uint8_t *out, size_t *put,
                                                 const uint8_t *in, size_t len);

/**
 * Open a frame's header.
 *
 * cipher   for receiving, no frame begun.
 * code     out: the frame's code. Not yet authenticated: it may decide where bytes are put, nothing
 *          else.
 * len      out: bytes of payload that follow. Not yet authenticated.
 * header   in: DUET_HEADER_SIZE bytes from the wire.
 *
 * Returns DUET_OK; DUET_E_MISUSE with nothing changed; DUET_E_CHECKSUM, DUET_E_SEQUENCE,
 * DUET_E_TOO_LONG, checked in this order, or DUET_E_CRYPTO: the cipher is wiped, and every later
 * call returns that. Timing depends on the outcome only.
 * Source: docs/protocol.md §1 "A receiver".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_cipher_open_header(duet_cipher *cipher, uint32_t *code,
                                                  uint32_t *len,
                                                  const uint8_t header[DUET_HEADER_SIZE]);

/**
 * Open the next bytes of that frame, payload and then MAC.
 *
 * out     out: the payload among in, decrypted but NOT VERIFIED before this returns DUET_OK. May be
 *         the same as in, else no overlap. The caller wipes it when opening fails.
 * put     out: bytes of payload written, at most len.
 * in      in: len bytes from the wire.
 * len     bytes, at most what is left of payload and MAC.
 *
 * Returns DUET_OK when the frame is complete and its MAC is right; DUET_AGAIN while it is not
 * complete; DUET_E_MISUSE with nothing changed; DUET_E_FORGED or DUET_E_CRYPTO: the cipher is
 * wiped, and every later call returns that. Timing depends on len only; the MAC is compared in
 * constant time.   Source: docs/protocol.md §1.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_cipher_open_piece(duet_cipher *cipher, uint8_t *out, size_t *put,
                                                 const uint8_t *in, size_t len);

#ifdef __cplusplus
}
#endif

#endif
