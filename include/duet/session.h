/*
 * A session: both directions of one connection, as bytes in and bytes out.
 *
 * Does no I/O, reads no clock and draws no random numbers: the caller carries bytes to and from the
 * wire, brings random bytes and the time, and asks its replay cache. channel.h does all that on a
 * descriptor or a stream, and is what most programs want. Source: docs/protocol.md, §1 to §5.
 *
 * A SESSION DOES NOT NOTICE A FORK: both copies would seal under one keystream, and anyone who sees
 * both can decrypt both. Free it in one of the processes at once. Channels notice (DUET_E_FORKED).
 */
#ifndef DUET_SESSION_H
#define DUET_SESSION_H

#include <duet/error.h>
#include <duet/frame.h>
#include <duet/secret.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The two parties. By default the one that opens the connection is TOP. */
enum duet_role { DUET_TOP = 0, DUET_BOTTOM = 1 };

/* What the handshake proves (§4): X(NAME, number, name). SECRET: that both hold the secret, without
 * forward secrecy. EPHEMERAL: the same with forward secrecy. IDENTITY: also each party's static
 * key. */
#define DUET_PATTERNS(X)                                                                           \
    X(SECRET, 0, "secret")                                                                         \
    X(EPHEMERAL, 1, "ephemeral")                                                                   \
    X(IDENTITY, 2, "identity")

#define DUET__PATTERN_ENUM(NAME, number, name) DUET_PATTERN_##NAME = (number),
/** The handshake patterns. A set of them is made of 1 << pattern. */
enum duet_pattern {
    DUET_PATTERN_NONE = -1, /**< a preset session, or not known yet */
    DUET_PATTERNS(DUET__PATTERN_ENUM) DUET_PATTERN_COUNT
};
#undef DUET__PATTERN_ENUM

#define DUET_RANDOM_SIZE  144u   /**< random bytes that a new session takes */
#define DUET_FRESH_SIZE   96u    /**< random bytes that a refresh (DH ratchet) takes */
#define DUET_NONCE_SIZE   32u    /**< bytes of a nonce, N_t or N_b */
#define DUET_RECEIPT_SIZE 32u    /**< bytes of a receipt */
#define DUET_PING_SIZE    8u     /**< bytes of a PING */
#define DUET_EXPORT_MOST  8160u  /**< bytes that one export gives at most */
#define DUET_FILL_MOST    16384u /**< bytes that duet_session_fill() writes at most */
#define DUET_SECRETS_MOST 1024u  /**< secrets in one configuration */

/* ---- Configuration: what many sessions share ---- */

/**
 * Secrets, identity, trusted peers, profile and numbers.
 *
 * The first session or channel made from it freezes it for good: every later change returns
 * DUET_E_MISUSE with nothing changed, and from then on threads may share it. To add a secret while
 * sessions run, make a new configuration for the sessions that follow. Sessions and channels keep
 * what they use: the application may call duet_config_free() as soon as it makes no more of them.
 */
typedef struct duet_config duet_config;

/** The numbers of a configuration. Each has an effect, or the session or channel is refused with
 * DUET_E_MISUSE: PATTERNS, MAX_SKEW_MS, DIALECT and a HYBRID of REQUIRE need the standard
 * handshake; SPEAK_FIRST, and a list of trusted peers, a handshake; MAX_PAYLOAD and REFRESH_ are
 * not for raw directions, whose ciphers have their limit and keys of the caller's. FRAME_SIZE,
 * BUFFERED, READ_AHEAD and REFRESH_ are for channels. */
