/*
 * A session inside: two ciphers, the state of each direction, and what waits to be emitted
 * (docs/protocol.md §1, §3, §4, §5).
 *
 * One block of memory for an established session. The handshake and a refresh (DH ratchet) under
 * way have blocks of their own, which are wiped and freed when they are done.
 */
#ifndef DUET_SESSION_SESSION_H
#define DUET_SESSION_SESSION_H

#include "frame/cipher.h"
#include "handshake/handshake.h"
#include "session/config.h"

/*
 * The state machine has three parts. The first two advance together during the handshake:
 *
 *   rx phase      tx phases beside it            what happens then
 *   -----------   ----------------------------   --------------------------------------------------
 *   START         FLIGHT (TOP: m1 pending)       TOP's flight is flushed: tx WAIT
 *                 WAIT                           the peer's first header opens: rx HELLO
 *   HELLO         WAIT                           TOP reads m2: rx READY, tx READY (patterns 0, 1)
 *                                                or THIRD (pattern 2).  BOTTOM has m1: rx ASKED
 *   ASKED         WAIT (BOTTOM)                  EVENT_NONCE is answered, m1 read, m2 written: tx
 *                                                FLIGHT, and rx READY (patterns 0, 1) or THIRD
 *   THIRD         FLIGHT, WAIT (BOTTOM)          BOTTOM reads m3: rx READY, tx READY
 *   READY         FLIGHT, THIRD, READY,          the peer's READY is verified: rx ESTABLISHED
 *                 ESTABLISHED, CLOSED *
 *   ESTABLISHED   READY, ESTABLISHED, CLOSED     the peer's CLOSE is verified: rx CLOSED
 *   CLOSED        READY, ESTABLISHED, CLOSED     nothing more is received
 *
 *   FLIGHT or THIRD flushed: tx WAIT, or where S is known READY, which the same flush emits: tx
 *   ESTABLISHED. Our CLOSE emitted: tx CLOSED.
 *   * only under speak_first: closed before the peer's READY
 *
 * The handshake block exists from the start until both directions use keys of S, that is until tx
 * reaches READY. A preset or raw session begins at ESTABLISHED, ESTABLISHED, without one. `ready`
 * is set with rx ESTABLISHED. Pending frames are emitted once tx is ESTABLISHED, in the order of
 * enum duet__pending; before the peer's READY only under speak_first.
 *
 * The third part is the refresh phase, which goes its own way from ESTABLISHED on:
 *
 *   refresh phase    pending   block   left when
 *   --------------   -------   -----   ------------------------------------------------------------
 *   NONE             -         -       we ask: ASK_PENDING.  0x01 arrives: RANDOM_WANTED
 *   ASK_PENDING      ASK       yes     0x01 is emitted: ASKED.  0x01 arrives: RANDOM_WANTED
 *   ASKED            -         yes     0x02 arrives, rx rotates: DONE_PENDING.  0x01 arrives: TOP
 *                                      ignores it once, BOTTOM gives way: RANDOM_WANTED
 *   DONE_PENDING     DONE      yes     0x03 is emitted, tx rotates: NONE
 *   RANDOM_WANTED    -         -       EVENT_RANDOM is answered: ANSWER_PENDING.  Nothing is
 *                                      received meanwhile
 *   ANSWER_PENDING   ANSWER    yes     0x02 is emitted, tx rotates: ANSWERED
 *   ANSWERED         -         yes     0x03 arrives, rx rotates: NONE
 *   UNANSWERED       -         -       the end: 0x01 came after our CLOSE, so nothing may follow it
 *
 *   tx CLOSED: 0x01 leads to UNANSWERED, 0x02 to NONE. rx CLOSED: all but DONE_PENDING and
 *   ANSWER_PENDING fall back to NONE, and ANSWER_PENDING does so once it is emitted.
 *
 * An own handshake (§6) goes from START, WAIT to READY, READY: rx is ASKED while EVENT_NONCE waits,
 * tx is FLIGHT while what the turns wrote is pending, at either end and any number of times.
 *
 * Files, each using only those before it: session.c, fill.c and own.c, handshake.c and refresh.c,
 * library.c and emit.c, send.c and recv.c, many.c, api.c.
 */

