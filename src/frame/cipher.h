/*
 * The cipher of one direction: its key schedule (docs/protocol.md §3) and its frames (§1).
 *
 * One cipher either seals or opens, never both. It does not know what a code means: session/ does.
 * duet_cipher of <duet/frame.h> is this struct in the caller's memory.
 */
#ifndef DUET_FRAME_CIPHER_H
#define DUET_FRAME_CIPHER_H

#include "crypto/hkdf.h"
#include "kernel/kernel.h"
#include "wire/wire.h"

#include <duet/frame.h>
#include <duet/own.h>

enum duet__cipher_state {
    DUET__CIPHER_NONE,     /* not started, or wiped */
    DUET__CIPHER_IDLE,     /* between two frames */
    DUET__CIPHER_IN_FRAME, /* the header is done, payload or MAC is not */
    DUET__CIPHER_DEAD      /* failed: every call returns `error` */
};

struct __attribute__((may_alias)) duet__cipher {
    struct duet__key key;       /* K, in the form the kernel wants */
    uint8_t block[WIRE_BLOCK];  /* C, of the frame's first block */
    uint32_t chain[8];          /* H */
    uint8_t root[WIRE_DIGEST];  /* R; unused in the raw direction */
    uint8_t group[WIRE_GROUP];  /* the unfinished group: plaintext, then unused keystream */
    uint8_t mac[DUET_MAC_SIZE]; /* opening: the MAC's bytes as they arrive */
    uint64_t at;                /* bytes of this frame that are done, header and MAC included */
    uint64_t blocks;            /* counter blocks used in this epoch */
    uint64_t epoch;             /* rekeys since start() */
    uint32_t frames;            /* frames in this epoch */
    uint32_t seq;               /* number of the frame under way, else of the next one */
    uint32_t code, length;      /* of the frame under way or the last one */
    uint32_t limit;             /* opening: bytes of payload that are accepted */
    uint8_t rotate_frames;      /* rotate after 2^this many frames */
    uint8_t rotate_blocks;      /* or 2^this many blocks */
    uint8_t sender;             /* enum duet_role: whose direction */
    uint8_t state;              /* enum duet__cipher_state */
    int8_t error;               /* once dead: the result that every call gives */
};

_Static_assert(sizeof(struct duet__cipher) <= sizeof(duet_cipher), "duet_cipher holds a cipher");
_Static_assert(_Alignof(struct duet__cipher) <= _Alignof(duet_cipher), "aligned for the kernels");

/* ---- schedule.c ---- */

/** The inner Extract of start(), Extract("duet/1 " ‖ role, half): the same for every connection. */
void duet__cipher_prepare(struct duet__hmac_key *key, enum duet_role role, const uint8_t *half,
                          size_t size);

/** What the epochs of a session are derived by. */
struct duet__schedule {
    const duet_schedule_ops *own; /* the application's; NULL: the standard one */
    const uint8_t *label;         /* D */
};

/** The inputs of start(). */
struct duet__cipher_start {
    struct duet__schedule schedule;
    enum duet_role sender;
    const struct duet__hmac_key *key; /* of duet__cipher_prepare() */
    struct duet__bytes half;          /* the same half as it is, for a schedule of its own */
    const char *use;                  /* "hello", "preset" or "own" */
    struct duet__bytes salt;
};

/** §3 start(): seq 1, first epoch. The caller sets limit and rotation numbers afterwards. Returns
 * DUET_OK, and under the standard schedule nothing else; else DUET_E_CALLBACK or DUET_E_CRYPTO, and
 * the cipher is dead. */
int duet__cipher_start(struct duet__cipher *c, const struct duet__cipher_start *with);

/** §3 rotate(fresh), a rekey: begin a new epoch and wipe the old R and K. Not while a frame is
 * under way. Returns as duet__cipher_start(). */
int duet__cipher_rotate(struct duet__cipher *c, const struct duet__schedule *schedule,
                        struct duet__bytes fresh);

/** 1 when both have one key, and use or are about to use the same counter blocks: what they seal
 * can then be decrypted without the key. */
int duet__cipher_shares(const struct duet__cipher *c, const struct duet__cipher *other);

/** Wipe the cipher; every later call returns error. */
void duet__cipher_kill(struct duet__cipher *c, int error);

/** 1 when the count asks for a rotation (§3 "After each frame"). */
static inline int
duet__cipher_due(const struct duet__cipher *c)
{
    return c->frames >= (uint32_t)1 << c->rotate_frames || c->blocks >= (uint64_t)1
                                                                            << c->rotate_blocks;
}

/* ---- seal.c, open.c: as the public calls of the same names ---- */

int duet__cipher_seal_begin(struct duet__cipher *c, uint8_t *header, uint32_t code, uint32_t len);
int duet__cipher_seal_piece(struct duet__cipher *c, uint8_t *out, size_t *put, const uint8_t *in,
                            size_t len);
int duet__cipher_open_header(struct duet__cipher *c, const uint8_t *header);
int duet__cipher_open_piece(struct duet__cipher *c, uint8_t *out, size_t *put, const uint8_t *in,
                            size_t len);

/** Bytes of the frame's payload that are still to come; 0 when no frame is under way. */
static inline uint32_t
duet__cipher_payload_left(const struct duet__cipher *c)
{
    uint64_t end = DUET_HEADER_SIZE + (uint64_t)c->length;
    return c->state == DUET__CIPHER_IN_FRAME && c->at < end ? (uint32_t)(end - c->at) : 0;
}

/** The same of payload and MAC together. */
static inline uint64_t
duet__cipher_left(const struct duet__cipher *c)
{
    uint64_t end = DUET_FRAME_OVERHEAD + (uint64_t)c->length;
    return c->state == DUET__CIPHER_IN_FRAME ? end - c->at : 0;
}

#endif
