/*
 * The raw direction: frames sealed and opened under keys that the caller brings.
 *
 * For a peer with a key schedule of its own, and for those who want nothing but the frame. Nothing
 * here reads, writes, allocates or keeps time. Sessions (session.h) are what most programs want.
 * Source: docs/protocol.md, sections 1 and 3, "The raw direction".
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
#define DUET_MAC_SIZE       8u                                 /**< bytes behind it */
#define DUET_FRAME_OVERHEAD (DUET_HEADER_SIZE + DUET_MAC_SIZE) /**< bytes a frame adds */
#define DUET_CODE_APP_MAX   0xFFFFFEFFu /**< the last code of the application */
#define DUET_CODE_MORE      0xFFFFFF09u /**< a message that goes on */

#if defined(__cplusplus)
#define DUET_ALIGNED alignas(16)
#else
#define DUET_ALIGNED _Alignas(16)
#endif

/** One direction. The caller's memory, aligned to 16 bytes; what is inside is private and may
 * change. NEVER SEAL BY A COPY OF IT, nor by both sides of a fork: the keystream would repeat. */
typedef struct duet_cipher {
    DUET_ALIGNED uint64_t opaque[64];
} duet_cipher;

/**
 * Start a direction from a state as it is.
 *
 * d      out: the direction, ready to seal or to open, never both.
 * key    in: 32 bytes, the AES-256 key.
 * block  in: 16 bytes, the first counter block. A pair (key, block) must never be used again.
 * chain  in: 32 SECRET bytes, the SHA-256 state. With a chain that is known, whoever knows the
 *        plaintext can forge.
 * seq    the first frame's number.
 * limit  bytes, the largest payload that opening accepts.
 *
 * Returns DUET_OK, or DUET_E_CRYPTO (libcrypto has no AES-256-CTR).
 * Source: docs/protocol.md §3 "The raw direction".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_cipher_init_raw(duet_cipher *d, const uint8_t key[32],
                                               const uint8_t block[16], const uint8_t chain[32],
                                               uint32_t seq, uint32_t limit);

/**
 * Wipe a direction.
 *
 * d   may be NULL, or never started. Afterwards every call on it says DUET_E_MISUSE.
 *
 * Since 0.1.
 */
DUET_API void duet_cipher_wipe(duet_cipher *d);

/**
 * Seal one frame.
 *
 * d        sending direction, started, no frame begun. One thread at a time.
 * frame    out: len + DUET_FRAME_OVERHEAD bytes; payload may lie at frame + DUET_HEADER_SIZE (in
 *          place), else no overlap.
 * payload  in: len bytes, may be NULL when len is 0.
 * len      bytes, 0 to 2^32 - 1.
 * code     any code: in the raw direction the caller speaks for the whole frame.
 *
 * Returns DUET_OK; DUET_E_MISUSE with d and frame untouched; DUET_E_CRYPTO, d dead.
 * Timing depends on len only.   Source: docs/protocol.md §1.   Since 0.1.
 */
DUET_API int duet_seal(duet_cipher *d, uint8_t *frame, const uint8_t *payload, size_t len,
                       uint32_t code);

/**
 * Begin a frame whose payload follows in pieces; seals the header.
 *
 * header   out: DUET_HEADER_SIZE bytes.
 * len      bytes of payload that will follow, all of them, 0 to 2^32 - 1.
 *
 * Returns and source as duet_seal(). A frame of no payload is finished by duet_seal_piece() with 0
 * bytes.   Since 0.1.
 */
DUET_API int duet_seal_begin(duet_cipher *d, uint8_t header[DUET_HEADER_SIZE], uint32_t code,
                             uint32_t len);

/**
 * Seal the next piece of the frame that was begun; the piece that completes it also gives the MAC.
 *
 * out     out: len bytes, and DUET_MAC_SIZE more when this piece completes the payload; may be the
 *         same as in, else no overlap.
 * put     out: bytes written.
 * in      in: len bytes of payload.
 * len     bytes, at most what is left of the payload.
 *
 * Returns DUET_OK; DUET_E_MISUSE (no frame begun, too much) with nothing changed; DUET_E_CRYPTO, d
 * dead. Timing depends on len only.   Source: docs/protocol.md §1.   Since 0.1.
 */
DUET_API int duet_seal_piece(duet_cipher *d, uint8_t *out, size_t *put, const uint8_t *in,
                             size_t len);

/**
 * Open a frame's header.
 *
 * d        receiving direction, started, no frame begun.
 * code     out: the frame's code. Not yet authenticated: it may decide where bytes are put,
 *          nothing else.
 * len      out: bytes of payload that follow; also not yet authenticated.
 * header   in: DUET_HEADER_SIZE bytes as they came.
 *
 * Returns DUET_OK; DUET_E_MISUSE with nothing changed; DUET_E_CHECKSUM, DUET_E_SEQUENCE,
 * DUET_E_TOO_LONG in this order, or DUET_E_CRYPTO: d dead and wiped, the same answer from now on.
 * Timing depends on the outcome only.   Source: docs/protocol.md §1 "A receiver".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_open_header(duet_cipher *d, uint32_t *code, uint32_t *len,
                                           const uint8_t header[DUET_HEADER_SIZE]);

/**
 * Open the next bytes of the frame whose header was opened, payload and then MAC.
 *
 * out     out: the payload bytes among in, deciphered but NOT VERIFIED until this returns DUET_OK;
 *         may be the same as in, else no overlap. The caller wipes them when opening fails.
 * put     out: payload bytes written, len at most.
 * in      in: len bytes as they came.
 * len     bytes, at most what is left of payload and MAC.
 *
 * Returns DUET_OK when the frame is complete and its MAC is right; DUET_AGAIN while it is not
 * complete; DUET_E_MISUSE with nothing changed; DUET_E_FORGED or DUET_E_CRYPTO: d dead and wiped.
 * Timing depends on len only; the MAC is compared in constant time.   Source: docs/protocol.md §1.
 * Since 0.1.
 */
DUET_API DUET_CHECKED int duet_open_piece(duet_cipher *d, uint8_t *out, size_t *put,
                                          const uint8_t *in, size_t len);

#ifdef __cplusplus
}
#endif

#endif