/** The peer's direction. */
enum duet__rx_phase {
    DUET__RX_START, /* prelude, nonce and the first header are to come */
    DUET__RX_HELLO, /* the first HELLO's payload and MAC */
    DUET__RX_ASKED, /* BOTTOM: EVENT_NONCE waits for its answer */
    DUET__RX_THIRD, /* BOTTOM, pattern 2: the HELLO of m3 */
    DUET__RX_READY, /* READY comes next */
    DUET__RX_ESTABLISHED,
    DUET__RX_CLOSED
};

/** Our direction. */
enum duet__tx_phase {
    DUET__TX_WAIT,   /* the peer's turn */
    DUET__TX_FLIGHT, /* prelude, nonce and HELLO are pending */
    DUET__TX_THIRD,  /* TOP, pattern 2: the HELLO of m3 is pending */
    DUET__TX_READY,  /* READY is pending */
    DUET__TX_ESTABLISHED,
    DUET__TX_CLOSED
};

/** Frames of the library that wait to be emitted, in the order in which they will be. Their table
 * is in emit.c. */
enum duet__pending {
    DUET__PENDING_DONE = 1, /* REFRESH 0x03 */
    DUET__PENDING_ANSWER = 2,
    DUET__PENDING_PONG = 4,
    DUET__PENDING_PING = 8,
    DUET__PENDING_ROTATE = 16,
    DUET__PENDING_ASK = 32, /* REFRESH 0x01 */
    DUET__PENDING_CLOSE = 64
};

/** A refresh at this end (§5). */
enum duet__refresh_phase {
    DUET__REFRESH_NONE,
    DUET__REFRESH_ASK_PENDING,    /* asker: 0x01 is pending */
    DUET__REFRESH_ASKED,          /* asker: 0x01 is sent */
    DUET__REFRESH_DONE_PENDING,   /* asker: 0x02 has come, 0x03 is pending */
    DUET__REFRESH_RANDOM_WANTED,  /* answerer: EVENT_RANDOM waits for its answer */
    DUET__REFRESH_ANSWER_PENDING, /* answerer: 0x02 is pending */
    DUET__REFRESH_ANSWERED,       /* answerer: 0x02 is sent */
    DUET__REFRESH_UNANSWERED      /* 0x01 came after our CLOSE */
};

/** A refresh under way. */
struct duet__refresh {
    uint8_t private_key[WIRE_KEY]; /* this side's e or e' */
    uint8_t asked[WIRE_KEY];       /* e */
    uint8_t answered[WIRE_KEY];    /* e' */
    uint8_t dh[WIRE_KEY];
    /* In a hybrid session: */
    struct duet__mlkem *pair;           /* asker: owned */
    uint8_t kem_mine[DUET__MLKEM_KEY];  /* asker: its key; answerer: its ciphertext */
    uint8_t kem_hash[WIRE_DIGEST];      /* SHA-256(ek ‖ ct) */
    uint8_t shared[DUET__MLKEM_SHARED]; /* ss */
    int ignored;                        /* 1: TOP has ignored the 0x01 that crossed its own */
};

/** A handshake under way. */
struct duet__session_handshake {
    struct duet__handshake messages; /* m1, m2, m3 and S */
    /* What follows the peer's prelude, as it arrives: opening, nonce, first header. */
    uint8_t arrived[WIRE_OPENING + WIRE_NONCE + DUET_HEADER_SIZE];
    size_t opened;                     /* bytes of prelude and of that which have arrived */
    size_t opening_size;               /* bytes of opening with which secrets are tried next */
    size_t tried;                      /* secrets so far */
    uint8_t *hello;                    /* the first bytes of an arriving HELLO; NULL: none */
    size_t hello_size, hello_room;     /* of them: that are here; that are kept */
    int is_large;                      /* 1: it counts among the large ones */
    uint64_t now_ms;                   /* when the connection began; 0: no clock */
    uint64_t draws[2];                 /* random: the sizes of our HELLOs */
    uint8_t letters[2 * WIRE_OPENING]; /* random: our opening */
    struct duet__bytes opening;        /* for tests: our opening; data NULL: by letters */
    struct duet__bytes padding[2];     /* for tests: content and size; data NULL: by draws */
    unsigned hellos;                   /* HELLOs of ours that are sealed */
};

