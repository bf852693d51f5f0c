/*
 * The Noise Protocol Framework, revision 34, for four handshake patterns.
 *
 * NNpsk0 and XXpsk3 are the protocol's (docs/protocol.md §4); NN and XX are the same tokens without
 * a psk, for which test vectors are published. Curve 25519, AESGCM, SHA256.
 */
#ifndef DUET_HANDSHAKE_NOISE_H
#define DUET_HANDSHAKE_NOISE_H

#include "base/reader.h"
#include "crypto/hkdf.h"
#include "wire/wire.h"

enum duet__noise_kind { DUET__NOISE_NN, DUET__NOISE_XX, DUET__NOISE_NNPSK0, DUET__NOISE_XXPSK3 };

enum { DUET__NOISE_KEY = 32 };

struct duet__noise {
    enum duet__noise_kind kind;
    int initiator;
    unsigned message;           /* the next one, from 0 */
    uint8_t ck[WIRE_DIGEST];    /* chaining key */
    uint8_t h[WIRE_DIGEST];     /* handshake hash */
    uint8_t k[DUET__NOISE_KEY]; /* cipher key, once has_key */
    uint64_t n;                 /* its counter nonce */
    int has_key;
    uint8_t e[DUET__NOISE_KEY], s[DUET__NOISE_KEY]; /* private: ephemeral, static */
    uint8_t e_public[DUET__NOISE_KEY], s_public[DUET__NOISE_KEY];
    uint8_t re[DUET__NOISE_KEY], rs[DUET__NOISE_KEY]; /* the peer's, public */
    uint8_t psk[DUET__NOISE_KEY];
};

/** Initialize (§5.3): kind and prologue; e, s with its public key, and psk are set beforehand by
 * the caller. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__noise_begin(struct duet__noise *noise, enum duet__noise_kind kind, int initiator,
                      struct duet__bytes prologue);

/** WriteMessage. Returns DUET_OK; DUET_E_PROTOCOL (an all-zero X25519 result); DUET_E_ROOM;
 * DUET_E_CRYPTO. After a failure the state must not be used. */
int duet__noise_write(struct duet__noise *noise, struct duet__writer *to,
                      struct duet__bytes payload);

/** ReadMessage, in place: *payload lies within message. Returns DUET_OK; DUET_E_PROTOCOL (too
 * short, an all-zero result); DUET_E_FORGED; DUET_E_CRYPTO. After a failure the state must not be
 * used. */
int duet__noise_read(struct duet__noise *noise, struct duet__bytes *payload, uint8_t *message,
                     size_t size);

/** 1 when all messages are written and read. */
int duet__noise_done(const struct duet__noise *noise);

/** Split (§5.2): k1 is the initiator's sending key. */
void duet__noise_split(const struct duet__noise *noise, uint8_t k1[DUET__NOISE_KEY],
                       uint8_t k2[DUET__NOISE_KEY]);

#endif
