/*
 * libsodium's secretstream as a peer: XChaCha20-Poly1305 messages with a fixed key.
 *
 * It has no framing and no handshake; a message is one output of crypto_secretstream.
 */
#include "bench/peers/peer.h"

#include <sodium.h>
#include <stdlib.h>

struct pair {
    crypto_secretstream_xchacha20poly1305_state near, far;
    uint8_t wire[PEER_MESSAGE_MOST + crypto_secretstream_xchacha20poly1305_ABYTES];
};

static void *
open_pair(const struct peer *peer, struct peer_wire *wire)
{
    uint8_t key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
    uint8_t header[crypto_secretstream_xchacha20poly1305_HEADERBYTES];
    (void)peer;
    if (sodium_init() < 0)
        return NULL;
    struct pair *pair = malloc(sizeof *pair);
    if (pair == NULL)
        return NULL;
    crypto_secretstream_xchacha20poly1305_keygen(key);
    if (crypto_secretstream_xchacha20poly1305_init_push(&pair->near, header, key) != 0 ||
        crypto_secretstream_xchacha20poly1305_init_pull(&pair->far, header, key) != 0) {
        free(pair);
        return NULL;
    }
    peer_flight(wire, sizeof header);
    return pair;
}

static int
carry(void *context, uint8_t *out, const uint8_t *in, size_t n)
{
    struct pair *pair = context;
    unsigned long long sealed, opened;
    unsigned char tag;
    if (crypto_secretstream_xchacha20poly1305_push(&pair->near, pair->wire, &sealed, in, n, NULL, 0,
                                                   0) != 0 ||
        crypto_secretstream_xchacha20poly1305_pull(&pair->far, out, &opened, &tag, pair->wire,
                                                   sealed, NULL, 0) != 0)
        return -1;
    return opened == n ? 0 : -1;
}

const struct peer peer_sodium = {
    .name = "sodium",
    .open = open_pair,
    .carry = carry,
    .close = free,
};