enum duet_setting {
    DUET_SET_PATTERNS,    /**< the set of patterns; TOP offers the highest. Default: 1 and 2 (TOP
                             without an identity: 1) */
    DUET_SET_MAX_PAYLOAD, /**< bytes of payload that this side accepts in a frame, 256 to 2^32 - 1;
                             default 1 MiB */
    DUET_SET_FRAME_SIZE,  /**< bytes of payload into which a channel splits, 1 to 65,536; default
                             16 KiB */
    DUET_SET_MAX_SKEW_MS, /**< milliseconds that the peer's clock may be off, up to a year; 0, the
                             default: clocks are not compared */
    DUET_SET_SPEAK_FIRST, /**< 1: the application may send before the peer's READY, while the peer
                             is NOT yet proven live; default 0 */
    DUET_SET_BUFFERED,    /**< 1: a channel keeps one verified frame, up to DUET_SET_MAX_PAYLOAD
                             bytes, and hands it out in pieces of any size; default 0: whole frames,
                             and what is not asked for stays in the kernel. See
                             duet_channel_recv() */
    DUET_SET_HYBRID,      /**< an enum duet_hybrid; default OFFER where duet_has_hybrid(), else OFF.
                             REQUIRE is E_MISUSE where ML-KEM-768 is absent */
    DUET_SET_REFRESH_BYTES,   /**< a channel asks for a refresh (DH ratchet) by itself after so many
                                bytes of payload, both directions together; default 2^30; 0: never.
                                A preset channel does so only where this or the next is set */
    DUET_SET_REFRESH_SECONDS, /**< the same after so many seconds, at the next call; up to a year;
                                default 3,600; 0: never */
    DUET_SET_DIALECT,   /**< 1: the wire looks as the secret says (§6), at both ends, as under
                             `Dialect = secret` of a profile; a profile set later replaces it.
                             Default 0 */
    DUET_SET_READ_AHEAD /**< 1: a channel on a socket reads what has come before a call asks for it
                             (at most 64 KiB and four frames' overhead): many frames by one read.
                             For a program that reads the socket by this channel alone, to its
                             end. Default 0: what is not asked for stays in the kernel */
};

/** Whether a session uses ML-KEM-768 beside X25519, so that a recording cannot be decrypted with a
 * quantum computer later, not even one who holds the secret (docs/protocol.md §4 "Hybrid"). Needs
 * pattern 1 or 2 and a DUET_SET_MAX_PAYLOAD of 2,048 at least. */
enum duet_hybrid {
    DUET_HYBRID_OFF,    /**< never */
    DUET_HYBRID_OFFER,  /**< where the peer can and may */
    DUET_HYBRID_REQUIRE /**< always: a peer that does not is met as one without the secret */
};

/** The ranges of time of a configuration, in milliseconds. */
enum duet_time {
    DUET_TIME_SILENCE_LEAST, /**< an unauthenticated peer is read in silence: 30,000 */
    DUET_TIME_SILENCE_MOST,  /**< 90,000 */
    DUET_TIME_LINGER_LEAST,  /**< and a peer that broke the protocol: 1,000 */
    DUET_TIME_LINGER_MOST    /**< 5,000 */
};

/** Make an empty configuration: the default profile, no secret. Returns NULL without memory, or
 * when libcrypto failed. Free it by duet_config_free().   Since 0.1. */
DUET_API duet_config *duet_config_new(void);

/** A time of a configuration: the default above, or with a dialect what its first secret says. A
 * channel's silence is drawn from these. Source: docs/protocol.md §4 "Probing", §6.   Since 0.2. */
DUET_API uint32_t duet_config_time(const duet_config *config, enum duet_time which);

/** Give a configuration up; NULL is accepted. The last of the sessions and channels made from it
 * wipes and frees it, or this call does if there is none.   Since 0.1. */
DUET_API void duet_config_free(duet_config *config);

