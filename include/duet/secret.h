/*
 * What two peers hold: a shared secret, an identity, a list of trusted peers and a profile, in
 * memory, as text and as files.
 *
 * Each object is opaque, is made by _new(), _parse() or _load() and belongs to the caller until
 * _free(), which wipes it. Several threads may read one; none may free it meanwhile. Reading is
 * strict: an unknown name, a value out of range or a malformed line is refused, with its line and a
 * sentence in `where` (which may be NULL). See docs/protocol.md, sections 2 and 6.
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

/** The kinds of text. */
enum duet_kind {
    DUET_KIND_UNKNOWN,
    DUET_KIND_SECRET,
    DUET_KIND_IDENTITY,
    DUET_KIND_PEERS,
    DUET_KIND_PROFILE
};

/** Where and why a text or file was refused. Never quotes a secret, nor the path. After DUET_OK
 * `reason` is empty, or a warning for the user. */
typedef struct duet_where {
    unsigned line;        /**< from 1; 0: the whole text or file */
    enum duet_kind found; /**< what the text is, where it is another kind than was asked for */
    char reason[160];     /**< a sentence */
} duet_where;

/** A shared secret: its bytes, id, and the day after which it is not used. */
typedef struct duet_secret duet_secret;

/** An identity: an X25519 key pair. */
typedef struct duet_identity duet_identity;

/** A list of trusted peers, each a name and a public key, both unique. */
typedef struct duet_peers duet_peers;

/** A profile: what both parties agree on beside the secret. */
typedef struct duet_profile duet_profile;

/** The kind of a text, by its first section alone. text: in, size bytes. Returns a DUET_KIND_; also
 * DUET_KIND_UNKNOWN for the bare key that `wg genkey` prints.   Since 0.1. */
DUET_API enum duet_kind duet_kind_of(const char *text, size_t size);

/* ---- Files ----
 *
 * The _load() calls below make every check that the command makes:
 *
 * - The path leads to a regular file, at a link's end too, of 1 byte to 1 MiB.
 * - It belongs to root or to this process's user; for root by sudo, also to the user who called it.
 * - A secret or an identity can be read and written by its owner alone (mode 600 or less), except
 *   below $CREDENTIALS_DIRECTORY, where systemd keeps everyone else out. Peers and a profile can be
 *   written by their owner and group at most.
 * - Its text is of the kind that was asked for, and is well formed.
 * - A secret's NotAfter has not passed.
 *
 * path      in: a NUL-terminated path.
 *
 * They return DUET_OK; and with *object NULL and the sentence in `where`: DUET_E_IO (the file
 * cannot be read, or not safely: path, kind of file, owner, mode, size), DUET_E_FORMAT (its text),
 * DUET_E_MISUSE (past its NotAfter), DUET_E_MEMORY, DUET_E_CRYPTO. The text is wiped.
 */

/* ---- Secrets ---- */

/**
 * Make a secret.
 *
 * secret   out: NULL on failure.
 * bytes    in: size bytes, uniformly random, copied; NULL: drawn from the system.
 * size     bytes, even, 64 to 65,536.
 *
 * Returns DUET_OK; DUET_E_LENGTH (size), DUET_E_MEMORY, DUET_E_CRYPTO, DUET_E_IO (the system has no
 * randomness).   Source: docs/protocol.md §2.   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_secret_new(duet_secret **secret, const uint8_t *bytes, size_t size);

/** Read a secret's text. secret: out, NULL on failure; text: in, size bytes. A date that has passed
 * is read too. Returns DUET_OK; DUET_E_FORMAT (see where), DUET_E_MEMORY, DUET_E_CRYPTO. Timing
 * depends on the text's size and layout, and on whether it is refused.   Since 0.2. */
DUET_API DUET_CHECKED int duet_secret_parse(duet_secret **secret, const char *text, size_t size,
                                            duet_where *where);

/** Read a secret's file; see "Files".   Since 0.2. */
DUET_API DUET_CHECKED int duet_secret_load(duet_secret **secret, const char *path,
                                           duet_where *where);

