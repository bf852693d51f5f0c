/*
 * The objects of <duet/secret.h> inside: plain structs, which session/ and handshake/ read and
 * file/ makes of files.
 */
#ifndef DUET_SECRET_SECRET_H
#define DUET_SECRET_SECRET_H

#include <duet/secret.h>

struct duet_secret {
    uint8_t *bytes;                  /* owned; size bytes */
    size_t size;                     /* bytes, even */
    uint8_t id[DUET_SECRET_ID_SIZE]; /* SHA-256("duet/1 id" ‖ bytes)[0:8] */
    int64_t not_after;               /* Unix seconds of the end of the named day (UTC); 0: none */
    int allow_keylog;                /* 1: `AllowKeylog = yes`. Reserved, without effect */
};

struct duet_identity {
    uint8_t private_key[DUET_KEY_SIZE];
    uint8_t public_key[DUET_KEY_SIZE];
};

struct duet_peer {
    char name[DUET_PEER_NAME_SIZE];
    uint8_t public_key[DUET_KEY_SIZE];
};

struct duet_peers {
    struct duet_peer *list; /* owned */
    size_t count;
};

/* Plain values, which may be copied. */
struct duet_profile {
    uint8_t label[DUET_LABEL_MOST]; /* UTF-8 */
    size_t label_size;
    uint8_t prelude[2][DUET_PRELUDE_MOST]; /* [DUET_TOP], [DUET_BOTTOM] */
    size_t prelude_size[2];
    uint32_t hello_pad_least, hello_pad_most; /* bytes, both included, 16,000 at most */
    uint32_t rotate_frames, rotate_blocks;    /* exponents, 1 to 30 */
    int unsupported; /* 1: the text asks for Pad or Cover, which this version ignores */
};

/** As duet_secret_new() with bytes that are not NULL. */
int duet__secret_new(duet_secret **secret, const uint8_t *bytes, size_t size);

/** As duet_identity_new() with a key. */
int duet__identity_new(duet_identity **identity, const uint8_t private_key[DUET_KEY_SIZE]);

/** Set every default of docs/protocol.md §6. */
void duet__profile_init(duet_profile *profile);

/** 1 for the text that `wg genkey` and `wg pubkey` print: 44 digits alone. */
int duet__is_bare_key(const char *text, size_t size);

/** Write the day of a time as YYYY-MM-DD and a NUL. */
void duet__write_date(char out[11], int64_t seconds);

/** where, cleared; or room, cleared, where the caller wants none. */
duet_where *duet__where(duet_where *where, duet_where *room);

#endif
