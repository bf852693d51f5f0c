/*
 * A session inside: two directions, where each of them is in the order of §1, and what is owed.
 *
 * One block of memory for each established session; what initiation and a refresh need are blocks
 * of their own, released when done. docs/protocol.md §1, §3, §4, §5.
 */
#ifndef DUET_SESSION_SESSION_H
#define DUET_SESSION_SESSION_H

#include "frame/cipher.h"
#include "handshake/handshake.h"
#include "session/config.h"

/** Where the peer's direction is. */
enum duet__rx_phase {
    DUET__RX_START, /* prelude, nonce and the first header */
    DUET__RX_HELLO, /* the first HELLO's payload and MAC */
    DUET__RX_ASKED, /* BOTTOM: EVENT_NONCE awaits its answer */
    DUET__RX_THIRD, /* BOTTOM, pattern 2: the HELLO of m3 */
    DUET__RX_READY, /* READY comes next */
    DUET__RX_OPEN,
    DUET__RX_CLOSED
};

/** Where this side's direction is. */
enum duet__tx_phase {
    DUET__TX_WAIT,   /* the peer's turn */
    DUET__TX_FLIGHT, /* owes prelude, nonce and HELLO */
    DUET__TX_THIRD,  /* TOP, pattern 2: owes the HELLO of m3 */
    DUET__TX_READY,  /* owes READY */
    DUET__TX_OPEN,
    DUET__TX_CLOSED
};

/** What is owed beside the phase's, in the order in which it is paid. */
enum duet__owed {
    DUET__OWE_DONE = 1, /* REFRESH 0x03 */
    DUET__OWE_ANSWER = 2,
    DUET__OWE_PONG = 4,
    DUET__OWE_PING = 8,
    DUET__OWE_ROTATE = 16,
    DUET__OWE_ASK = 32, /* REFRESH 0x01 */
    DUET__OWE_CLOSE = 64
};

/** Where a refresh is at this end (§5). */
enum duet__refresh_phase {
    DUET__REFRESH_NONE,
    DUET__REFRESH_OWED,     /* asker: 0x01 is owed */
    DUET__REFRESH_ASKED,    /* asker: 0x01 is sent */
    DUET__REFRESH_TURNING,  /* asker: 0x02 has come, 0x03 is owed */
    DUET__REFRESH_WANTED,   /* answerer: EVENT_RANDOM awaits its answer */
    DUET__REFRESH_REPLYING, /* answerer: 0x02 is owed */
    DUET__REFRESH_ANSWERED, /* answerer: 0x02 is sent */
    DUET__REFRESH_MUTE /* a 0x01 came after our CLOSE: it has no answer, and nothing may follow */
};

/** A refresh under way. */
struct duet__refresh {
    uint8_t private_key[WIRE_KEY]; /* this side's e or e' */
    uint8_t asked[WIRE_KEY];       /* e */
    uint8_t answered[WIRE_KEY];    /* e' */
    uint8_t dh[WIRE_KEY];
    int ignored; /* 1: TOP has ignored the 0x01 that crossed its own */
};

/** Initiation under way. */
struct duet__initiation {
    struct duet__handshake handshake;
    uint8_t opening[WIRE_NONCE];   /* the peer's nonce, as it comes */
    size_t opened;                 /* bytes of prelude and nonce that have come */
    uint8_t *hello;                /* the HELLO that is coming; NULL: none */
    size_t hello_size;             /* bytes */
    uint64_t now_ms;               /* when the connection began; 0: no clock */
    uint64_t draws[2];             /* for the number of padding bytes of each HELLO of ours */
    struct duet__bytes padding[2]; /* and their content; NULL: zeros, drawn by number */
    unsigned hellos;               /* HELLOs of ours that are sealed */
};

/** The longest payload of a library frame that says anything: a REFRESH. */
enum { DUET__HELD = 1 + WIRE_KEY };

struct duet_session {
    struct duet__cipher tx, rx;
    const struct duet_config *config;
    const struct duet__psk *psk; /* NULL: not known yet */
    struct duet__initiation *initiation;
    struct duet__refresh *refresh;
    char *detail;                /* what ended the session; NULL: see error */
    uint64_t tx_bytes, rx_bytes; /* of application payload */
    uint64_t tx_frames, rx_frames;
    uint32_t tx_epoch, rx_epoch;
    uint32_t tx_limit, rx_limit;
    uint8_t receipt[2][DUET_RECEIPT_SIZE];
    uint8_t exporter[WIRE_DIGEST]; /* X */
    uint8_t peer_key[DUET_KEY_SIZE];
    uint8_t ping[DUET_PING_SIZE]; /* ours: owed, or sent and unanswered */
    uint8_t pong[DUET_PING_SIZE]; /* owed to the peer */
    uint8_t held[DUET__HELD];     /* of a header that is coming, or of a library frame's payload */
    uint8_t held_size;
    uint8_t role;          /* enum duet_role */
    int8_t pattern;        /* enum duet_pattern; -1: preset, or not known yet */
    int8_t error;          /* once dead */
    uint8_t tx_phase;      /* enum duet__tx_phase */
    uint8_t rx_phase;      /* enum duet__rx_phase */
    uint8_t refresh_phase; /* enum duet__refresh_phase */
    uint8_t owed;          /* set of enum duet__owed */
    unsigned preset : 1;
    unsigned ready : 1;      /* the peer is authenticated */
    unsigned tx_message : 1; /* a message being sent goes on: MORE was the last */
    unsigned rx_message : 1;
    unsigned pinged : 1; /* PING is sent, its PONG has not come */
    unsigned has_peer_key : 1;
    unsigned receipts : 2; /* set of 1 << role */
};

