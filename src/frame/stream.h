/*
 * What sealing and opening share: a frame as one run of bytes through cipher and hash.
 *
 * A group is 64 bytes counted from the frame's start: one block of SHA-256 and four counter blocks.
 * The kernel takes whole groups. A group of which only a part is here waits in c->group: plaintext
 * up to c->at, unused keystream after it. So no byte is ever encrypted or hashed twice, however the
 * caller cuts a frame into pieces.
 */
#ifndef DUET_FRAME_STREAM_H
#define DUET_FRAME_STREAM_H

#include "frame/cipher.h"

enum duet__way { DUET__SEALING, DUET__OPENING };

/** Bytes of a frame on their way through a cipher. */
struct duet__flow {
    struct duet__cipher *c;
    uint8_t *out;
    const uint8_t *in; /* may be out, else no overlap */
    size_t n;          /* bytes */
};

/** Process bytes of header or payload; flow is moved past them. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__stream_run(struct duet__flow *flow, enum duet__way way);

/**
 * Process payload of two frames together, in less time than one after the other.
 *
 * Takes each flow up to its last whole group and moves it past that; the caller hands the rest to
 * duet__cipher_seal_piece() or duet__cipher_open_piece(). Both ciphers are within a frame, and n is
 * within its payload. Returns DUET_OK; DUET_E_CRYPTO: both frames are lost.
 */
int duet__stream_two(struct duet__flow flow[2], enum duet__way way);

/** End the hash and the frame: give the MAC as it is on the wire, move chain and counters on.
 * Returns DUET_OK, DUET_E_CRYPTO. */
int duet__stream_end(struct duet__cipher *c, uint8_t mac[DUET_MAC_SIZE]);

#endif
