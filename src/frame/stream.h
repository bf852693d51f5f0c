/*
 * What sealing and opening share: the frame as one run of bytes through cipher and hash.
 *
 * Groups of 64 bytes from the frame's start are SHA-256 blocks and fours of counter blocks at
 * once. Whole groups go to the kernel; a part of one waits in d->group, as plaintext where it is
 * done and keystream where it is not, so no byte is ever enciphered or hashed twice.
 */
#ifndef DUET_FRAME_STREAM_H
#define DUET_FRAME_STREAM_H

#include "frame/cipher.h"

enum duet__way { DUET__SEALING, DUET__OPENING };

/** Bytes of a frame on their way through a direction. */
struct duet__flow {
    struct duet__cipher *d;
    uint8_t *out;
    const uint8_t *in; /* may be out, else no overlap */
    size_t n;          /* bytes */
};

/** Begin a frame at byte 0. */
void duet__stream_begin(struct duet__cipher *d);

/** Take bytes of header or payload; flow is used up. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__stream_run(struct duet__flow *flow, enum duet__way way);

/** As duet__stream_run() for two directions at once. Returns DUET_OK; DUET_E_CRYPTO means both. */
int duet__stream_run2(struct duet__flow flow[2], enum duet__way way);

/**
 * End the hash and the frame: the MAC as it stands on the wire, the chain and counters moved on.
 * Returns DUET_OK, DUET_E_CRYPTO.
 */
int duet__stream_end(struct duet__cipher *d, uint8_t mac[DUET_MAC_SIZE]);

#endif