_Static_assert(sizeof(struct duet_session) <= 1152, "an established session is small");

/* ---- session.c ---- */

/** End the session: keys are wiped, the first result sticks. detail NULL: the result's sentence.
 * Before READY a fault of the peer's is DUET_E_UNAUTHENTICATED. Returns what sticks. */
int duet__session_fail(struct duet_session *s, int result, const char *detail, ...)
    __attribute__((format(printf, 3, 4)));

/** End it because the peer broke the protocol: what it did. */
int duet__session_broke(struct duet_session *s, const char *what);

/** As duet__session_fail(), for what channel meets. */
void duet__session_kill(struct duet_session *s, int result);

/** The decision after a frame that does not rotate by itself (§3): the count decides. */
void duet__session_count(struct duet_session *s, struct duet__cipher *d);

/** Rotate a direction with fresh, and count the epoch. */
void duet__session_rotate(struct duet_session *s, struct duet__cipher *d, struct duet__bytes fresh);

/** Keep the receipt of a direction that has just closed, and wipe it. */
void duet__session_close(struct duet_session *s, enum duet_role role, struct duet__cipher *d);

/** 1 when application frames may be sealed, as far as the phases go. */
int duet__session_may_send(const struct duet_session *s);

static inline enum duet_role
duet__peer_role(const struct duet_session *s)
{
    return s->role == DUET_TOP ? DUET_BOTTOM : DUET_TOP;
}

/* ---- initiate.c ---- */

/** Begin: TOP's m1 is made, BOTTOM waits. */
int duet__initiate(struct duet_session *s, const uint8_t random[DUET_RANDOM_SIZE], uint64_t now_ms);

/** The peer's first header is here, and its nonce: open it. Returns DUET_OK or a fatal result. */
int duet__first_header(struct duet_session *s, const uint8_t header[DUET_HEADER_SIZE]);

/** A HELLO is verified: what it says. Returns DUET_OK or a fatal result. */
int duet__hello_done(struct duet_session *s);

/** The nonce's lookup is answered. now: 8 bytes of Unix milliseconds, or NULL. */
int duet__nonce_known(struct duet_session *s, enum duet_request answer, const uint8_t *now);

/** A HELLO of ours is sealed: rotate to S behind the last one. */
void duet__hello_sent(struct duet_session *s);

/** Padding of our next HELLO; data NULL: zeros. */
struct duet__bytes duet__hello_padding(const struct duet_session *s);

/** Wipe and release what initiation needed. */
void duet__initiation_free(struct duet_session *s);

/* ---- send.c ---- */

/** Bytes that duet_session_flush() would write. */
size_t duet__owed_size(const struct duet_session *s);

/** A piece of the application's frame went to be sealed, with this result: what the session says.
 */
int duet__piece_sealed(struct duet_session *s, int result);

/* ---- recv.c ---- */

/** 1 when what the step goes on with is payload or MAC of an application's frame: the piece that is
 * to be opened. 0: duet_session_recv() has to look at it. */
int duet__payload_next(struct duet_session *s, struct duet_step *step, struct duet__piece *piece);

/** That piece is opened: what duet_session_recv() says. */
int duet__payload_done(struct duet_session *s, struct duet_step *step,
                       const struct duet__piece *piece);

/* ---- library.c ---- */

/** A frame of the library's is verified, its payload held: act on it. Returns DUET_OK with the
 * event, or a fatal result. */
int duet__library_frame(struct duet_session *s, enum duet_event *event);

/* ---- refresh.c ---- */

int duet__refresh_frame(struct duet_session *s, enum duet_event *event);
int duet__refresh_ask(struct duet_session *s, const uint8_t random[DUET_FRESH_SIZE]);
int duet__refresh_answer(struct duet_session *s, const uint8_t random[DUET_FRESH_SIZE]);

/** Our REFRESH 0x01, 0x02 or 0x03 is sealed: what follows. */
void duet__refresh_sent(struct duet_session *s, enum duet__owed which);

/** The peer has closed: nothing is waited for any more. */
void duet__refresh_peer_closed(struct duet_session *s);

/** Forget the refresh under way. */
void duet__refresh_drop(struct duet_session *s);

#endif