/** A handshake of the application's own under way (§6). */
struct duet__own {
    void *state;       /* the application's; NULL: begin() has not returned DUET_OK */
    uint8_t *in;       /* the bytes that the next turn gets, as they arrive; NULL: none yet */
    size_t got, need;  /* bytes of it */
    size_t received;   /* bytes that all turns so far have asked for */
    uint8_t *out;      /* written by turns, pending, and room for the next turn; NULL: none */
    size_t pending;    /* bytes of it */
    size_t sent;       /* bytes that all turns so far have written */
    int nonce_checked; /* 1: the replay cache was asked */
    int nonce_stored;  /* 1: it has stored the nonce */
    uint8_t nonce[WIRE_NONCE]; /* that a turn asks about; before: the first of our random bytes */
    duet_agreement agreement;
};

/** The longest payload of a library frame that has a meaning: a REFRESH; in a hybrid session its
 * 0x01 and 0x02 lie in memory of their own while they are received. */
enum {
    DUET__HELD = 1 + WIRE_KEY,
    DUET__REFRESH_MOST = DUET__HELD + DUET__MLKEM_KEY /* 0x01 ‖ e ‖ ek */
};

struct duet_session {
    struct duet__cipher tx, rx;
    const struct duet_config *config;
    const struct duet__psk *psk; /* NULL: not known yet */
    struct duet__session_handshake *handshake;
    struct duet__own *own; /* in place of handshake */
    struct duet__refresh *refresh;
    uint8_t *large;              /* DUET__REFRESH_MOST bytes, in place of held; NULL: not in use */
    char *detail;                /* what ended the session; NULL: the sentence of `error` */
    uint64_t tx_bytes, rx_bytes; /* of application payload */
    uint64_t tx_frames, rx_frames;
    uint32_t tx_epoch, rx_epoch;
    uint32_t refreshes; /* whose keys we send under */
    uint32_t tx_limit, rx_limit;
    uint8_t receipt[2][DUET_RECEIPT_SIZE];
    uint64_t first_draw;              /* random: the sizes of the first writes (§6) */
    uint16_t first_least, first_most; /* bytes of each */
    uint32_t fills;                   /* writes that were counted: each draws a size of its own */
    uint8_t exporter[WIRE_DIGEST];    /* X */
    uint8_t peer_key[DUET_KEY_SIZE];
    uint8_t ping[DUET_PING_SIZE]; /* ours: pending, or sent and unanswered */
    uint8_t pong[DUET_PING_SIZE]; /* pending, to the peer */
    uint8_t held[DUET__HELD];     /* of an arriving header, or of a library frame's payload */
    uint16_t held_size;           /* bytes in `held`, or in `large` */
    uint8_t role;                 /* enum duet_role */
    int8_t pattern;               /* enum duet_pattern; -1: preset, or not known yet */
    int8_t error;                 /* once dead */
    uint8_t tx_phase;             /* enum duet__tx_phase */
    uint8_t rx_phase;             /* enum duet__rx_phase */
    uint8_t refresh_phase;        /* enum duet__refresh_phase */
    uint8_t pending;              /* set of enum duet__pending */
    uint8_t first_left;           /* writes that are still filled */
    unsigned preset : 1;          /* never changes */
    unsigned raw : 1;          /* never changes: keys of the application's, which do not rotate */
    unsigned hybrid : 1;       /* ML-KEM was agreed on; set with S */
    unsigned ready : 1;        /* the peer is authenticated; stays so */
    unsigned tx_message : 1;   /* a message being sent goes on: MORE was the last; not at CLOSE */
    unsigned rx_message : 1;   /* the same of a message being received */
    unsigned pinged : 1;       /* PING is sent, its PONG has not come; not beside PENDING_PING */
    unsigned has_peer_key : 1; /* pattern 2, from the HELLO that bears it on */
    unsigned fills_lone : 1;   /* writes of READY or CLOSE alone are filled (fill.c) */
    unsigned receipts : 2;     /* set of 1 << role, of the directions that are closed */
};

_Static_assert(sizeof(struct duet_session) <= 1248, "an established session is small");

