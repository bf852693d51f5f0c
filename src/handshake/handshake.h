/*
 * The handshake: the messages m1, m2 and m3 that HELLOs carry, and the session secret S that they
 * give (docs/protocol.md §4).
 *
 * Knows messages, not frames: session/ seals and opens the HELLOs around them.
 */
#ifndef DUET_HANDSHAKE_HANDSHAKE_H
#define DUET_HANDSHAKE_HANDSHAKE_H

#include "handshake/hybrid.h"
#include "handshake/noise.h"
#include "handshake/psk.h"

/** The params of a HELLO: what a party announces. */
struct duet__params {
    uint8_t rotate_frames, rotate_blocks; /* exponents, of the sender's direction */
    uint32_t max_payload;                 /* bytes that the sender of this accepts */
    uint64_t time_ms;                     /* Unix milliseconds, 0 without a clock */
    int has_kem;                          /* read: 1: extension `kem` is there */
    const uint8_t *kem;                   /* read: its value, within the bytes that were read */
    size_t kem_size;                      /* bytes */
};

/** Write params without extensions. */
void duet__params_write(struct duet__writer *to, const struct duet__params *params);

/** Read params; unknown extensions are skipped. Returns DUET_OK, DUET_E_PROTOCOL. */
int duet__params_read(struct duet__params *params, struct duet__bytes bytes);

enum { DUET__MESSAGE_MOST = 1408 }; /* bytes of a message of ours, extensions included */

struct duet__handshake {
    enum duet_role role;
    enum duet_pattern pattern;
    const struct duet__psk *psk;
    const uint8_t *label;                  /* D */
    const struct duet__identity *identity; /* NULL: none */
    /* For tests: further extensions of our params, as they are, before and after `kem`. */
    struct duet__bytes extensions[2];
    struct duet__hybrid hybrid;
    struct duet__params mine, theirs;
    uint8_t nonces[2 * WIRE_NONCE]; /* N_t ‖ N_b */
    struct duet__sha256 transcript; /* pattern 0: of m1 ‖ m2 */
    struct duet__noise noise;       /* patterns 1 and 2; its ephemeral key is set from the start */
    uint8_t *message;               /* ours, pending for the next HELLO; NULL: no room yet */
    size_t message_size;            /* bytes; 0: none */
    uint8_t secret[WIRE_SESSION_SECRET]; /* S */
};

/** Allocate what a message of ours takes, if it is not there yet: before TOP begins, and at BOTTOM
 * not before a HELLO is whole, since until then the peer may be anybody. Returns DUET_OK,
 * DUET_E_MEMORY. */
int duet__handshake_make_room(struct duet__handshake *handshake);

/** Begin with a pattern, which TOP chooses and BOTTOM finds in m1. role, psk, label, identity,
 * mine, nonces and noise.e are set before, and there is room. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__handshake_begin(struct duet__handshake *handshake, enum duet_pattern pattern);

/** Write our next message into handshake->message. Returns DUET_OK; DUET_E_PROTOCOL (a key of the
 * peer's gives an all-zero result); DUET_E_CRYPTO. */
int duet__handshake_write(struct duet__handshake *handshake);

/** Peek at the pattern of a HELLO. Returns DUET_OK, DUET_E_PROTOCOL (the HELLO is shorter than its
 * length field). */
int duet__handshake_peek(const uint8_t *hello, size_t size, unsigned *pattern);

/** Read the peer's next message, deciphering in place. Returns DUET_OK; DUET_E_PROTOCOL,
 * DUET_E_FORGED; DUET_E_UNTRUSTED (not hybrid, which is required here); DUET_E_CRYPTO. */
int duet__handshake_read(struct duet__handshake *handshake, uint8_t *hello, size_t size);

/** 1 when all messages are written and read, so that S can be derived. */
int duet__handshake_done(const struct duet__handshake *handshake);

/** Derive S, and X of the exporter. */
void duet__handshake_finish(struct duet__handshake *handshake, uint8_t exporter[WIRE_DIGEST]);

/** Wipe it, and free what it holds. */
void duet__handshake_wipe(struct duet__handshake *handshake);

#endif