/**
 * Write a secret's text. The caller wipes it.
 *
 * out    out: the text, no final NUL; NULL with cap 0 asks for the size only.
 * cap    bytes of out.
 * size   out: bytes written, or needed.
 *
 * Returns DUET_OK; DUET_E_ROOM with nothing written (*size is what is needed).   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_secret_format(char *out, size_t cap, size_t *size,
                                             const duet_secret *secret);

/** Write a secret into a new file of mode 0600, all of it or nothing. path: in, NUL-terminated; an
 * existing file is never overwritten. Returns DUET_OK; with the sentence in where DUET_E_IO (it
 * exists, the folder cannot be written, no space), DUET_E_MEMORY.   Since 0.2. */
DUET_API DUET_CHECKED int duet_secret_save(const duet_secret *secret, const char *path,
                                           duet_where *where);

/** Wipe and free; NULL is fine.   Since 0.2. */
DUET_API void duet_secret_free(duet_secret *secret);

/** Its id, DUET_SECRET_ID_SIZE bytes that name it and give nothing away; both peers compare it.
 * Valid until the secret is freed.   Source: docs/protocol.md §2.   Since 0.2. */
DUET_API const uint8_t *duet_secret_id(const duet_secret *secret);

/** Its size in bytes.   Since 0.2. */
DUET_API size_t duet_secret_size(const duet_secret *secret);

/** Its duet_secret_size() bytes, which must stay secret; valid until it is freed.   Since 0.2. */
DUET_API const uint8_t *duet_secret_bytes(const duet_secret *secret);

/** The end of the last day on which it may be used, in Unix seconds (UTC); 0: no limit.
 * Since 0.2. */
DUET_API int64_t duet_secret_not_after(const duet_secret *secret);

/** Set that end: seconds is any moment of the last day, from 1970 to 9999; 0: no limit. Returns
 * DUET_OK; DUET_E_MISUSE (another year) with nothing changed.   Since 0.2. */
DUET_API DUET_CHECKED int duet_secret_set_not_after(duet_secret *secret, int64_t seconds);

/* ---- Identities ---- */

/**
 * Make an identity.
 *
 * identity      out: NULL on failure.
 * private_key   in: DUET_KEY_SIZE bytes, copied; NULL: drawn from the system.
 *
 * Returns DUET_OK; DUET_E_MEMORY, DUET_E_CRYPTO, DUET_E_IO (the system has no randomness).
 * Source: docs/protocol.md §4 "Identities".   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_identity_new(duet_identity **identity, const uint8_t *private_key);

/** Read an identity's text: an [Identity], or the one line that `wg genkey` prints. identity: out,
 * NULL on failure; text: in, size bytes. Returns DUET_OK (with a warning in where when such a line
 * looks like a public key); DUET_E_FORMAT (see where; also a PublicKey that does not belong to
 * PrivateKey), DUET_E_MEMORY, DUET_E_CRYPTO.   Since 0.2. */
DUET_API DUET_CHECKED int duet_identity_parse(duet_identity **identity, const char *text,
                                              size_t size, duet_where *where);

/** Read an identity's file; see "Files".   Since 0.2. */
DUET_API DUET_CHECKED int duet_identity_load(duet_identity **identity, const char *path,
                                             duet_where *where);

/** Write an identity's text, which holds the private key, with the parameters as
 * duet_secret_format(). Returns as duet_secret_format().   Since 0.1. */
DUET_API DUET_CHECKED int duet_identity_format(char *out, size_t cap, size_t *size,
                                               const duet_identity *identity);

/** Write an identity into a new file; path: in, as duet_secret_save(). Returns as
 * duet_secret_save().   Since 0.2. */
DUET_API DUET_CHECKED int duet_identity_save(const duet_identity *identity, const char *path,
                                             duet_where *where);

/** Wipe and free; NULL is fine.   Since 0.2. */
DUET_API void duet_identity_free(duet_identity *identity);

/** Its public key, DUET_KEY_SIZE bytes, for the other end's list of peers. Valid until the identity
 * is freed.   Since 0.2. */
DUET_API const uint8_t *duet_identity_public_key(const duet_identity *identity);

