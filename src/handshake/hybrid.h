/*
 * Hybrid handshakes: ML-KEM-768 beside X25519, by the extension `kem` of params (docs/protocol.md
 * §4 "Hybrid").
 */
#ifndef DUET_HANDSHAKE_HYBRID_H
#define DUET_HANDSHAKE_HYBRID_H

#include "base/reader.h"
#include "crypto/mlkem.h"
#include "wire/wire.h"

struct duet__params;

/** One party's part of it. */
struct duet__hybrid {
    enum duet_hybrid setting;       /* OFF where this party can not, or may not, take part */
    int offered;                    /* TOP: 1: m1 bears our key */
    int agreed;                     /* 1: shared is known, and becomes part of S */
    struct duet__mlkem *pair;       /* TOP: until m2 is read */
    uint8_t draw[DUET__MLKEM_SEED]; /* random: TOP's seed, or BOTTOM's m */
    uint8_t *bytes; /* TOP: our key. BOTTOM, once agreed: our ciphertext. DUET__MLKEM_KEY bytes,
                       beside the handshake's message */
    uint8_t shared[DUET__MLKEM_SHARED];
};

/** TOP, before m1 is written: make a key pair, unless the setting is OFF. Returns DUET_OK,
 * DUET_E_CRYPTO. */
int duet__hybrid_offer(struct duet__hybrid *hybrid);

/** Write the extension, if there is one to write. */
void duet__hybrid_write(const struct duet__hybrid *hybrid, struct duet__writer *to);

/** BOTTOM has m1's params: answer the offer. Returns DUET_OK; DUET_E_PROTOCOL; DUET_E_UNTRUSTED
 * (none, and the setting requires it); DUET_E_CRYPTO. */
int duet__hybrid_answer(struct duet__hybrid *hybrid, const struct duet__params *theirs);

/** TOP has m2's params: take the answer. Returns as duet__hybrid_answer(). */
int duet__hybrid_take(struct duet__hybrid *hybrid, const struct duet__params *theirs);

/** Wipe, and free the key pair. */
void duet__hybrid_wipe(struct duet__hybrid *hybrid);

#endif
