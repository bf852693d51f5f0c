/*
 * A session: both directions of one connection as bytes in, bytes out.
 *
 * No descriptor, clock or randomness is touched here: the caller carries bytes to and from the
 * wire, brings random bytes and the time, and asks the replay cache. channel.h does all that
 * on a descriptor or a stream, and is what most programs want. Source: docs/protocol.md, sections 1
 * to 5.
 *
 * A SESSION DOES NOT NOTICE A FORK: both copies would seal under one keystream, and whoever sees
 * both reads both. Let one of the processes free it at once. Channels notice (DUET_E_FORKED).
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

/** What initiation proves; protocol.md §4. As a set: 1 << pattern. */
enum duet_pattern {
    DUET_PATTERN_SECRET = 0,
    DUET_PATTERN_EPHEMERAL = 1,
    DUET_PATTERN_IDENTITY = 2
};

#define DUET_RANDOM_SIZE  80u /**< bytes of randomness that a session takes at its start */
#define DUET_FRESH_SIZE   32u /**< bytes of randomness that a refresh takes */
#define DUET_NONCE_SIZE   32u /**< bytes of N_t and N_b */
#define DUET_RECEIPT_SIZE 32u /**< bytes of a receipt */
#define DUET_PING_SIZE    8u  /**< bytes of a PING */
#define DUET_EXPORT_MOST  8160u
#define DUET_SECRETS_MOST 1024u /**< secrets in one configuration */

/* ---- Configuration: what many sessions share ---- */

/** Secrets, identity, peers, profile and limits. Constant once a session uses it; shared between
 * threads. */
typedef struct duet_config duet_config;

/** The numbers of a configuration. */
enum duet_setting {
    DUET_SET_PATTERNS,    /**< set of 1 << pattern. TOP offers the highest. Default 1 and 2 (TOP
                             without an identity: 1) */
    DUET_SET_MAX_PAYLOAD, /**< bytes of payload that this side accepts in a frame, 256 to 2^32 - 1;
                             default 1 MiB */
    DUET_SET_FRAME_SIZE,  /**< bytes of payload into which a stream or message is split, 1 to
                             65,536; default 16 KiB */
    DUET_SET_MAX_SKEW_MS, /**< milliseconds that the peer's clock may differ; 0, the default: clocks
                             are not trusted */
    DUET_SET_SPEAK_FIRST /**< 1: hand over the channel before the peer's READY. The peer is then NOT
                            yet proven live */
};

/** Make an empty configuration: the default profile, no secret. NULL: no memory, or libcrypto
 * failed.   Since 0.1. */
DUET_API duet_config *duet_config_new(void);

/** Wipe and release, once no session uses it; NULL is fine.   Since 0.1. */
DUET_API void duet_config_free(duet_config *config);

/**
 * Add a secret. The first is the one that TOP uses; a listener tries them in turn.
 *
 * bytes   in: size bytes, copied.
 *
 * Returns DUET_OK, DUET_E_LENGTH (odd, under 64, over 65,536), DUET_E_MISUSE (1,024 are there),
 * DUET_E_MEMORY. Source: docs/protocol.md §2, §4 "Several secrets".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_config_add_secret(duet_config *config, const uint8_t *bytes,
                                                 size_t size);

/** Set this party's identity (copied). With it TOP offers pattern 2. Returns DUET_OK,
 * DUET_E_CRYPTO. Since 0.1. */
DUET_API DUET_CHECKED int duet_config_set_identity(duet_config *config,
                                                   const duet_identity *identity);

/**
 * Set the trusted peers (copied): pattern 2 alone is used, and only these are accepted. An empty
 * list trusts nobody.
 * Returns DUET_OK, DUET_E_MEMORY, DUET_E_MISUSE (a key in a form that X25519 never gives).
 * Source: docs/protocol.md §4 "Identities".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_config_set_peers(duet_config *config, const duet_peers *peers);

/** Set the profile (copied). Returns DUET_OK, DUET_E_MISUSE (a value out of range).   Since 0.1. */
DUET_API DUET_CHECKED int duet_config_set_profile(duet_config *config, const duet_profile *profile);

