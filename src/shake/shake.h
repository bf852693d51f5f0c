/*
 * Initiation: the messages m1, m2 and m3 that HELLOs carry, and the session secret S that they give
 * (docs/protocol.md §4).
 *
 * Knows messages, not frames or the wire: session/ seals and opens the HELLOs around them.
 */
#ifndef DUET_SHAKE_SHAKE_H
#define DUET_SHAKE_SHAKE_H

#include "shake/noise.h"
#include "shake/params.h"
#include "shake/realm.h"

enum { DUET__MESSAGE_MOST = 512 }; /* octets of a message of ours, extensions included */

struct duet__shake {
    enum duet_role role;
    enum duet_pattern pattern;
    const struct duet__realm *realm;
    const uint8_t *label;           /* D */
    const duet_identity *identity;  /* NULL: none */
    struct duet__octets extensions; /* of our params */
    struct duet__params mine, theirs;
    uint8_t nonces[2 * WIRE_NONCE]; /* N_t ‖ N_b */
    struct duet__sha256 transcript; /* pattern 0: of m1 ‖ m2 */
    struct duet__noise noise;       /* patterns 1 and 2; its ephemeral key is set from the start */
    uint8_t message[DUET__MESSAGE_MOST]; /* ours, to be sent in the next HELLO */
    size_t message_size;                 /* octets; 0: none */
    uint8_t secret[WIRE_SESSION_SECRET]; /* S */
};

/** Begin with a pattern: TOP of its own choice, BOTTOM with m1's. role, realm, label, identity,
 * mine, nonces and noise.e are set before. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__shake_begin(struct duet__shake *shake, enum duet_pattern pattern);

/** Write our next message into shake->message. Returns DUET_OK; DUET_E_PROTOCOL (a key of the
 * peer's gives an all-zero result); DUET_E_CRYPTO. */
int duet__shake_write(struct duet__shake *shake);

/** Look at a HELLO's pattern, padding aside. Returns DUET_OK, DUET_E_PROTOCOL (shorter than it
 * says). */
int duet__shake_peek(const uint8_t *hello, size_t size, unsigned *pattern);

/** Read the peer's next message, deciphering in place. Returns DUET_OK; DUET_E_PROTOCOL,
 * DUET_E_FORGED; DUET_E_CRYPTO. */
int duet__shake_read(struct duet__shake *shake, uint8_t *hello, size_t size);

/** 1 when all messages are written and read, so that S can be had. */
int duet__shake_done(const struct duet__shake *shake);

/** Derive S, and X of the exporter. */
void duet__shake_finish(struct duet__shake *shake, uint8_t exporter[WIRE_DIGEST]);

#endif
