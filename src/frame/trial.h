/*
 * Secrets tried on a first header, two at once (docs/protocol.md §4 "Several secrets").
 *
 * start() (§3) computes R, K, C and Z, and hashes Z. A header needs R, K and C alone: 10 of the 14
 * compressions. Those of two secrets go through the kernel together.
 */
#ifndef DUET_FRAME_TRIAL_H
#define DUET_FRAME_TRIAL_H

#include "frame/cipher.h"

/** What the trials of one header share, and room for the keys of two of them. */
struct duet__trial {
    uint8_t header[DUET_HEADER_SIZE]; /* as it arrived */
    /* Messages of HMAC, padded; those with K differ, so each of the two has its own. */
    uint8_t hello[2 * WIRE_GROUP];     /* info("hello") ‖ nonce ‖ 1 gives R */
    uint8_t first[WIRE_GROUP];         /* info("epoch") ‖ 1 gives K */
    uint8_t second[2][2 * WIRE_GROUP]; /* K ‖ info("epoch") ‖ 2 gives C and what is not needed */
    struct duet__hmac_key root[2];     /* of R */
    uint8_t out[2][WIRE_DIGEST];
    struct duet__key key;
};

/** Begin the trials of TOP's first header. */
void duet__trial_begin(struct duet__trial *trial, const uint8_t label[WIRE_DIGEST],
                       const uint8_t nonce[WIRE_NONCE], const uint8_t header[DUET_HEADER_SIZE]);

/** Decrypt the header by each of two keys of duet__cipher_prepare(), which may be one and the same.
 * Returns DUET_OK or DUET_E_CRYPTO. */
int duet__trial_two(struct duet__trial *trial, const struct duet__hmac_key *const half[2],
                    uint8_t clear[2][DUET_HEADER_SIZE]);

#endif