/** Set a number. Returns DUET_OK, DUET_E_MISUSE (unknown setting, value out of range).   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_config_set(duet_config *config, enum duet_setting setting,
                                          uint64_t value);

/* ---- A session ---- */

/** One session. One thread at a time. */
typedef struct duet_session duet_session;

/** What duet_session_recv() stopped at. */
enum duet_event {
    DUET_EVENT_NONE,  /**< more bytes are needed: `need` of them */
    DUET_EVENT_NONCE, /**< BOTTOM: is `nonce` known? Answer by duet_session_ask() with FRESH or
                         KNOWN */
    DUET_EVENT_READY, /**< the peer is authenticated */
    DUET_EVENT_BEGIN, /**< an application frame's header; code and length are not yet authenticated
                       */
    DUET_EVENT_FRAME, /**< that frame is verified, with all payload put since BEGIN */
    DUET_EVENT_LIBRARY, /**< a frame of the library's own was handled */
    DUET_EVENT_PONG,    /**< the answer to this side's PING */
    DUET_EVENT_RANDOM,  /**< the peer asks for a refresh: bring 32 random bytes by
                           duet_session_ask() with ANSWER */
    DUET_EVENT_CLOSE    /**< the peer has closed its direction */
};

/** One step of receiving: what comes in, where payload goes, and what was reached. */
typedef struct duet_step {
    const uint8_t *in; /**< in: bytes from the wire */
    size_t in_size;    /**< in: bytes of them */
    uint8_t *out;    /**< in: where payload goes; may be `in` itself while a payload is due, else no
                        overlap */
    size_t out_size; /**< in: bytes of room */
    size_t used;     /**< out: bytes of `in` that were taken */
    size_t put;      /**< out: bytes of payload written; not verified before DUET_EVENT_FRAME */
    enum duet_event event;
    uint32_t
        code; /**< out, BEGIN and FRAME: the frame's code; DUET_CODE_MORE: the message goes on */
    uint32_t length; /**< out, BEGIN and FRAME: bytes of the frame's payload */
    size_t need;     /**< out: bytes that end what is awaited (prelude, nonce and header; header;
                        payload and MAC) */
    const uint8_t *nonce; /**< out, NONCE: DUET_NONCE_SIZE bytes, the session's */
} duet_step;

/** What duet_session_ask() can ask for. */
enum duet_request {
    DUET_ASK_FRESH,   /**< answer to EVENT_NONCE: the nonce was not known, and is stored now;
                         bytes: NULL, or 8: the Unix milliseconds of now, big-endian, to judge
                         the peer's clock by */
    DUET_ASK_KNOWN,   /**< answer to EVENT_NONCE: it was known; the peer is a stranger */
    DUET_ASK_CLOSE,   /**< owe CLOSE: this side sends nothing more */
    DUET_ASK_ROTATE,  /**< owe ROTATE: the sending keys change */
    DUET_ASK_PING,    /**< owe PING; bytes: DUET_PING_SIZE to be echoed */
    DUET_ASK_REFRESH, /**< owe REFRESH 0x01; bytes: DUET_FRESH_SIZE random ones */
    DUET_ASK_ANSWER   /**< answer to EVENT_RANDOM; bytes: DUET_FRESH_SIZE random ones */
};

/** A session told in numbers. */
typedef struct duet_info {
    enum duet_role role;
    enum duet_pattern pattern;     /**< in use; -1 in a preset session */
    int ready;                     /**< 1: the peer is authenticated */
    int may_send;                  /**< 1: application frames may be sealed now */
    int tx_closed, rx_closed;      /**< 1: CLOSE was sealed, was received */
    int pinging;                   /**< 1: a PING is owed or sent, its PONG has not come */
    int refreshing;                /**< 1: a refresh is under way at this end */
    size_t pending;                /**< bytes that duet_session_flush() would write */
    uint32_t tx_limit, rx_limit;   /**< bytes of payload in a frame: the peer's limit, mine */
    uint64_t tx_frames, rx_frames; /**< frames so far, library frames included */
    uint64_t tx_bytes, rx_bytes;   /**< application payload so far; received: verified */
    uint64_t tx_epoch, rx_epoch;   /**< rotations so far */
    uint8_t secret_id[DUET_SECRET_ID_SIZE]; /**< of the secret in use */
    int has_peer_key;                       /**< 1: pattern 2, and peer_key is known */
    uint8_t peer_key[DUET_KEY_SIZE];        /**< the peer's identity; trusted only once ready */
} duet_info;