/**
 * Add a key (copied).
 *
 * key   a secret: TOP uses the first, a listener tries them in the order in which they were added.
 *       Its last day is observed: now, and at each handshake, where an expired one is not used.
 *       An identity: this party's; with it TOP offers pattern 2. Peers: only pattern 2 is used
 *       then, and only these public keys are accepted. A profile. Each of the latter three takes
 *       the place of one that was added before.
 *
 * Returns DUET_OK; with nothing changed DUET_E_MISUSE (a secret's last day has passed, or
 * DUET_SECRETS_MOST are there; in use), DUET_E_MEMORY, DUET_E_CRYPTO.
 * Source: docs/protocol.md §2, §4 "Several secrets", "Identities", §6.   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_config_add(duet_config *config, const duet_key *key);

/**
 * Read a key file of any kind and add it, as duet_key_load() without a passphrase and
 * duet_config_add(). A sealed file is DUET_E_FORMAT: use these two calls.
 *
 * config   in and out: a configuration, or NULL, then a new one is made.
 * path     in: a NUL-terminated path.
 * where    out: the sentence; may be NULL.
 *
 * Returns DUET_OK; with *config unchanged DUET_E_IO, DUET_E_FORMAT, DUET_E_MISUSE (its last day has
 * passed, in use, DUET_SECRETS_MOST are there), DUET_E_MEMORY, DUET_E_CRYPTO.   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_config_load(duet_config **config, const char *path,
                                           duet_where *where);

/** Set a number. Returns DUET_OK; DUET_E_MISUSE (unknown setting, value out of range; in use) with
 * nothing changed.   Since 0.1. */
DUET_API DUET_CHECKED int duet_config_set(duet_config *config, enum duet_setting setting,
                                          uint64_t value);

/* ---- A session ---- */

/**
 * One session. One thread at a time.
 *
 * Buffers are the caller's and used only during a call. A fatal result ends the session: its keys
 * are wiped, every later call returns that result again, and duet_session_detail() says what
 * happened.
 */
typedef struct duet_session duet_session;

/** Why duet_session_recv() stopped. */
enum duet_event {
    DUET_EVENT_NONE,    /**< more bytes are needed: step->need of them, or room in step->out */
    DUET_EVENT_NONCE,   /**< BOTTOM: duet_replay_check() looks the nonce up and answers; with a
                           cache of your own: duet_session_accept(), or duet_session_end() */
    DUET_EVENT_READY,   /**< the peer is authenticated */
    DUET_EVENT_BEGIN,   /**< the header of an application frame; code and length are not yet
                           authenticated */
    DUET_EVENT_FRAME,   /**< that frame is verified, with all payload put since BEGIN */
    DUET_EVENT_LIBRARY, /**< a frame of the library's own was handled; an answer may be pending */
    DUET_EVENT_PONG,    /**< the answer to this side's PING */
    DUET_EVENT_RANDOM,  /**< the peer asks for a refresh. Answer by duet_session_refresh() */
    DUET_EVENT_CLOSE    /**< the peer has closed its direction */
};

/** One step of receiving: what arrived, where payload goes, and how far it came. */
typedef struct duet_step {
    const uint8_t *in; /**< in: bytes from the wire */
    size_t in_size;    /**< in: bytes of them */
    uint8_t *out;      /**< in: where payload goes. May be `in` itself while a payload is due, else
                          no overlap */
    size_t out_size;   /**< in: bytes of room */
    size_t used;       /**< out: bytes of `in` that were taken */
    size_t put;        /**< out: bytes of payload written; not verified before EVENT_FRAME */
    enum duet_event event; /**< out */
    uint32_t code;   /**< out, BEGIN and FRAME: its code; DUET_CODE_MORE: the message goes on */
    uint32_t length; /**< out, BEGIN and FRAME: bytes of the frame's payload */
    size_t need;     /**< out: bytes that complete what is awaited: prelude, nonce and header; a
                        header; or payload and MAC */
    const uint8_t *nonce; /**< out, NONCE: DUET_NONCE_SIZE bytes of the session, until the answer */
} duet_step;

