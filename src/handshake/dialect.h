/*
 * Dialects: what one shared secret makes of the wire (docs/protocol.md §6). Obfuscation per use: an
 * opening of printable characters, and the numbers by which sizes and times are drawn.
 */
#ifndef DUET_HANDSHAKE_DIALECT_H
#define DUET_HANDSHAKE_DIALECT_H

#include "crypto/hkdf.h"
#include "wire/wire.h"

/** Both included. */
struct duet__range {
    uint32_t least, most;
};

/** A run of characters in an opening. */
struct duet__dialect_field {
    uint8_t length, alphabet;
};

/** All zero: no dialect. What it says shows on the wire, so nothing of it is secret. */
struct duet__dialect {
    int used;
    struct duet__dialect_field fields[2][WIRE_OPENING_FIELDS]; /* [DUET_TOP], [DUET_BOTTOM] */
    uint8_t count[2];                                          /* fields */
    uint8_t size[2];                                           /* bytes of each opening */
    uint8_t first[2];                                          /* writes that are filled */
    struct duet__range first_size;                             /* bytes of such a write */
    struct duet__range hello_size;                             /* bytes of a HELLO's flight */
    struct duet__range silence_ms, linger_ms; /* "Probing": before READY, after a violation */
};

/** Derive the dialect of a secret under a label (D). */
void duet__dialect_derive(struct duet__dialect *dialect, struct duet__bytes secret,
                          const uint8_t label[WIRE_DIGEST]);

/** Write a role's opening, dialect->size[role] bytes, by two random bytes for each. */
void duet__dialect_opening(const struct duet__dialect *dialect, enum duet_role role, uint8_t *out,
                           const uint8_t *random);

/** 1 when these could be a role's opening. */
int duet__dialect_fits(const struct duet__dialect *dialect, enum duet_role role,
                       const uint8_t *opening);

/** A number of a range by 64 random bits. */
static inline size_t
duet__range_draw(struct duet__range range, uint64_t random)
{
    return (size_t)(range.least + random % ((uint64_t)range.most - range.least + 1));
}

#endif