static inline enum duet_role
duet__peer_role(const struct duet_session *s)
{
    return s->role == DUET_TOP ? DUET_BOTTOM : DUET_TOP;
}

/** 1 for a code of the application's frames: any but the library's, or MORE. */
static inline int
duet__is_application(uint32_t code)
{
    return code <= DUET_CODE_APP_MAX || code == WIRE_MORE;
}

/** 1 when the phases allow application frames to be sealed. */
static inline int
duet__session_may_send(const struct duet_session *s)
{
    return s->tx_phase == DUET__TX_ESTABLISHED && !(s->pending & DUET__PENDING_CLOSE) &&
           (s->ready || s->config->speak_first);
}

/** 1 when duet_session_flush() has nothing to write: so before almost every frame. */
static inline int
duet__session_quiet(const struct duet_session *s)
{
    return s->tx_phase == DUET__TX_ESTABLISHED && s->pending == 0;
}

/* ---- session.c ---- */

/**
 * End the session: the keys are wiped, and the first result stays.
 *
 * Before READY a fault of the peer's becomes DUET_E_UNAUTHENTICATED. detail: what happened; NULL:
 * the result's own sentence. Returns the result that stays.
 */
int duet__session_fail(struct duet_session *s, int result, const char *detail, ...)
    __attribute__((format(printf, 3, 4)));

/** End it because the peer violated the protocol: by what. */
#define duet__session_violation(s, ...)                                                            \
    duet__session_fail((s), DUET_E_PROTOCOL, "the peer broke the protocol: " __VA_ARGS__)

/** After a frame that does not rotate by itself: rotate when the count says so (§3). */
void duet__session_rotate_if_due(struct duet_session *s, struct duet__cipher *c);

/** Rotate (rekey) a direction with fresh, and count the epoch. */
void duet__session_rotate(struct duet_session *s, struct duet__cipher *c, struct duet__bytes fresh);

/** A schedule of the application's failed with a result: end the session. Returns what stays. */
int duet__session_schedule_failed(struct duet_session *s, int result);

/** A direction has begun an epoch: under a schedule of the application's, check that the other one
 * has other keys. Returns DUET_OK or a fatal result. */
int duet__session_check_keys(struct duet_session *s);

/** Keep the receipt of a direction that has just closed, and wipe its cipher. */
void duet__session_close(struct duet_session *s, enum duet_role role, struct duet__cipher *c);

/** Make room for so many bytes of the arriving HELLO, which is not proven yet. Above
 * WIRE_MESSAGE_USUAL a listener gets it only while fewer than 64 others of the process have it.
 * Returns DUET_OK, DUET_E_MEMORY, or DUET_E_ROOM: 64 have. */
int duet__session_make_room(struct duet_session *s, size_t size);

/** Wipe and free the HELLO that has arrived; the whole handshake; the refresh under way. */
void duet__session_drop_hello(struct duet_session *s);
void duet__session_drop_handshake(struct duet_session *s);
void duet__session_drop_refresh(struct duet_session *s);
void duet__session_drop_large(struct duet_session *s);

/** End and wipe the state of an own handshake; wipe and free all of it. */
void duet__session_drop_own_state(struct duet_session *s);
void duet__session_drop_own(struct duet_session *s);

/** Wipe every secret of the session. */
void duet__session_wipe(struct duet_session *s);

/* ---- trials.c ---- */

/** Start a direction under the keys of §4: the sender's half, "hello", and the nonces known.
 * Returns DUET_OK or a fatal result. */
int duet__session_start_hello(struct duet_session *s, struct duet__cipher *c, enum duet_role sender,
                              const struct duet__psk *psk);

/** Try this side's secrets on a nonce and the header after it. Returns DUET_OK with the match, or
 * without one, or a fatal result. */
int duet__session_try_secrets(struct duet_session *s, const uint8_t *nonce,
                              const struct duet__psk **match);

/* ---- handshake.c ---- */

/** Begin: TOP writes m1, BOTTOM waits. */
int duet__session_begin_handshake(struct duet_session *s, const uint8_t random[DUET_RANDOM_SIZE],
                                  uint64_t now_ms);

/** The bytes are here with which secrets are tried next: try them. Returns DUET_OK, then rx is
 * HELLO, or still START where other secrets take more bytes; or a fatal result. */
