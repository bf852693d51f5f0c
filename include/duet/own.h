/*
 * An application's own handshake and key schedule, in place of the standard ones.
 *
 * Two parts of the protocol can be replaced, each alone or both: how two parties come to hold a
 * shared secret, and how each key epoch follows from the one before. duet_config_set_own() takes
 * both. The third part, what the bytes of the wire look like as a whole, is a duet_stream
 * (channel.h). Frames, MAC, chain, sequence, READY and CLOSE stay as they are. Both ends need the
 * same functions: a party that has them cannot talk with one that does not.
 *
 * Source: docs/protocol.md §6 "An application's own".
 */
#ifndef DUET_OWN_H
#define DUET_OWN_H

#include <duet/error.h>
#include <duet/session.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * THE SECURITY OF A SESSION IS NO BETTER THAN THESE FUNCTIONS. The library checks sizes, bounds and
 * results; it cannot check that a secret is secret. Each function says below what it must
 * guarantee. For all of them:
 *
 * - No input or output: no file, socket, clock or random number of its own. Randomness and time are
 *   arguments. So the same arguments give the same result, at both ends and in every test.
 * - Constant time: no branch, index or size may depend on a secret argument or on what was computed
 *   from one. What is on the wire in clear may decide.
 * - Wiping: what a function leaves on its stack or in libcrypto's objects is its own to wipe
 *   (duet_wipe()). The library wipes every struct and state that it lends.
 * - Threads: sessions of one configuration may run in several threads at the same time, so
 *   functions are re-entrant: they change nothing but their arguments. `context` is shared by all
 *   sessions: read it only, or lock it.
 * - A function calls no duet function on a session or channel, does not longjmp, and returns in
 *   bounded time: nothing can interrupt it.
 * - A function that fails returns a result and leaves its outputs alone; the session then ends, its
 *   keys are wiped, and nothing more is sent.
 */

/* ---- Handshake: bytes in, bytes out, until both parties hold a secret ---- */

#define DUET_OWN_WIRE_MOST   65536u /**< bytes that a handshake takes on the wire, each way */
#define DUET_OWN_TURN_MOST   16384u /**< bytes that one turn writes */
#define DUET_OWN_STATE_MOST  65536u /**< bytes of state for one handshake */
#define DUET_OWN_SECRET_MOST 1024u  /**< bytes of the agreed secret */
#define DUET_OWN_SALT_MOST   64u    /**< bytes of the agreed salt */

/**
 * What both parties agreed on. The library fills it with defaults before each turn; the turn that
 * sets `done` completes it. Both ends must come to the same values.
 */
typedef struct duet_agreement {
    size_t size;        /**< in: bytes of this struct */
    size_t secret_size; /**< out: bytes of secret, even, 64 to DUET_OWN_SECRET_MOST */
    size_t salt_size;   /**< out: bytes of salt, 16 to DUET_OWN_SALT_MOST */
    /** out: the shared secret. The first half keys TOP's direction, the second BOTTOM's. Each half
     * must have at least 256 bits of entropy for everyone but the two parties, and neither may
     * reveal the other. A Diffie-Hellman result is not uniform: derive the secret from it by a KDF
     * over the whole transcript. For forward secrecy it must depend on keys that both parties draw
     * for this session alone and wipe. */
    uint8_t secret[DUET_OWN_SECRET_MOST];
    /** out: public. THE PAIR (secret, salt) MUST NEVER REPEAT: two sessions with one pair have one
     * keystream, and anyone who sees both can decrypt both. Let each party contribute: a salt of
     * fresh random bytes of both ends cannot be repeated by a peer or by a replayed flight. */
    uint8_t salt[DUET_OWN_SALT_MOST];
    /** [role]: that role's direction is rekeyed after 2^this many frames or 2^this many blocks of
     * 16 bytes, each 1 to 30. Default, both roles: this side's configuration. */
    uint8_t rotate_frames[2], rotate_blocks[2];
    /** [role]: bytes of payload that this role accepts in a frame, at least 256; this side's at
     * most DUET_SET_MAX_PAYLOAD. Default, both roles: DUET_SET_MAX_PAYLOAD. */
    uint32_t max_payload[2];
    /** out: 1: peer_key is the public key that the peer has proven to hold; info reports it. Where
     * the configuration has trusted peers, a session whose peer has no key or another one ends with
     * DUET_E_UNTRUSTED. */
    int has_peer_key;
    uint8_t peer_key[DUET_KEY_SIZE]; /**< out */
} duet_agreement;

/** What a handshake begins with. */
typedef struct duet_handshake_input {
    size_t size;         /**< bytes of this struct */
    enum duet_role role; /**< this side's */
    size_t random_size;  /**< DUET_RANDOM_SIZE */
    /** SECRET random bytes of this session, the only ones that the handshake gets: derive more from
     * them by a KDF. Exception: the first DUET_NONCE_SIZE may be sent in clear as this side's
     * nonce; a channel has stored TOP's in its replay cache, so that TOP's flight cannot be sent
     * back to a listener of the same program. Use no byte for two purposes. */
    const uint8_t *random;
    uint64_t now_ms; /**< Unix milliseconds when the session was made, 0 without a clock */
} duet_handshake_input;