/** What is known about a session. */
typedef struct duet_info {
    enum duet_role role;
    enum duet_pattern pattern;     /**< in use */
    int ready;                     /**< 1: the peer is authenticated */
    int may_send;                  /**< 1: application frames may be sealed now */
    int tx_closed, rx_closed;      /**< 1: CLOSE was sent, was received */
    int pinging;                   /**< 1: a PING is pending or sent, its PONG has not come */
    int refreshing;                /**< 1: a refresh is under way at this end */
    size_t pending;                /**< bytes that duet_session_flush() would write */
    uint32_t tx_limit, rx_limit;   /**< bytes of payload in a frame: the peer's limit, mine */
    uint64_t tx_frames, rx_frames; /**< frames so far, the library's included */
    uint64_t tx_bytes, rx_bytes;   /**< application payload so far; received: verified */
    uint64_t tx_epoch, rx_epoch;   /**< rekeys so far */
    uint8_t secret_id[DUET_SECRET_ID_SIZE]; /**< of the secret in use */
    int has_peer_key;                       /**< 1: pattern 2, and peer_key is known */
    uint8_t peer_key[DUET_KEY_SIZE];        /**< the peer's identity; trusted only once ready */
    int hybrid;         /**< 1: ML-KEM-768 is used beside X25519; see DUET_SET_HYBRID */
    uint64_t refreshes; /**< refreshes by either end, once this side sends under their keys */
    unsigned receipts;  /**< a set of 1 << role: the directions that have closed, whose receipt is
                          known; a session that has ended keeps it */
    uint8_t receipt[2][DUET_RECEIPT_SIZE]; /**< by role: a digest of every frame's content and order
                                              that it sent, the same at both ends (docs/protocol.md,
                                              §4 "receipt") */
} duet_info;

/**
 * Make a session that begins with a handshake.
 *
 * session   out: the session, to be freed by duet_session_free(); NULL on failure.
 * config    at least one secret; frozen from now on.
 * random    in: DUET_RANDOM_SIZE random bytes, never used for anything else. The first
 *           DUET_NONCE_SIZE are this side's nonce; TOP stores it by duet_replay_check() before the
 *           flight is sent.
 * now_ms    Unix milliseconds, 0 without a clock.
 *
 * Returns DUET_OK; DUET_E_MISUSE (no secret, or TOP has only such as are past their NotAfter; no
 * pattern that this role may use, pattern 2 without an identity; an own handshake with a setting
 * that it cannot have, see enum duet_setting), DUET_E_MEMORY, DUET_E_CRYPTO.
 * Source: docs/protocol.md §4.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_session_new(duet_session **session, const duet_config *config,
                                           enum duet_role role,
                                           const uint8_t random[DUET_RANDOM_SIZE], uint64_t now_ms);

/**
 * Make a preset session: without a handshake, the first byte is a frame's.
 *
 * THE SALT MUST NEVER REPEAT WITH THE SAME SECRET: two sessions with one salt have one keystream,
 * and anyone who sees both can decrypt both. There is no forward secrecy.
 *
 * session     out: as duet_session_new().
 * config      exactly one secret; frozen from now on; its limits and rotation numbers apply to both
 *             parties.
 * salt        in: salt_size bytes, 16 to 1,024, that the higher protocol has agreed on.
 *
 * Returns DUET_OK; DUET_E_MISUSE (number of secrets, salt_size, a setting that needs a handshake:
 * see enum duet_setting), DUET_E_MEMORY.
 * Source: docs/protocol.md §3 "Preset sessions".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_session_new_preset(duet_session **session, const duet_config *config,
                                                  enum duet_role role, const uint8_t *salt,
                                                  size_t salt_size);

/** Wipe and free; NULL is accepted.   Since 0.1. */
DUET_API void duet_session_free(duet_session *session);

/**
 * Take bytes from the wire, up to the next event.
 *
 * A call reports one event at most; call again while step->used is less than what arrived. After
 * BEGIN payload goes to step->out; without room left the call returns DUET_OK with EVENT_NONE. Do
 * not use any of a frame's payload before EVENT_FRAME.
 *
 * Returns DUET_OK with step->event; DUET_E_MISUSE with nothing changed (an event waits for its
 * answer; TOP's flight is not flushed); DUET_CLOSED (the peer has closed; used is 0); DUET_E_MEMORY
 * with nothing changed beyond step->used. Any other is fatal: wipe step->put bytes of step->out.
 * Before READY every fault of the peer is DUET_E_UNAUTHENTICATED or DUET_E_UNTRUSTED; send nothing
 * then. Timing depends on sizes, and on what is in clear by then: codes, lengths and outcomes.
 * Source: docs/protocol.md §1, §4, §5.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_session_recv(duet_session *session, duet_step *step);

/** Report that the wire has ended. Returns DUET_CLOSED after the peer's CLOSE. Without it that is
 * fatal: DUET_E_TRUNCATED, or DUET_E_UNAUTHENTICATED before READY.   Since 0.1. */