/** Write a key as base64. out: out, DUET_KEY_TEXT_SIZE bytes with the final NUL; public_key: in,
 * DUET_KEY_SIZE bytes.   Since 0.1. */
DUET_API void duet_key_text(char out[DUET_KEY_TEXT_SIZE], const uint8_t public_key[DUET_KEY_SIZE]);

/* ---- Peers ---- */

/** Read a list of peers, 1 to 4,096. peers: out, NULL on failure; text: in, size bytes. Returns
 * DUET_OK; DUET_E_FORMAT (see where), DUET_E_MEMORY.   Since 0.2. */
DUET_API DUET_CHECKED int duet_peers_parse(duet_peers **peers, const char *text, size_t size,
                                           duet_where *where);

/** Read a file of peers; see "Files".   Since 0.2. */
DUET_API DUET_CHECKED int duet_peers_load(duet_peers **peers, const char *path, duet_where *where);

/** Free; NULL is fine.   Since 0.1. */
DUET_API void duet_peers_free(duet_peers *peers);

/** The number of peers.   Since 0.2. */
DUET_API size_t duet_peers_count(const duet_peers *peers);

/** The name of the peer that has a key; NULL: none has. public_key: in, DUET_KEY_SIZE bytes. Valid
 * until the list is freed.   Since 0.2. */
DUET_API const char *duet_peers_find(const duet_peers *peers,
                                     const uint8_t public_key[DUET_KEY_SIZE]);

/** The name of peer i, counted from 0 in the order of the text; NULL: there are fewer. Valid until
 * the list is freed.   Since 0.2. */
DUET_API const char *duet_peers_name(const duet_peers *peers, size_t i);

/** The public key of peer i, DUET_KEY_SIZE bytes; as duet_peers_name().   Since 0.2. */
DUET_API const uint8_t *duet_peers_key(const duet_peers *peers, size_t i);

/* ---- Profiles ---- */

/** What a profile holds as bytes. */
enum duet_profile_text {
    DUET_PROFILE_LABEL,         /**< UTF-8 */
    DUET_PROFILE_PRELUDE_TOP,   /**< what TOP's stream begins with */
    DUET_PROFILE_PRELUDE_BOTTOM /**< what BOTTOM's stream begins with */
};

/** What a profile holds as numbers. */
enum duet_profile_number {
    DUET_PROFILE_HELLO_PAD_LEAST, /**< bytes */
    DUET_PROFILE_HELLO_PAD_MOST,  /**< bytes, included */
    DUET_PROFILE_ROTATE_FRAMES,   /**< exponent, 1 to 30 */
    DUET_PROFILE_ROTATE_BLOCKS,   /**< exponent, 1 to 30 */
    DUET_PROFILE_UNSUPPORTED      /**< 1: the text asks for Pad or Cover, which are ignored */
};

/** Read a profile's text over the defaults. profile: out, NULL on failure; text: in, size bytes.
 * Returns DUET_OK; DUET_E_FORMAT (see where), DUET_E_MEMORY.   Source: docs/protocol.md §6.
 * Since 0.2. */
DUET_API DUET_CHECKED int duet_profile_parse(duet_profile **profile, const char *text, size_t size,
                                             duet_where *where);

/** Read a profile's file; see "Files".   Since 0.2. */
DUET_API DUET_CHECKED int duet_profile_load(duet_profile **profile, const char *path,
                                            duet_where *where);

/** Free; NULL is fine.   Since 0.2. */
DUET_API void duet_profile_free(duet_profile *profile);

/** Bytes of a profile, *size of them (which may be 0); NULL: no such text. Valid until the profile
 * is freed.   Since 0.2. */
DUET_API const uint8_t *duet_profile_text(const duet_profile *profile, enum duet_profile_text which,
                                          size_t *size);

/** A number of a profile; 0: no such number.   Since 0.2. */
DUET_API uint32_t duet_profile_number(const duet_profile *profile, enum duet_profile_number which);

/** Zeroize memory, which no compiler removes. p: size bytes; NULL when size is 0.   Since 0.1. */
DUET_API void duet_wipe(void *p, size_t size);

#ifdef __cplusplus
}
#endif

#endif