int duet__session_first_header(struct duet_session *s);

/** A HELLO is verified: act on its message. Returns DUET_OK or a fatal result. */
int duet__session_hello_received(struct duet_session *s);

/** A HELLO of ours is sealed: after the last one, rotate to S. Returns DUET_OK or a fatal result.
 */
int duet__session_hello_sent(struct duet_session *s);

/** Padding of our next HELLO; data NULL: zeros. */
struct duet__bytes duet__session_hello_padding(const struct duet_session *s);

/* ---- own.c ---- */

/** Begin an own handshake: the first turn. Returns DUET_OK or why there is no session. */
int duet__own_begin(struct duet_session *s, const uint8_t random[DUET_RANDOM_SIZE],
                    uint64_t now_ms);

/** Take bytes of it from the wire; the turn that has all that it asked for is done. Returns
 * DUET_OK, DUET_E_MEMORY with nothing taken, or a fatal result. */
int duet__own_take(struct duet_session *s, struct duet_step *step);

/** EVENT_NONCE is answered: the nonce was fresh. Returns as duet__own_begin() or a fatal result. */
int duet__own_accepted(struct duet_session *s);

/** Write its pending bytes, as many as there is room for; after the last one go on. */
void duet__own_emit(struct duet_session *s, struct duet__writer *to);

/** Answer EVENT_NONCE: the nonce was known. Returns DUET_E_UNAUTHENTICATED, and the session has
 * ended; DUET_E_MISUSE, no such event waits; or what ended the session before. */
int duet__session_refuse(struct duet_session *s);

/* ---- refresh.c ---- */

/** A verified REFRESH lies in s->held: act on it. Returns DUET_OK or a fatal result. */
int duet__refresh_received(struct duet_session *s, enum duet_event *event);

/** 1 when duet_session_refresh() may ask for one now. */
int duet__session_may_refresh(const struct duet_session *s);

/** Our REFRESH 0x01, 0x02 or 0x03: the size of its payload; write it; it is sealed, so go on. */
size_t duet__refresh_size(const struct duet_session *s, enum duet__pending what);
void duet__refresh_fill(const struct duet_session *s, enum duet__pending what, uint8_t *payload);
void duet__refresh_sent(struct duet_session *s, enum duet__pending what);

/** The peer has closed: wait for nothing from it. */
void duet__refresh_peer_closed(struct duet_session *s);

/* ---- library.c ---- */

/** Act on a verified frame of the library, its payload in s->held or the handshake's HELLO. Returns
 * DUET_OK with the event, or a fatal result. */
int duet__library_received(struct duet_session *s, enum duet_event *event);

/* ---- api.c ---- */

/** Make a session of two ciphers between two frames, tx.limit being what the peer accepts; on
 * success they are moved into it, and wiped. config NULL: defaults. Returns DUET_OK, DUET_E_MISUSE,
 * DUET_E_MEMORY. */
int duet__session_new_raw(duet_session **session, const duet_config *config, duet_cipher *tx,
                          duet_cipher *rx);

/* ---- fill.c ---- */

/** Our secret is known, and with it the dialect: how our first writes are filled (§6). */
void duet__session_begin_first(struct duet_session *s);

/** Bytes of the PAD frames that fill our next write, of `used` bytes so far; 0: it is not filled,
 * or long enough. */
size_t duet__session_fill_size(const struct duet_session *s, size_t used);

/** Seal those frames, of `left` bytes; the write is counted. Returns DUET_OK, DUET_E_CRYPTO. */
int duet__session_fill(struct duet_session *s, struct duet__writer *to, size_t left);

/* ---- emit.c ---- */

/** Bytes that duet_session_flush() would write. */
size_t duet__pending_size(const struct duet_session *s);

/** As duet_session_flush(). next: bytes of the application's frame that follows in the same write,
 * which is then filled after it, if there is room for it; 0: none does. */
int duet__session_flush(duet_session *s, uint8_t *out, size_t cap, size_t *put, size_t next);

/** Seal a frame of the library's, with n bytes of payload in place. Returns DUET_OK,
 * DUET_E_CRYPTO. */
int duet__session_seal(struct duet_session *s, uint8_t *frame, uint32_t code, size_t n);

#endif
