/*
 * What sealing and opening share: the frame as one run of octets through cipher and hash.
 *
 * Groups of 64 octets from the frame's start are SHA-256 blocks and fours of counter blocks at
 * once. Whole groups go to the kernel; a part of one waits in d->group, as plaintext where it is
 * done and keystream where it is not, so no octet is ever enciphered or hashed twice.
 */
#ifndef DUET_FRAME_STREAM_H
#define DUET_FRAME_STREAM_H

#include "frame/dir.h"

enum duet__way { DUET__SEALING, DUET__OPENING };

/** Begin a frame at octet 0. */
void duet__stream_begin(struct duet__dir *d);

/** Take n octets of header or payload; out may be in. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__stream_run(struct duet__dir *d, uint8_t *out, const uint8_t *in, size_t n,
                     enum duet__way way);

/**
 * End the hash and the frame: the MAC in clear, the keystream over it, the chain and counters moved
 * on. Returns DUET_OK, DUET_E_CRYPTO.
 */
int duet__stream_end(struct duet__dir *d, uint8_t mac[DUET_MAC_SIZE], uint8_t pad[DUET_MAC_SIZE]);

#endif