/** One turn of a handshake. */
typedef struct duet_handshake_turn {
    size_t size;       /**< in: bytes of this struct */
    const uint8_t *in; /**< in: exactly the bytes that the turn before asked for; NULL when none */
    size_t in_size;    /**< in: 0 in the first turn, and after a nonce was checked */
    uint8_t *out;      /**< in: where to write what is sent; not NULL */
    size_t out_room;   /**< in: bytes of it: turn_most, or what is left of DUET_OWN_WIRE_MOST */
    size_t put;        /**< out: bytes written, 0 to out_room */

    /* out: exactly one of these three says how it goes on */
    size_t need;     /**< bytes to receive before the next turn; all turns together may ask for
                        DUET_OWN_WIRE_MOST */
    int check_nonce; /**< 1: look `nonce` up in the replay cache before the next turn. Once in a
                        handshake, not in its first turn. A known one ends the session */
    int done;        /**< 1: agreement is complete */

    uint8_t nonce[DUET_NONCE_SIZE]; /**< out, with check_nonce */
    duet_agreement *agreement;      /**< out, with done */
    const char *detail;             /**< out, with a failure: a constant sentence for
                                       duet_session_detail(), without secrets; NULL: none */
} duet_handshake_turn;

/**
 * An application's own handshake.
 *
 * The library calls begin() once for each session, then turn() at once, and again each time that
 * what the turn before asked for is there; then end(), once, in any case in which begin() returned
 * DUET_OK. What turns write is sent in order. Bytes come whole: a turn that asked for 100 bytes
 * gets 100 bytes, however the transport cut them, and never more, so that nothing after the
 * handshake is read. After `done` each party sends READY under keys of the agreed secret, after the
 * last bytes of its handshake; the peer counts as authenticated once its READY is verified.
 *
 * What the functions must guarantee together:
 *
 * - Authentication: only a party that is meant to can come to the same secret. The library verifies
 *   that the peer holds it (READY); it does not know who that is. All who can compute it are
 *   authenticated, so a long-term secret or key must enter it.
 * - Binding: secret or salt depend on every byte that both parties sent. Then a change on the wire
 *   makes READY fail. Whatever is negotiated (limits, versions) must be among these bytes.
 * - Separation: secret and salt are for this purpose alone. When a long-term secret is used
 *   elsewhere too, derive under a label of your own.
 * - Silence: BOTTOM writes nothing before it has verified that the peer holds what it must hold,
 *   or a probe learns what listens there. Before the check of a MAC no input decides about anything
 *   but `need`.
 * - Replay: where BOTTOM answers, or ends, after one flight of TOP's, that flight can be recorded
 *   and sent again: verify it, then use check_nonce, then answer. Where the agreed secret depends
 *   on fresh bytes of both ends a replay cannot reach READY, but it gets an answer.
 * - Bounds: a peer that is not authenticated chooses what arrives. `need` is memory: do not let an
 *   unverified length ask for more than a message can have.
 *
 * A turn returns DUET_OK, or ends the session: any result of DUET_CLASS_THEIRS (the peer is at
 * fault) becomes DUET_E_UNAUTHENTICATED, but DUET_E_UNTRUSTED stays; DUET_E_CRYPTO stays; any other
 * result, more written than there is room, none or several of need, check_nonce and done, a value
 * out of range, a secret of zeros, or more than DUET_OWN_WIRE_MOST bytes are DUET_E_CALLBACK. In
 * every case nothing more is sent. begin() may return DUET_E_MEMORY too, which
 * duet_session_new() then returns.
 */
typedef struct duet_handshake_ops {
    size_t size;       /**< sizeof(duet_handshake_ops) */
    void *context;     /**< passed to each call; must outlive the configuration and its sessions */
    size_t state_size; /**< bytes of state, 0 to DUET_OWN_STATE_MOST */
    size_t turn_most;  /**< bytes that one turn writes at most, 1 to DUET_OWN_TURN_MOST */
    /** Begin one handshake. state: state_size bytes of zeros, aligned for any type, of this session
     * alone; the library wipes and frees them after end(). */
    int (*begin)(void *context, void *state, const duet_handshake_input *input);
    /** Take what has come, write what is to be sent, say how it goes on. */
    int (*turn)(void *context, void *state, duet_handshake_turn *turn);
    /** Release what state refers to (keys of libcrypto, memory), wiped. NULL: nothing to release.
     */
    void (*end)(void *context, void *state);
} duet_handshake_ops;

/* ---- Schedule: the keys of each epoch ---- */

