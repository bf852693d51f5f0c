/*
 * Both parties of a case of handshake.json or hybrid.json: made as the case says, with what each
 * puts on the wire.
 */
#ifndef TESTS_VECTORS_PARTY_H
#define TESTS_VECTORS_PARTY_H

#include "vectors/vectors.h"

#include <duet/duet.h>

enum { WIRE_MOST = 65536 };

struct party {
    duet_config *config;
    duet_session *session;
    struct bytes extensions[2], padding, opening;
    uint8_t fresh[DUET_FRESH_SIZE]; /* what answers EVENT_RANDOM */
    uint8_t sent[WIRE_MOST];        /* all that it put on the wire */
    size_t sent_size, carried;
    uint32_t code; /* of the last application frame that it received */
    uint8_t got[WIRE_MOST];
    size_t got_size;
};

/** The members of a case that belong to one party. */
struct names {
    enum duet_role role;
    const char *params, *nonce, *ephemeral, *private_key, *public_key, *padding, *opening, *refresh,
        *kem, *kem_random;
};

/** The names in both files. */
extern const struct names party_top, party_bottom;

/** Make the party that a case describes. */
void party_make(struct party *party, const json_t *one, const struct names *names);
void party_unmake(struct party *party);

/** The randomness of a refresh: an X25519 key, and what ML-KEM draws. */
void party_fresh(uint8_t fresh[DUET_FRESH_SIZE], const json_t *one, const char *private_key,
                 const char *kem);

/** Put what is pending on the wire; give the peer what has been sent since the last time; both. */
void party_flush(struct party *from);
void party_carry(struct party *from, struct party *to);
void party_flush_and_carry(struct party *from, struct party *to);

/** Send a frame of n bytes, and see it arrive. */
void party_frame(struct party *from, struct party *to, uint32_t code, size_t n);

/** Send a PAD frame with content, where the session gives zeros. */
void party_pad(struct party *from, size_t n);

#endif
