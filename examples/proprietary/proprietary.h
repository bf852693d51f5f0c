/*
 * An application's own initiation, nonce rule and key rotation for duet, as a worked example.
 *
 *   derive.c     the one key derivation that all of it uses
 *   handshake.c  own initiation: X25519 with a framing of its own
 *   schedule.c   own nonce rule and rotation
 *   main.c       a program that talks with itself
 */
#ifndef PROPRIETARY_H
#define PROPRIETARY_H

#include <duet/duet.h>

enum { PX_SECRET = 32 };

/** The long-term secret of both parties: the context of the handshake. */
struct px_secret {
    uint8_t bytes[PX_SECRET];
};

struct px_bytes {
    const void *data;
    size_t size;
};

/** out = HKDF-SHA512 with this key, the label as salt and the text as info, n bytes. Returns DUET_OK, DUET_E_CRYPTO. */
int px_derive(uint8_t *out, size_t n, struct px_bytes key, const char *label, struct px_bytes text);

duet_handshake_ops px_handshake(struct px_secret *secret);
duet_schedule_ops px_schedule(void);

#endif
