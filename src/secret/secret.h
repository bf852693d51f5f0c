/*
 * A duet_key of <duet/secret.h> inside: plain structs, which session/ and handshake/ read and file/
 * makes of files.
 */
#ifndef DUET_SECRET_SECRET_H
#define DUET_SECRET_SECRET_H

#include <duet/secret.h>

struct duet__secret {
    uint8_t *bytes;                  /* owned; size bytes */
    size_t size;                     /* bytes, even */
    uint8_t id[DUET_SECRET_ID_SIZE]; /* SHA-256("duet/1 id" ‖ bytes)[0:8] */
    int64_t not_after;               /* Unix seconds of the end of the named day (UTC); 0: none */
    int allow_keylog;                /* 1: `AllowKeylog = yes`. Reserved, without effect */
};

struct duet__identity {
    uint8_t private_key[DUET_KEY_SIZE];
    uint8_t public_key[DUET_KEY_SIZE];
};

struct duet__peer {
    char name[DUET_PEER_NAME_SIZE];
    uint8_t public_key[DUET_KEY_SIZE];
};

struct duet__peers {
    struct duet__peer *list; /* owned */
    size_t count;
};

/* Plain values, which may be copied. */
struct duet__profile {
    uint8_t label[DUET_LABEL_MOST]; /* UTF-8 */
    size_t label_size;
    uint8_t prelude[2][DUET_PRELUDE_MOST]; /* [DUET_TOP], [DUET_BOTTOM] */
    size_t prelude_size[2];
    uint32_t hello_least, hello_most;      /* bytes of a HELLO's flight, 16,000 at most */
    int hello_given;                       /* 1: these hold under a dialect too */
    int dialect;                           /* 1: derived from the secret */
    uint32_t first;                        /* writes that are filled, 16 at most */
    uint32_t first_least, first_most;      /* bytes of each, 16,000 at most */
    int first_given;                       /* 1: these hold under a dialect too */
    uint32_t rotate_frames, rotate_blocks; /* exponents, 1 to 30 */
};

struct duet_key {
    enum duet_kind kind; /* which of the members is used */
    union {
        struct duet__secret secret;
        struct duet__identity identity;
        struct duet__peers peers;
        struct duet__profile profile;
    };
};

/** As duet_key_new() with bytes that are not NULL, of DUET_KIND_SECRET or _IDENTITY. */
int duet__key_new(duet_key **key, enum duet_kind kind, const uint8_t *bytes, size_t size,
                  int64_t not_after);

/** The kind of a text, a bare key included, which is an identity. */
enum duet_kind duet__kind_of(const char *text, size_t size);

/* ---- Each kind: fill what is zeros (on failure the caller frees what is there), or write it ----
 *
 * Results and parameters as duet_key_new(), _parse() and _format(); where is never NULL. */

int duet__secret_fill(struct duet__secret *secret, const uint8_t *bytes, size_t size);
int duet__secret_parse(struct duet__secret *secret, const char *text, size_t size,
                       duet_where *where);
int duet__secret_format(char *out, size_t cap, size_t *size, const struct duet__secret *secret);

/** Set the end of the day that holds this time; 0: none. Returns DUET_OK, DUET_E_MISUSE. */
int duet__secret_set_not_after(struct duet__secret *secret, int64_t seconds);

int duet__identity_fill(struct duet__identity *identity, const uint8_t private_key[DUET_KEY_SIZE]);
int duet__identity_parse(struct duet__identity *identity, const char *text, size_t size,
                         duet_where *where);
int duet__identity_format(char *out, size_t cap, size_t *size,
                          const struct duet__identity *identity);

int duet__peers_parse(struct duet__peers *peers, const char *text, size_t size, duet_where *where);

int duet__profile_parse(struct duet__profile *profile, const char *text, size_t size,
                        duet_where *where);

/** Set every default of docs/protocol.md §6. */
void duet__profile_init(struct duet__profile *profile);

/** 1 for the text that `wg genkey` and `wg pubkey` print: 44 digits alone. */
int duet__is_bare_key(const char *text, size_t size);

/** Write the day of a time as YYYY-MM-DD and a NUL. */
void duet__write_date(char out[11], int64_t seconds);

/** Why a text is none of the four kinds. */
#define DUET__UNKNOWN_TEXT                                                                         \
    "is not a file that duet knows (a secret, an identity, peers or a profile); see FILES in "     \
    "duet(1)"

/** where, cleared; or room, cleared, where the caller wants none. */
duet_where *duet__where(duet_where *where, duet_where *room);

#endif