/** Why an epoch begins, and what is fresh in it. All pointers are valid during the call only. */
typedef struct duet_schedule_input {
    size_t size;           /**< bytes of this struct */
    enum duet_role sender; /**< whose direction */
    uint64_t epoch;        /**< 0: the direction's first; grows by one with each rekey */
    const char *use; /**< what begins the direction: "hello" (the standard handshake), "preset",
                        "own" (an own handshake); NULL in rotate() */
    const uint8_t *label;  /**< 32 bytes: SHA-256 of the profile's label */
    const uint8_t *secret; /**< start(): SECRET, the sender's half of the shared secret */
    size_t secret_size;    /**< start(): bytes, 32 or more; 0 in rotate() */
    const uint8_t *salt;   /**< start(): public, never twice with the same secret */
    size_t salt_size;      /**< start(): bytes, 16 or more; 0 in rotate() */
    const uint8_t *fresh;  /**< rotate(): SECRET new material (the session's secret after the
                              standard handshake, a refresh); NULL: none, an ordinary rekey */
    size_t fresh_size;     /**< rotate(): bytes; 0: none */
} duet_schedule_input;

/** The keys of one epoch. */
typedef struct duet_epoch {
    uint8_t key[32];   /**< out: the AES-256 key */
    uint8_t block[16]; /**< out: the first counter block, a 128-bit big-endian integer */
    uint8_t chain[32]; /**< out: hashed into the MAC's chain, as if it were a frame's content */
} duet_epoch;

/**
 * An application's own key schedule. The library calls start() once for each direction and each
 * secret that a listener tries, then rotate() for each later epoch, at the same places of the
 * stream at both ends. Sequence numbers and chain go on through all epochs.
 *
 * root is what an epoch leaves for the next, 32 SECRET bytes for each direction: zeros in start(),
 * afterwards what the call before left there. The library keeps it until the next epoch and wipes
 * it at the end.
 *
 * What both functions must guarantee, for everyone who does not hold the secret:
 *
 * - Uniqueness: NO PAIR OF key AND COUNTER BLOCK MAY EVER BE USED TWICE, in any epoch, direction or
 *   session. An epoch uses the blocks from `block` on, one for each 16 bytes of its frames, so a
 *   fresh key for each epoch is the simple way: any rule for `block` is safe then. With one key for
 *   several epochs blocks must lie further apart than an epoch is long: rotate_blocks bounds an
 *   epoch to 2^rotate_blocks blocks and one frame, but DUET_SET_MAX_PAYLOAD lets a frame be 2^28
 *   blocks. sender and salt must enter, or the two directions and all sessions share keys.
 * - Pseudorandomness: key and chain look uniform and independent of each other and of those of all
 *   other epochs. block may be public and predictable.
 * - Secrecy of chain: it keys the MAC. With a known chain anyone who knows the plaintext can forge.
 *   It needs at least 128 bits of entropy, from the secret.
 * - Forward security: root is overwritten so that it does not reveal earlier keys: a one-way
 *   function of the old one. A root that never changes is allowed, but then a theft of the state
 *   opens all earlier epochs.
 * - Healing: fresh enters root, key and chain whenever it is there. Else READY does not prove the
 *   handshake, forward secrecy is lost, and a refresh heals nothing.
 * - Determinism: the same at both ends, from the input and root alone.
 *
 * A function returns DUET_OK, or ends the session: DUET_E_CRYPTO stays, any other result is
 * DUET_E_CALLBACK. So are the mistakes that the library can see: a key or chain of zeros; key and
 * block of one direction that the other has too; the key of the epoch before with a block that it
 * used. A frame that was sealed or verified before a rotation failed still counts.
 */
typedef struct duet_schedule_ops {
    size_t size;   /**< sizeof(duet_schedule_ops) */
    void *context; /**< passed to each call; must outlive the configuration and its sessions */
    /** The first epoch of a direction. */
    int (*start)(void *context, const duet_schedule_input *input, uint8_t root[32],
                 duet_epoch *epoch);
    /** The next epoch: a rekey. */
    int (*rotate)(void *context, const duet_schedule_input *input, uint8_t root[32],
                  duet_epoch *epoch);
} duet_schedule_ops;

/**
 * Use a handshake or a key schedule of the application's own, or both.
 *
 * handshake   in: copied; NULL: as it is. For sessions that begin with a handshake: preset ones
 *             have none and ignore it. Secrets, patterns and identity of the configuration are not
 *             used then (none need be there), nor are prelude and HELLO sizes of the profile;
 *             trusted peers, label, limits and rotation numbers are.
 * schedule    in: copied; NULL: as it is. For every session, preset ones and those of an own
 *             handshake included. When to rekey is decided as ever: by the rotation numbers, by a
 *             rekey that is asked for, by a refresh.
 *
 * Returns DUET_OK; DUET_E_MISUSE with nothing changed (a size out of range, a function missing; in
 * use).   Source: docs/protocol.md §6 "An application's own".   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_config_set_own(duet_config *config,
                                              const duet_handshake_ops *handshake,
                                              const duet_schedule_ops *schedule);

#ifdef __cplusplus
}
#endif

#endif