DUET_API DUET_CHECKED int duet_session_end(duet_session *session);

/**
 * Seal one frame of the application.
 *
 * out      out: len + DUET_FRAME_OVERHEAD bytes. The payload may be at out + DUET_HEADER_SIZE, else
 *          no overlap.
 * code     0 to DUET_CODE_APP_MAX, DUET_CODE_MORE, or DUET_CODE_PAD, which the peer ignores.
 * payload  in: len bytes; may be NULL when len is 0, and under DUET_CODE_PAD, which then sends
 *          zeros.
 * len      bytes, 0 to info.tx_limit.
 *
 * Returns DUET_OK; with nothing changed DUET_E_MISUSE (may not send, a frame is begun, code is
 * reserved, no payload), DUET_E_LENGTH; or a fatal result. Timing depends on len and code only.
 * Source: docs/protocol.md §1.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_session_send(duet_session *session, uint8_t *out, uint32_t code,
                                            const uint8_t *payload, size_t len);

/**
 * Fill a write with PAD frames, as the profile's `First` or `Dialect` says (§6). Call it once for
 * each write that has frames of the application, after the last of them. What duet_session_flush()
 * alone writes is filled already. READY and CLOSE alone are filled by channels only (§4).
 *
 * out   out: behind the write's frames; cap bytes, DUET_FILL_MOST at least.
 * used  bytes of the write so far. 0: nothing is done.
 * put   out: bytes written; 0 where nothing is to be filled.
 *
 * Returns DUET_OK; DUET_E_ROOM with nothing changed; or a fatal result.
 * Source: docs/protocol.md §6.   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_session_fill(duet_session *session, uint8_t *out, size_t cap,
                                            size_t used, size_t *put);

/**
 * Begin a frame whose payload follows by duet_session_send_piece(). Nothing else is sealed before
 * its last piece.
 *
 * header   out: DUET_HEADER_SIZE bytes.
 * code     as in duet_session_send().
 * len      bytes of payload that will follow, all of them, 0 to info.tx_limit.
 *
 * Returns, timing and source as duet_session_send().   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_session_send_begin(duet_session *session, uint8_t *header,
                                                  uint32_t code, uint32_t len);

/**
 * Seal the next piece of that frame. One without payload needs one piece of 0 bytes.
 *
 * out   out: len bytes, and DUET_MAC_SIZE more when this piece completes the payload. May be the
 *       same as in, else no overlap.
 * put   out: bytes written.
 * in    in: len bytes of payload.
 * len   bytes, at most what is left of the payload.
 *
 * Returns DUET_OK; DUET_E_MISUSE with nothing changed (no frame is begun, len is too large); or a
 * fatal result. Timing and source as duet_session_send().   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_session_send_piece(duet_session *session, uint8_t *out, size_t *put,
                                                  const uint8_t *in, size_t len);

/**
 * Write what is pending: the flight, READY, PONG, REFRESH, and what the calls below ask for.
 *
 * out   out: cap bytes; info.pending are enough. Give a flight to the transport in one write.
 * put   out: bytes written, 0 when nothing is pending.
 *
 * Returns DUET_OK (an own handshake, own.h, may need more calls where cap is less than
 * info.pending); with nothing written DUET_E_ROOM (cap is too small), DUET_AGAIN (a frame is
 * begun: complete it first); or a fatal result.   Source: docs/protocol.md §1, §4.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_session_flush(duet_session *session, uint8_t *out, size_t cap,
                                             size_t *put);

/**
 * Answer EVENT_NONCE without duet_replay_check(), by a replay cache of your own: the nonce was not
 * known, and is stored now. The handshake goes on; the flight becomes pending. Where it was known
 * this is a replay: call duet_session_end() instead.
 *
 * now_ms   Unix milliseconds of now, to compare with the peer's clock where DUET_SET_MAX_SKEW_MS is
 *          set; 0: the time that duet_session_new() got.
 *
 * Returns DUET_OK; DUET_E_MISUSE with nothing changed (no EVENT_NONCE waits); or a fatal result:
 * DUET_E_UNAUTHENTICATED (m1 is malformed, offers what is not accepted, or its clock is too far
 * off), DUET_E_CRYPTO, or what ended the session.   Source: docs/protocol.md §4 "Replay".
 * Since 0.2.
 */
