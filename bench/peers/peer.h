/*
 * A peer: one way to protect a connection, duet's or another library's, behind one table.
 *
 * A pair is both ends of one connection over memory: open() establishes it, and it then carries
 * messages from one end to the other. Each peer is one file of this folder.
 */
#ifndef BENCH_PEERS_PEER_H
#define BENCH_PEERS_PEER_H

#include <stddef.h>
#include <stdint.h>

enum { PEER_MESSAGE_MOST = 1 << 20 };

/** What the handshake put on the wire. A flight: what one end sends before it has to wait. */
struct peer_wire {
    size_t bytes;
    unsigned flights;
};

struct peer {
    const char *name;
    const void *variety; /* for the peer's file: which variety this is */
    double streams;      /* messages that one carry() takes across; 0: one */

    /** Do the handshake at both ends. wire: NULL, or where to count. NULL: it failed. */
    void *(*open)(const struct peer *peer, struct peer_wire *wire);

    /** Seal n bytes, PEER_MESSAGE_MOST at most, at the near end and open them at the far end, to
     * out. Returns 0, or -1. NULL: this peer has no such messages. */
    int (*carry)(void *pair, uint8_t *out, const uint8_t *in, size_t n);

    /** Free the far end and the buffers between; the near end stays as with a socket. */
    void (*drop_far)(void *pair);

    void (*close)(void *pair);
};

/** Count a flight of so many bytes; 0 bytes are no flight. */
static inline void
peer_flight(struct peer_wire *wire, size_t bytes)
{
    if (wire == NULL || bytes == 0)
        return;
    wire->bytes += bytes;
    wire->flights++;
}

/* duet's sessions: X25519 under the shared secret; with identities; the secret alone. */
extern const struct peer peer_duet, peer_duet_identity, peer_duet_secret;

/* The first two with ML-KEM-768 beside X25519, for a libcrypto that has it. */
extern const struct peer peer_duet_hybrid, peer_duet_identity_hybrid;

/* Two of duet's sessions at once, a message in each. */
extern const struct peer peer_duet_two;

/* duet's channels on streams of functions, X25519 under the shared secret. */
extern const struct peer peer_duet_channel;

/* OpenSSL, TLS 1.3: P-256 certificates on both sides, or a pre-shared key with X25519. */
extern const struct peer peer_libssl, peer_libssl_chacha20, peer_libssl_psk;
extern const struct peer peer_libssl_lean; /* as peer_libssl, with idle buffers released */

/* The same with X25519MLKEM768 in place of X25519. */
extern const struct peer peer_libssl_hybrid, peer_libssl_psk_hybrid;

/* GnuTLS, TLS 1.3, AES-256-GCM, P-256 certificates on both sides. */
extern const struct peer peer_gnutls;

/* libsodium's secretstream (XChaCha20-Poly1305); its key is fixed. */
extern const struct peer peer_sodium;

#endif