/**
 * Make a session that initiates (protocol.md §4).
 *
 * session   out: the session; NULL on failure.
 * config    at least one secret; it must outlive the session.
 * random    in: DUET_RANDOM_SIZE bytes, never used for anything else. TOP's nonce, to be stored in
 *           the replay cache before it is sent, is the first DUET_NONCE_SIZE of them.
 * now_ms    Unix milliseconds, 0 without a clock.
 *
 * Returns DUET_OK; DUET_E_MISUSE (no secret; pattern 2 without an identity), DUET_E_MEMORY,
 * DUET_E_CRYPTO. Since 0.1.
 */
DUET_API DUET_CHECKED int duet_session_new(duet_session **session, const duet_config *config,
                                           enum duet_role role,
                                           const uint8_t random[DUET_RANDOM_SIZE], uint64_t now_ms);

/**
 * Make a preset session (protocol.md §3): nothing is initiated, the first byte is a frame's.
 *
 * THE SALT MUST NEVER REPEAT WITH THE SAME SECRET: two sessions with one salt have one keystream,
 * and whoever sees both reads both. There is no forward secrecy.
 *
 * config      exactly one secret; its limits and rotation numbers hold for both parties alike.
 * salt        in: salt_size bytes, 16 to 1,024, agreed on by the higher protocol.
 *
 * Returns DUET_OK, DUET_E_MISUSE, DUET_E_MEMORY, DUET_E_CRYPTO.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_session_new_preset(duet_session **session, const duet_config *config,
                                                  enum duet_role role, const uint8_t *salt,
                                                  size_t salt_size);

/** Wipe and release; NULL is fine.   Since 0.1. */
DUET_API void duet_session_free(duet_session *session);

/**
 * Take bytes from the wire, up to the next event.
 *
 * One event at most is told by a call; call again while `used` is less than what came. After BEGIN
 * payload goes to step->out; with no room left the call returns DUET_OK, DUET_EVENT_NONE and what
 * is needed. Nothing of a frame's payload is to be believed before DUET_EVENT_FRAME.
 *
 * Returns DUET_OK with step->event; DUET_E_MISUSE with nothing changed (an event awaits its
 * answer); DUET_CLOSED (the peer has closed; used is 0); DUET_E_MEMORY with nothing changed beyond
 * `used`; else a fatal result, told again by every later call: keys wiped, step->put to be wiped by
 * the caller. Before READY every fault of the peer is DUET_E_UNAUTHENTICATED or DUET_E_UNTRUSTED; say
 * nothing then. Source: docs/protocol.md §1, §4, §5.   Since 0.1.
 */
DUET_API int duet_session_recv(duet_session *session, duet_step *step);

/** Tell the session that the stream has ended. Returns DUET_CLOSED after CLOSE; else
 * DUET_E_TRUNCATED, before READY DUET_E_UNAUTHENTICATED.   Since 0.1. */
DUET_API int duet_session_end(duet_session *session);

/**
 * Seal one frame of the application.
 *
 * out      out: len + DUET_FRAME_OVERHEAD bytes; payload may lie at out + DUET_HEADER_SIZE, else
 *          no overlap.
 * payload  in: len bytes.
 * len      bytes, 0 to info.tx_limit.
 * code     0 to DUET_CODE_APP_MAX, or DUET_CODE_MORE.
 *
 * Returns DUET_OK; with nothing changed DUET_E_MISUSE (may not send, a frame is begun, code
 * reserved), DUET_E_LENGTH; or the session's fatal result.
 * Source: docs/protocol.md §1.   Since 0.1.
 */