DUET_API DUET_CHECKED int duet_session_accept(duet_session *session, uint64_t now_ms);

/** Make CLOSE pending: after it this side sends nothing more, and its keys are wiped. Returns
 * DUET_OK, also while one is pending; DUET_E_MISUSE with nothing changed (closed; inside a message
 * or frame); or what ended the session.   Source: docs/protocol.md §1 "CLOSE".   Since 0.2. */
DUET_API DUET_CHECKED int duet_session_close(duet_session *session);

/** Make ROTATE pending: it rekeys this side's direction. Returns DUET_OK; DUET_E_MISUSE with
 * nothing changed (closed, or CLOSE is pending); or what ended the session.
 * Source: docs/protocol.md §3.   Since 0.2. */
DUET_API DUET_CHECKED int duet_session_rekey(duet_session *session);

/** Make PING pending. bytes: in, DUET_PING_SIZE, copied, which the peer echoes; EVENT_PONG comes
 * when it has. An earlier PING that is not answered is forgotten. Returns as duet_session_rekey();
 * DUET_E_MISUSE also where bytes is NULL.   Source: docs/protocol.md §1.   Since 0.2. */
DUET_API DUET_CHECKED int duet_session_ping(duet_session *session,
                                            const uint8_t bytes[DUET_PING_SIZE]);

/**
 * Make a refresh (a DH ratchet step) pending, or answer EVENT_RANDOM, the peer's: both directions
 * get keys that later loss of the present ones does not give away.
 *
 * random   in: DUET_FRESH_SIZE random bytes, never used for anything else; the caller wipes them.
 *
 * Returns DUET_OK; with nothing changed DUET_E_MISUSE (not ready, a direction is closed, a refresh
 * is under way and does not wait for this) or DUET_E_MEMORY; DUET_E_PROTOCOL (fatal: the peer's key
 * is not valid), DUET_E_CRYPTO (fatal), or what ended the session.
 * Source: docs/protocol.md §5.   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_session_refresh(duet_session *session,
                                               const uint8_t random[DUET_FRESH_SIZE]);

/** Describe a session; works on one that has ended too. info: out; size: sizeof *info, which grows
 * in later versions: members that this library does not know are zeroed. Programs in C call
 * duet_session_info(session, info), which passes the size.   Since 0.2. */
DUET_API void duet_session_info_sized(const duet_session *session, duet_info *info, size_t size);
#define duet_session_info(session, info) duet_session_info_sized((session), (info), sizeof *(info))

/** Say in a sentence what ended the session; "" when nothing did. Valid until the session is freed.
 * It holds no secret and is never on the wire.   Since 0.1. */
DUET_API const char *duet_session_detail(const duet_session *session);

/**
 * Derive bytes that bind another protocol to this session.
 *
 * out     out: n bytes, 1 to DUET_EXPORT_MOST; both ends get the same for the same label and n.
 * label   in: label_size bytes.
 *
 * Returns DUET_OK; DUET_E_MISUSE (not ready, a preset session, n out of range); the session's fatal
 * result.   Source: docs/protocol.md §4 "Exporter".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_session_export(const duet_session *session, uint8_t *out, size_t n,
                                              const uint8_t *label, size_t label_size);

#ifdef __cplusplus
}
#endif

#endif
