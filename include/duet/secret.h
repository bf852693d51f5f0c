/*
 * Keys: what two peers hold. A shared secret, an identity, a list of trusted peers or a profile, in
 * memory, as text and as a file.
 *
 * A key is opaque, is made by duet_key_new(), _parse() or _load(), never changes, and belongs to
 * the caller until duet_key_free(), which wipes it. Several threads may read one; none may free it
 * meanwhile. duet_config_add() takes it into a configuration, which copies it. Reading is strict:
 * an unknown name, a value out of range or a malformed line is refused, with its line and a
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

/** The kinds of key. */
enum duet_kind {
    DUET_KIND_ANY,                    /**< to _parse() and _load(): whichever the text is */
    DUET_KIND_SECRET,                 /**< a shared secret: its bytes, id and last day */
    DUET_KIND_IDENTITY,               /**< an X25519 key pair */
    DUET_KIND_PEERS,                  /**< trusted peers, each a name and a public key, unique */
    DUET_KIND_PROFILE,                /**< what both parties agree on beside the secret */
    DUET_KIND_SEALED,                 /**< of a file: a secret or an identity under a passphrase */
    DUET_KIND_UNKNOWN = DUET_KIND_ANY /**< from duet_kind_of(): none of them */
};

/** Where and why a text or file was refused. Never quotes a secret, nor the path. After DUET_OK
 * `reason` is empty, or a warning for the user. */
typedef struct duet_where {
    unsigned line;        /**< from 1; 0: the whole text or file */
    enum duet_kind found; /**< what the text is, where it is another kind than was asked for */
    char reason[160];     /**< a sentence */
} duet_where;

/** A key: one of the four kinds. */
typedef struct duet_key duet_key;

/** The kind of a text, by its first section alone. text: in, size bytes. Returns a DUET_KIND_; also
 * DUET_KIND_UNKNOWN for the bare key that `wg genkey` prints.   Since 0.1. */
DUET_API enum duet_kind duet_kind_of(const char *text, size_t size);

/* ---- Make, read, write ---- */

/**
 * Make a secret or an identity of bytes, or of the system's randomness.
 *
 * key         out: NULL on failure.
 * kind        DUET_KIND_SECRET or DUET_KIND_IDENTITY; the others are read from text.
 * bytes       in: size bytes, copied: a secret's, uniformly random, or an X25519 private key. NULL:
 *             drawn from the system.
 * size        bytes of a secret, even, 64 to 65,536; of an identity DUET_KEY_SIZE. With bytes NULL
 *             0 is DUET_SECRET_DEFAULT or DUET_KEY_SIZE.
 * not_after   any moment, in Unix seconds, of the last day (UTC) on which a secret may be used, to
 *             the year 9999; 0: no limit.
 *
 * Returns DUET_OK; DUET_E_LENGTH (size), DUET_E_MISUSE (another kind, a day out of range, an
 * identity with one), DUET_E_MEMORY, DUET_E_CRYPTO, DUET_E_IO (the system has no randomness).
 * Source: docs/protocol.md §2, §4 "Identities".   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_key_new(duet_key **key, enum duet_kind kind, const uint8_t *bytes,
                                       size_t size, int64_t not_after);

/**
 * Read a key's text.
 *
 * key     out: NULL on failure.
 * kind    what it must be; DUET_KIND_ANY: the text says which.
 * text    in: size bytes. An identity is an [Identity], or the one line that `wg genkey` prints; a
 *         profile is read over the defaults; peers are 1 to 4,096.
 * where   out: line and sentence; may be NULL.
 *
 * A date that has passed is read too. Returns DUET_OK (with a warning in where when a bare line
 * looks like a public key); DUET_E_FORMAT (see where; also an Id or PublicKey that does not belong
 * to its key), DUET_E_MISUSE (no such kind, or a sealed text, which
 * duet_key_load() alone opens), DUET_E_MEMORY, DUET_E_CRYPTO. Timing depends on the
 * text's size and layout, and on whether it is refused.
 * Source: docs/protocol.md §2, §4 "Identities", §6.   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_key_parse(duet_key **key, enum duet_kind kind, const char *text,
                                         size_t size, duet_where *where);

/**
 * Read a key file, with every check that the command makes:
 *
 * - The path leads to a regular file, at a link's end too, of 1 byte to 1 MiB.
 * - It belongs to root or to this process's user; for root by sudo, also to the user who called it.
 * - A secret or an identity can be read and written by its owner alone (mode 600 or less). Where
 *   this process does not run as root, one of root's may also be readable by a group of this
 *   process (mode 640).
 *   Peers and a profile can be written by their owner alone.
 * - Not everybody may write in the folder of the path, where this process's user owns it, unless it
 *   is sticky or the file system is read-only.
 * - Below $CREDENTIALS_DIRECTORY, where systemd keeps everyone else out, owner, mode and folder may
 *   be any.
 * - Its text is of the kind that was asked for, and is well formed.
 * - A secret's last day has not passed.
 *
 * key, kind, where   as duet_key_parse().
 * path               in: a NUL-terminated path.
 * passphrase         in: size bytes that open a sealed file, which takes about half a second and
 *                    128 MiB; NULL: none, and a sealed file is DUET_E_FORMAT, with DUET_KIND_SEALED
 *                    in where->found.
 *
 * Returns DUET_OK; with *key NULL and the sentence in where: DUET_E_IO (the file cannot be read, or
 * not safely: path, kind of file, owner, mode, size), DUET_E_FORMAT (its text), DUET_E_MISUSE (its
 * last day has passed; no such kind), DUET_E_FORGED (another passphrase, or a damaged sealed file),
 * DUET_E_MEMORY, DUET_E_CRYPTO. The text is wiped.
 * Source: docs/protocol.md "Sealed key files".   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_key_load(duet_key **key, enum duet_kind kind, const char *path,
                                        const char *passphrase, size_t size, duet_where *where);

/**
 * Write the text of a secret or an identity, private key included. The caller wipes it.
 *
 * out    out: the text, no final NUL; NULL with cap 0 asks for the size only.
 * cap    bytes of out.
 * size   out: bytes written, or needed.
 *
 * Returns DUET_OK; with nothing written DUET_E_ROOM (*size is what is needed), DUET_E_MISUSE (peers
 * and profiles are written by hand).   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_key_format(const duet_key *key, char *out, size_t cap, size_t *size);

/**
 * Write a secret or an identity into a new file of mode 0600, all of it or nothing.
 *
 * path         in: NUL-terminated; an existing file is never overwritten.
 * passphrase   in: size bytes, 1 and more, that seal the file; NULL: none.
 * where        out: the sentence; may be NULL.
 *
 * Returns DUET_OK; DUET_E_IO (it exists, the folder cannot be written, no space, no randomness),
 * DUET_E_MISUSE (another kind), DUET_E_LENGTH (an empty passphrase), DUET_E_MEMORY, DUET_E_CRYPTO.
 * Source: docs/protocol.md "Sealed key files".   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_key_save(const duet_key *key, const char *path,
                                        const char *passphrase, size_t size, duet_where *where);

/** Wipe and free; NULL is fine.   Since 0.2. */
DUET_API void duet_key_free(duet_key *key);