DUET_API int duet_session_send(duet_session *session, uint8_t *out, const uint8_t *payload,
                               size_t len, uint32_t code);

/**
 * Begin a frame whose payload follows by duet_session_send_piece().
 *
 * header   out: DUET_HEADER_SIZE bytes.
 * code     0 to DUET_CODE_APP_MAX, or DUET_CODE_MORE.
 * len      bytes of payload that will follow, all of them, 0 to info.tx_limit.
 *
 * Returns and source as duet_session_send(). Nothing else is sealed before the last piece.
 * Since 0.1.
 */
DUET_API int duet_session_send_begin(duet_session *session, uint8_t *header, uint32_t code,
                                     uint32_t len);

/**
 * Seal the next piece of it. A frame of no payload needs one piece of 0 bytes.
 *
 * out   out: len bytes, and DUET_MAC_SIZE more when this piece completes the payload; may be the
 *       same as in, else no overlap.
 * put   out: bytes written.
 * in    in: len bytes of payload.
 * len   bytes, at most what is left of the payload.
 *
 * Returns DUET_OK; DUET_E_MISUSE (no frame begun, too much) with nothing changed; or the session's
 * fatal result.   Source: docs/protocol.md §1.   Since 0.1.
 */
DUET_API int duet_session_send_piece(duet_session *session, uint8_t *out, size_t *put,
                                     const uint8_t *in, size_t len);

/**
 * Seal a PAD frame, which the peer ignores.
 *
 * out   out: len + DUET_FRAME_OVERHEAD bytes.
 * len   bytes of padding, 0 to info.tx_limit.
 *
 * Returns and source as duet_session_send().   Since 0.1.
 */
DUET_API int duet_session_pad(duet_session *session, uint8_t *out, size_t len);

/**
 * Write what the session owes the peer: its flight, READY, PONG, REFRESH, and what was asked for.
 *
 * out   out: cap bytes; info.pending are enough. A flight should go to the transport in one write.
 * put   out: bytes written.
 *
 * Returns DUET_OK; DUET_E_ROOM (nothing written); DUET_AGAIN (a frame is begun: first end it); or
 * the session's fatal result.   Since 0.1.
 */
DUET_API int duet_session_flush(duet_session *session, uint8_t *out, size_t cap, size_t *put);

/**
 * Ask something of the session; see enum duet_request.
 *
 * bytes   in: as the request says, else NULL.
 *
 * Returns DUET_OK; DUET_E_MISUSE with nothing changed (not now); or the session's fatal result
 * (DUET_E_UNAUTHENTICATED after KNOWN).   Since 0.1.
 */
DUET_API int duet_session_ask(duet_session *session, enum duet_request request,
                              const uint8_t *bytes);

/** Tell a session in numbers; works on a dead one too.   Since 0.1. */
DUET_API void duet_session_info(const duet_session *session, duet_info *info);

/** Say in a sentence what ended the session; "" when nothing did. Never a secret, never on the
 * wire.   Since 0.1. */
DUET_API const char *duet_session_detail(const duet_session *session);

/**
 * Derive bytes that bind another protocol to this session.
 *
 * out     out: n bytes, 1 to DUET_EXPORT_MOST; both ends get the same for the same label and n.
 * label   in: label_size bytes.
 *
 * Returns DUET_OK; DUET_E_MISUSE (not ready, preset session, n out of range).
 * Source: docs/protocol.md §4 "Exporter".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_session_export(const duet_session *session, uint8_t *out, size_t n,
                                              const uint8_t *label, size_t label_size);

/**
 * Give a direction's receipt, which both ends hold alike: over every frame's content and order.
 *
 * role   whose sending direction.
 *
 * Returns DUET_OK; DUET_E_MISUSE (that direction has not closed). A dead session keeps the receipts
 * it had. Source: docs/protocol.md §4 "receipt".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_session_receipt(const duet_session *session,
                                               uint8_t receipt[DUET_RECEIPT_SIZE],
                                               enum duet_role role);

#ifdef __cplusplus
}
#endif

#endif
