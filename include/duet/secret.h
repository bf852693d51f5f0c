/*
 * What two peers hold: the text forms of a secret, an identity, a list of peers and a profile.
 *
 * These calls work on memory and open no file. Reading is strict: an unknown name, a value out of
 * range or a malformed line is refused, with its number and a sentence in `where`. See
 * docs/protocol.md, sections 2 and 6.
 */
#ifndef DUET_SECRET_H
#define DUET_SECRET_H

#include <duet/error.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DUET_SECRET_LEAST   64u    /**< bytes */
#define DUET_SECRET_MOST    65536u /**< bytes */
#define DUET_SECRET_DEFAULT 1024u  /**< bytes: 8192 bits, 4096 for each direction */
#define DUET_SECRET_ID_SIZE 8u     /**< bytes; written as 16 hex digits */
#define DUET_KEY_SIZE       32u    /**< bytes of an X25519 key, private or public */
#define DUET_KEY_TEXT_SIZE  45u    /**< its base64 with the final NUL */
#define DUET_PRELUDE_MOST   1024u  /**< bytes */
#define DUET_LABEL_MOST     1024u  /**< bytes */
#define DUET_PEER_NAME_SIZE 64u    /**< bytes with the final NUL */

/** Where and why a text was refused. Never quotes a secret. */
typedef struct duet_where {
    unsigned line;    /**< from 1; 0: the whole text */
    char reason[160]; /**< a sentence */
} duet_where;

/** The kinds of text. */
enum duet_kind {
    DUET_KIND_UNKNOWN,
    DUET_KIND_SECRET,
    DUET_KIND_IDENTITY,
    DUET_KIND_PEERS,
    DUET_KIND_PROFILE
};

/** A shared secret. */
typedef struct duet_secret {
    uint8_t *bytes;                  /**< owned; size bytes */
    size_t size;                     /**< bytes, even */
    uint8_t id[DUET_SECRET_ID_SIZE]; /**< SHA-256("duet/1 id" ‖ bytes)[0:8] */
    int64_t not_after; /**< Unix seconds of the end of the named day (UTC); 0: no limit */
    int allow_keylog;  /**< 1: `AllowKeylog = yes`. Reserved, without effect */
} duet_secret;

/** An identity: an X25519 key pair. */
typedef struct duet_identity {
    uint8_t private_key[DUET_KEY_SIZE];
    uint8_t public_key[DUET_KEY_SIZE];
} duet_identity;

/** One trusted peer. */
typedef struct duet_peer {
    char name[DUET_PEER_NAME_SIZE];
    uint8_t public_key[DUET_KEY_SIZE];
} duet_peer;

/** A list of trusted peers. */
typedef struct duet_peers {
    duet_peer *list; /**< owned */
    size_t count;
} duet_peers;

/** A profile: what both parties agree on beside the secret. Plain values, which may be copied. */
typedef struct duet_profile {
    uint8_t label[DUET_LABEL_MOST]; /**< UTF-8 */
    size_t label_size;
    uint8_t prelude[2][DUET_PRELUDE_MOST]; /**< [DUET_TOP], [DUET_BOTTOM] */
    size_t prelude_size[2];
    uint32_t hello_pad_least, hello_pad_most; /**< bytes, both included, 16,000 at most */
    unsigned rotate_frames, rotate_blocks;    /**< exponents, 1 to 30 */
    int unsupported; /**< 1: the text asks for Pad or Cover, which this version ignores */
} duet_profile;

/**
 * The kind of a text, by its first section alone.
 * text: size bytes.  Returns a DUET_KIND_.  Since 0.1.
 */
DUET_API enum duet_kind duet_kind_of(const char *text, size_t size);

/**
 * Make a secret of random bytes; the id is computed.
 *
 * secret   out: owns a copy of bytes; wipe it with duet_secret_wipe().
 * bytes   in: size bytes, uniformly random.
 *
 * Returns DUET_OK, DUET_E_LENGTH (odd, under 64, over 65,536), DUET_E_MEMORY; on failure *secret is
 * empty. Source: docs/protocol.md §2.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_secret_init(duet_secret *secret, const uint8_t *bytes, size_t size);

/** Read a secret's text. Returns DUET_OK, DUET_E_FORMAT (see where), DUET_E_MEMORY; *secret is
 * empty on failure.   Since 0.1. */
DUET_API DUET_CHECKED int duet_secret_parse(duet_secret *secret, const char *text, size_t size,
                                            duet_where *where);

/**
 * Write a secret's text.
 *
 * out    out: the text, no final NUL; NULL with cap 0 asks for the size only.
 * size   out: bytes written, or needed.
 *
 * Returns DUET_OK, DUET_E_ROOM (*size is what is needed).   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_secret_format(char *out, size_t cap, size_t *size,
                                             const duet_secret *secret);

/** Zeroize and free; NULL is fine.   Since 0.1. */
DUET_API void duet_secret_wipe(duet_secret *secret);

/** Make an identity of 32 random bytes, or of an existing private key. Returns DUET_OK,
 * DUET_E_CRYPTO.   Since 0.1. */
DUET_API DUET_CHECKED int duet_identity_init(duet_identity *identity,
                                             const uint8_t private_key[DUET_KEY_SIZE]);

/** Read an identity's text. Returns DUET_OK, DUET_E_FORMAT (see where; also a PublicKey that
 * does not belong to PrivateKey), DUET_E_CRYPTO; *identity is wiped on failure.   Since 0.1. */
DUET_API DUET_CHECKED int duet_identity_parse(duet_identity *identity, const char *text,
                                              size_t size, duet_where *where);

/**
 * Write an identity's text, which holds the private key.
 *
 * out    out: the text, no final NUL; NULL with cap 0 asks for the size only.
 * size   out: bytes written, or needed.
 *
 * Returns DUET_OK, DUET_E_ROOM (*size is what is needed).   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_identity_format(char *out, size_t cap, size_t *size,
                                               const duet_identity *identity);

/** Write a public key as base64 with a final NUL.   Since 0.1. */
DUET_API void duet_key_text(char out[DUET_KEY_TEXT_SIZE], const uint8_t public_key[DUET_KEY_SIZE]);

/** Read a list of peers. Returns DUET_OK, DUET_E_FORMAT (see where), DUET_E_MEMORY; *peers is empty
 * on failure.   Since 0.1. */
DUET_API DUET_CHECKED int duet_peers_parse(duet_peers *peers, const char *text, size_t size,
                                           duet_where *where);

/** Free; NULL is fine.   Since 0.1. */
DUET_API void duet_peers_free(duet_peers *peers);

/** Set every default of protocol.md §6.   Since 0.1. */
DUET_API void duet_profile_init(duet_profile *profile);

/** Read a profile's text over the defaults. Returns DUET_OK, DUET_E_FORMAT (see where).
 * Since 0.1. */
DUET_API DUET_CHECKED int duet_profile_parse(duet_profile *profile, const char *text, size_t size,
                                             duet_where *where);

/** Zeroize memory, which no compiler removes. p: size bytes; NULL when size is 0.   Since 0.1. */
DUET_API void duet_wipe(void *p, size_t size);

#ifdef __cplusplus
}
#endif

#endif
