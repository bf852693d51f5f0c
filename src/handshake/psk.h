/*
 * One shared secret W with the keys derived from it that are the same for every connection
 * (docs/protocol.md §2, §3, §4 psk).
 */
#ifndef DUET_HANDSHAKE_PSK_H
#define DUET_HANDSHAKE_PSK_H

#include "crypto/hkdf.h"
#include "handshake/dialect.h"
#include "secret/secret.h"
#include "wire/wire.h"

struct duet__psk {
    uint8_t *secret; /* owned: W */
    size_t size;     /* bytes */
    uint8_t id[DUET_SECRET_ID_SIZE];
    int64_t not_after;             /* Unix seconds, as duet_secret_not_after() */
    struct duet__hmac_key half[2]; /* of start()'s inner Extract, [DUET_TOP] and [DUET_BOTTOM] */
    struct duet__hmac_key noise;   /* of the Extract that gives Noise's psk */
    struct duet__dialect dialect;  /* §6; all zero: none */
};

/** Copy a secret and derive. Returns DUET_OK, DUET_E_LENGTH, DUET_E_MEMORY. */
int duet__psk_init(struct duet__psk *psk, const uint8_t *bytes, size_t size);

/** A role's half of the secret (§2). */
static inline struct duet__bytes
duet__psk_half(const struct duet__psk *psk, enum duet_role role)
{
    return (struct duet__bytes){psk->secret + (role == DUET_TOP ? 0 : psk->size / 2),
                                psk->size / 2};
}

/** 1 when it may be used at a time in Unix milliseconds; 0 there: no clock, so no limit. */
static inline int
duet__psk_valid(const struct duet__psk *psk, uint64_t now_ms)
{
    return psk->not_after == 0 || now_ms / 1000 <= (uint64_t)psk->not_after;
}

/** Wipe and release. */
void duet__psk_wipe(struct duet__psk *psk);

#endif
