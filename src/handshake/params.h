/*
 * The params of a HELLO: what a party announces (docs/protocol.md §4).
 */
#ifndef DUET_HANDSHAKE_PARAMS_H
#define DUET_HANDSHAKE_PARAMS_H

#include "base/reader.h"
#include "crypto/hkdf.h"
#include "wire/wire.h"

struct duet__params {
    uint8_t rotate_frames, rotate_blocks; /* exponents, of the sender's direction */
    uint32_t max_payload;                 /* bytes that the sender of this accepts */
    uint64_t time_ms;                     /* Unix milliseconds, 0 without a clock */
};

/** Write params, and extensions as they are. */
void duet__params_write(struct duet__writer *to, const struct duet__params *params,
                        struct duet__bytes extensions);

/** Read params; unknown extensions are skipped. Returns DUET_OK, DUET_E_PROTOCOL. */
int duet__params_read(struct duet__params *params, struct duet__bytes bytes);

#endif
