/*
 * One direction inside: its key schedule (docs/protocol.md §3) and its frames (§1).
 *
 * A direction either seals or opens, never both. It knows nothing of codes' meanings; session/
 * does. duet_cipher of <duet/frame.h> is this struct in the caller's memory.
 */
#ifndef DUET_FRAME_CIPHER_H
#define DUET_FRAME_CIPHER_H

#include "crypto/hkdf.h"
#include "kernel/kernel.h"
#include "wire/wire.h"

#include <duet/frame.h>

enum duet__cipher_state {
    DUET__CIPHER_NONE,
    DUET__CIPHER_IDLE,
    DUET__CIPHER_IN_FRAME,
    DUET__CIPHER_DEAD
};

struct __attribute__((may_alias)) duet__cipher {
    struct duet__key key;       /* K as the kernel wants it */
    uint8_t block[WIRE_BLOCK];  /* C, of the frame's first block */
    uint32_t chain[8];          /* H */
    uint8_t root[WIRE_DIGEST];  /* R; unused in the raw direction */
    uint8_t group[WIRE_GROUP];  /* the unfinished group: plaintext so far, keystream behind it */
    uint8_t mac[DUET_MAC_SIZE]; /* opening: the MAC's bytes as they came */
    uint64_t at;                /* bytes of this frame that are done, header and MAC included */
    uint64_t blocks;            /* counter blocks in this epoch */
    uint32_t frames;            /* frames in this epoch */
    uint32_t seq;               /* the next frame's number, or this one's */
    uint32_t code, length;      /* of the frame that is begun */
    uint32_t limit;             /* bytes of payload that opening accepts */
    uint8_t rotate_frames;      /* exponents */
    uint8_t rotate_blocks;
    uint8_t state; /* enum duet__cipher_state */
    int8_t error;  /* once dead: the result that every call gives */
};

_Static_assert(sizeof(struct duet__cipher) <= sizeof(duet_cipher), "duet_cipher holds a direction");
_Static_assert(_Alignof(struct duet__cipher) <= _Alignof(duet_cipher), "and as kernels want it");

/** The inner Extract of start(), the same for every connection: Extract("duet/1 " ‖ role,
 * half). */
void duet__cipher_prepare(struct duet__hmac_key *key, enum duet_role role, const uint8_t *half,
                          size_t size);

/** What start() takes beside the direction. */
struct duet__cipher_start {
    const struct duet__hmac_key *key; /* of duet__cipher_prepare() */
    const uint8_t *label;             /* D */
    const char *use;                  /* "hello" or "preset" */
    struct duet__bytes salt;
};

/** §3 start(): seq 1, first epoch; limit and rotation numbers are the caller's to set afterwards.
 */
void duet__cipher_start(struct duet__cipher *d, const struct duet__cipher_start *with);

/** §3 rotate(fresh): a new epoch; the old R and K are wiped. No frame may be begun. label: D. */
void duet__cipher_rotate(struct duet__cipher *d, const uint8_t *label, struct duet__bytes fresh);

/** 1 when the count asks for a rotation (§3 "After a frame there is one decision"). */
int duet__cipher_due(const struct duet__cipher *d);

/** Wipe the direction; every later call says error. */
void duet__cipher_kill(struct duet__cipher *d, int error);

/* As the public calls of the same names. */
int duet__cipher_seal_begin(struct duet__cipher *d, uint8_t *header, uint32_t code, uint32_t len);
int duet__cipher_seal_piece(struct duet__cipher *d, uint8_t *out, size_t *put, const uint8_t *in,
                            size_t len);
int duet__cipher_open_header(struct duet__cipher *d, const uint8_t *header);
int duet__cipher_open_piece(struct duet__cipher *d, uint8_t *out, size_t *put, const uint8_t *in,
                            size_t len);

/** A piece for one of two directions at once, and what became of it. */
struct duet__piece {
    struct duet__cipher *d;
    uint8_t *out;
    const uint8_t *in;
    size_t len; /* bytes of in */
    size_t put; /* out: bytes of out */
    int result; /* out */
};

/** As duet__cipher_seal_piece() and duet__cipher_open_piece() for each of two directions, in less time
 * than one after the other. */
void duet__cipher_seal_two(struct duet__piece piece[2]);
void duet__cipher_open_two(struct duet__piece piece[2]);

/** Bytes of the begun frame's payload, and of payload and MAC together, that are still to come. */
uint32_t duet__cipher_payload_left(const struct duet__cipher *d);
uint64_t duet__cipher_left(const struct duet__cipher *d);

#endif