/* ---- What a key holds ----
 *
 * Pointers are valid until the key is freed. What a kind does not have is NULL or 0.
 */

/** Its kind.   Since 0.2. */
DUET_API enum duet_kind duet_key_kind(const duet_key *key);

/** A secret's id, DUET_SECRET_ID_SIZE bytes that name it and give nothing away; both peers compare
 * it.   Source: docs/protocol.md §2.   Since 0.2. */
DUET_API const uint8_t *duet_key_id(const duet_key *key);

/** Bytes that duet_key_bytes() has.   Since 0.2. */
DUET_API size_t duet_key_size(const duet_key *key);

/** The bytes of a secret, or an identity's private key. They must stay secret.   Since 0.2. */
DUET_API const uint8_t *duet_key_bytes(const duet_key *key);

/** The end of the last day on which a secret may be used, in Unix seconds (UTC); 0: no limit.
 * Since 0.2. */
DUET_API int64_t duet_key_not_after(const duet_key *key);

/** The number of public keys: of peers how many they are, of an identity 1.   Since 0.2. */
DUET_API size_t duet_key_count(const duet_key *key);

/** Public key i of peers, counted from 0 in the order of the text, or the one of an identity, for
 * the other end's list of peers: DUET_KEY_SIZE bytes; NULL: there are fewer.   Since 0.2. */
DUET_API const uint8_t *duet_key_public_key(const duet_key *key, size_t i);

/** The name of peer i; as duet_key_public_key().   Since 0.2. */
DUET_API const char *duet_key_name(const duet_key *key, size_t i);

/** The name of the peer that has a public key; NULL: none has. public_key: in, DUET_KEY_SIZE bytes.
 * Since 0.2. */
DUET_API const char *duet_key_find(const duet_key *key, const uint8_t public_key[DUET_KEY_SIZE]);

/** What a profile holds as bytes. */
enum duet_profile_text {
    DUET_PROFILE_LABEL,         /**< UTF-8 */
    DUET_PROFILE_PRELUDE_TOP,   /**< what TOP's stream begins with */
    DUET_PROFILE_PRELUDE_BOTTOM /**< what BOTTOM's stream begins with */
};

/** What a profile holds as numbers. */
enum duet_profile_number {
    DUET_PROFILE_HELLO_LEAST,   /**< bytes of a HELLO's flight */
    DUET_PROFILE_HELLO_MOST,    /**< the most, included */
    DUET_PROFILE_ROTATE_FRAMES, /**< exponent, 1 to 30 */
    DUET_PROFILE_ROTATE_BLOCKS, /**< exponent, 1 to 30 */
    DUET_PROFILE_DIALECT,       /**< 1: `Dialect = secret` */
    DUET_PROFILE_FIRST,         /**< writes that are filled */
    DUET_PROFILE_FIRST_LEAST,   /**< bytes of each */
    DUET_PROFILE_FIRST_MOST,    /**< the most, included */
    DUET_PROFILE_HELLO_GIVEN,   /**< 1: the text has `HelloSize`; 0: a dialect's own is used */
    DUET_PROFILE_FIRST_GIVEN    /**< 1: the text has `First`; 0: a dialect's own is used */
};

/** Bytes of a profile, *size of them (which may be 0); NULL: no such text.   Since 0.2. */
DUET_API const uint8_t *duet_key_profile_text(const duet_key *key, enum duet_profile_text which,
                                              size_t *size);

/** A number of a profile; 0: no such number.   Since 0.2. */
DUET_API uint32_t duet_key_profile_number(const duet_key *key, enum duet_profile_number which);

/** Write a public key as base64. out: out, DUET_KEY_TEXT_SIZE bytes with the final NUL; public_key:
 * in, DUET_KEY_SIZE bytes.   Since 0.1. */
DUET_API void duet_key_text(char out[DUET_KEY_TEXT_SIZE], const uint8_t public_key[DUET_KEY_SIZE]);

/** Zeroize memory, which no compiler removes. p: size bytes; NULL when size is 0.   Since 0.1. */
DUET_API void duet_wipe(void *p, size_t size);

#ifdef __cplusplus
}
#endif

#endif
