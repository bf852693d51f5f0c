/*
 * Two parties that keep the protocol (docs/protocol.md §1, §3, §4, §5), for spin: initiation in each
 * pattern, frames both ways, rotation by count and on request, refresh with requests that cross, and
 * closing one direction before the other. What is checked:
 *
 * - both ends agree on the epoch of every frame, at its header and at its end: an epoch is how often
 *   the direction has turned, and the refresh that it last turned with;
 * - no party that keeps the protocol ever sees a violation of it;
 * - nobody waits for what never comes: the only end is that both directions are closed at both ends.
 *
 * A party is one process (the seed's section 1): SEND and RECV are distinguished by `sending` and
 * `receiving`, and neither is WAIT. Each thing below that a macro FAULT_... changes is one that the
 * checks must find; scripts/model runs them all.
 */

#ifndef PATTERN
#define PATTERN 1 /* 0 and 1 are the same here; 2 has a third HELLO */
#endif
#ifndef DATA
#define DATA 1 /* application frames of each party */
#endif
#ifndef ROTATES
#define ROTATES 1
#endif
#ifndef REFRESHES
#define REFRESHES 1 /* requests of each party */
#endif
#ifndef PINGS
#define PINGS 1
#endif
#ifndef FRAMES
#define FRAMES 2 /* counted frames after which a direction turns */
#endif

#define TOP 0
#define BOTTOM 1
#define other (1 - me)

mtype = { HELLO, READY, CLOSE, PAYLOAD, PING, PONG, ROTATE, REF1, REF2, REF3 };
/* A refresh at one end, as in src/session/session.h */
mtype = { NONE, ASK_PENDING, ASKED, DONE_PENDING, ANSWER_PENDING, ANSWERED, UNANSWERED };
/* A direction, seen by its sender and by its receiver */
mtype = { TX_WAIT, TX_FLIGHT, TX_THIRD, TX_READY, TX_ESTABLISHED, TX_CLOSED };
mtype = { RX_HELLO, RX_THIRD, RX_READY, RX_ESTABLISHED, RX_CLOSED };

/* What is on the wire: a frame's begin and its end, its code, the sender's epoch, and in a REFRESH whose it is. */
chan wire[2] = [2] of { bit, mtype, byte, byte, byte };

typedef direction {
    byte turns;   /* the epoch */
    byte fresh;   /* the refresh that it last turned with */
    byte counted; /* frames in this epoch */
};

typedef party {
    direction tx, rx;
    mtype tx_phase, rx_phase, refresh;
    mtype code;       /* of the frame that is being sent */
    byte sent_turns, sent_fresh; /* and the epoch in which it began */
    byte asked;       /* the refresh under way */
    byte data, rotates, refreshes, pings; /* how many it may still send */
    bit ready;        /* the peer's READY has come */
    bit speak_first;  /* it sends before that */
    bit polite;       /* it closes only when nothing is under way */
    bit sending, receiving, ignored, pong;
};

party p[2];

#define TURN(d, with) \
    d.turns++; d.fresh = with; d.counted = 0

/* §3 "After each frame" */
#define COUNT(d, limit) \
    d.counted++; \
    if \
    :: d.counted >= limit -> TURN(d, 0) \
    :: else \
    fi

#ifdef FAULT_LATE
#define TX_FRAMES (FRAMES + 1) /* the sender turns a frame late */
#else
#define TX_FRAMES FRAMES
#endif

#define MAY_SEND \
    (p[me].tx_phase == TX_ESTABLISHED && (p[me].ready || p[me].speak_first))

/* A refresh is identified by who asked, and by its number. */
#define NAME (1 + me + 2 * p[me].refreshes)

/* ---- Sending ---- */

/* §4: right after its last HELLO a direction turns to the session secret */
inline on_hello_sent() {
    if
    :: p[me].rx_phase == RX_READY -> TURN(p[me].tx, 0); p[me].tx_phase = TX_READY
    :: else -> p[me].tx_phase = TX_WAIT
    fi
}

/* What a frame leads to at its sender, once it is sealed */
inline on_sealed() {
    if
    :: p[me].code == HELLO -> on_hello_sent()
    :: p[me].code == READY -> p[me].tx_phase = TX_ESTABLISHED; COUNT(p[me].tx, TX_FRAMES)
    :: p[me].code == CLOSE -> p[me].tx_phase = TX_CLOSED; on_close_sent()
    :: p[me].code == ROTATE ->
#ifdef FAULT_TWICE
        COUNT(p[me].tx, TX_FRAMES); /* the count turns it as well */
#endif
        TURN(p[me].tx, 0)
    :: p[me].code == REF2 ->
        TURN(p[me].tx, p[me].asked); p[me].refresh = ANSWERED;
        if
#ifndef FAULT_AWAITS
        :: p[me].rx_phase == RX_CLOSED -> p[me].refresh = NONE
#endif
        :: else
        fi
    :: p[me].code == REF3 -> TURN(p[me].tx, p[me].asked); p[me].refresh = NONE
    :: p[me].code == REF1 -> p[me].refresh = ASKED; COUNT(p[me].tx, TX_FRAMES)
    :: else -> COUNT(p[me].tx, TX_FRAMES)
    fi
}

/* §5: after its CLOSE a party neither answers nor sends 0x03 */
inline on_close_sent() {
    if
    :: p[me].refresh == ANSWER_PENDING -> p[me].refresh = UNANSWERED
    :: p[me].refresh == DONE_PENDING || p[me].refresh == ASK_PENDING -> p[me].refresh = NONE
    :: else
    fi
}

/* A frame of the library's is sealed at once; its bytes may still take their time. */
inline start_frame(what) {
    p[me].sending = 1;
    p[me].code = what;
    p[me].sent_turns = p[me].tx.turns;
    p[me].sent_fresh = p[me].tx.fresh;
    wire[me] ! 0, what, p[me].sent_turns, p[me].sent_fresh, p[me].asked;
    if
    :: what != PAYLOAD -> on_sealed()
    :: else
    fi
}

inline end_frame() {
    wire[me] ! 1, p[me].code, p[me].sent_turns, p[me].sent_fresh, p[me].asked;
    if
    :: p[me].code == PAYLOAD -> on_sealed()
    :: else
    fi;
    p[me].sending = 0;
    p[me].code = 0;
    p[me].sent_turns = 0;
    p[me].sent_fresh = 0
}

/* ---- Receiving ---- */

/* Our own request is unanswered, and theirs has come: TOP's stands */
inline crossed() {
    if
#ifndef FAULT_ANSWERS
    :: me == TOP -> p[me].ignored = 1
#endif
#ifdef FAULT_STANDS
    :: me == BOTTOM -> p[me].ignored = 1
    :: false
#else
    :: else -> reply()
#endif
    fi
}

inline reply() {
    if
    :: p[me].tx_phase == TX_CLOSED -> p[me].refresh = UNANSWERED
    :: else -> p[me].refresh = ANSWER_PENDING; p[me].asked = name
    fi
}

inline on_ref1() {
    assert(p[me].refresh == NONE || p[me].refresh == ASK_PENDING ||
           (p[me].refresh == ASKED && !p[me].ignored));
    COUNT(p[me].rx, FRAMES);
    if
    :: p[me].refresh == ASKED -> crossed()
    :: else -> reply()
    fi
}

inline on_ref2() {
    assert(p[me].refresh == ASKED);
    TURN(p[me].rx, p[me].asked);
    p[me].ignored = 0;
    if
#ifndef FAULT_SPEAKS
    :: p[me].tx_phase == TX_CLOSED -> p[me].refresh = NONE
#endif
    :: else -> p[me].refresh = DONE_PENDING
    fi
}

/* §5: a party waits for nothing from a peer that has closed */
inline on_close() {
    p[me].rx_phase = RX_CLOSED;
    if
#ifdef FAULT_AWAITS
    :: false
#else
    :: p[me].refresh != DONE_PENDING && p[me].refresh != ANSWER_PENDING -> p[me].refresh = NONE; p[me].ignored = 0
#endif
    :: else
    fi
}

inline on_hello() {
    if
    :: me == BOTTOM && p[me].rx_phase == RX_HELLO ->
        p[me].tx_phase = TX_FLIGHT;
        if
        :: PATTERN == 2 -> p[me].rx_phase = RX_THIRD
        :: else -> TURN(p[me].rx, 0); p[me].rx_phase = RX_READY
        fi;
#ifdef FAULT_EARLY
        TURN(p[me].tx, 0) /* before its HELLO, not after it */
#endif
    :: me == BOTTOM && p[me].rx_phase == RX_THIRD ->
        TURN(p[me].rx, 0); p[me].rx_phase = RX_READY;
        TURN(p[me].tx, 0); p[me].tx_phase = TX_READY
    :: me == TOP ->
        TURN(p[me].rx, 0); p[me].rx_phase = RX_READY;
        if
        :: PATTERN == 2 -> p[me].tx_phase = TX_THIRD
        :: else -> TURN(p[me].tx, 0); p[me].tx_phase = TX_READY
        fi
    fi
}

inline on_frame() {
    if
    :: what == HELLO -> assert(p[me].rx_phase == RX_HELLO || p[me].rx_phase == RX_THIRD); on_hello()
    :: what == READY -> assert(p[me].rx_phase == RX_READY); p[me].rx_phase = RX_ESTABLISHED;
        p[me].ready = 1; COUNT(p[me].rx, FRAMES)
    :: else -> assert(p[me].rx_phase == RX_ESTABLISHED);
        if
        :: what == CLOSE -> on_close()
        :: what == ROTATE -> TURN(p[me].rx, 0)
        :: what == REF1 -> on_ref1()
        :: what == REF2 -> on_ref2()
        :: what == REF3 -> assert(p[me].refresh == ANSWERED);
            TURN(p[me].rx, p[me].asked); p[me].refresh = NONE
        :: what == PING -> COUNT(p[me].rx, FRAMES);
            if
            :: p[me].tx_phase != TX_CLOSED -> p[me].pong = 1
            :: else
            fi
        :: else -> COUNT(p[me].rx, FRAMES)
        fi
    fi
}

/* Both ends agree on the epoch of what has just come. */
#define AGREED \
    assert(turns == p[me].rx.turns && fresh == p[me].rx.fresh)

/* ---- A party ---- */

proctype peer(bit me) {
    mtype what;
    byte turns, fresh, name;

    do
    /* WAIT or SEND to RECV: a header, then the rest and its MAC */
    :: atomic { !p[me].receiving && nempty(wire[other]) ->
        wire[other] ? 0, what, turns, fresh, name;
        AGREED;
        p[me].receiving = 1 }
    :: atomic { p[me].receiving && nempty(wire[other]) ->
        wire[other] ? 1, what, turns, fresh, name;
        AGREED;
        on_frame();
        p[me].receiving = 0; what = 0; turns = 0; fresh = 0; name = 0 }

    /* SEND ends */
    :: atomic { p[me].sending && nfull(wire[me]) -> end_frame() }

    /* SEND begins: initiation */
    :: atomic { !p[me].sending && nfull(wire[me]) &&
                (p[me].tx_phase == TX_FLIGHT || p[me].tx_phase == TX_THIRD) -> start_frame(HELLO) }
    :: atomic { !p[me].sending && nfull(wire[me]) && p[me].tx_phase == TX_READY -> start_frame(READY) }

    /* the application's, and what it asks for */
    :: atomic { !p[me].sending && nfull(wire[me]) && MAY_SEND && p[me].data > 0 ->
        p[me].data--; start_frame(PAYLOAD) }
    :: atomic { !p[me].sending && nfull(wire[me]) && MAY_SEND && p[me].rotates > 0 ->
        p[me].rotates--; start_frame(ROTATE) }
    :: atomic { !p[me].sending && nfull(wire[me]) && MAY_SEND && p[me].pings > 0 ->
        p[me].pings--; start_frame(PING) }
    :: atomic { p[me].ready && MAY_SEND && p[me].rx_phase != RX_CLOSED && p[me].refresh == NONE &&
                p[me].refreshes > 0 ->
        p[me].refresh = ASK_PENDING; p[me].ignored = 0 }
    :: atomic { !p[me].sending && nfull(wire[me]) && MAY_SEND &&
                (!p[me].polite || p[me].refresh == NONE) ->
        start_frame(CLOSE) }

    /* what is pending */
    :: atomic { !p[me].sending && nfull(wire[me]) && MAY_SEND && p[me].pong ->
        p[me].pong = 0; start_frame(PONG) }
    :: atomic { !p[me].sending && nfull(wire[me]) && MAY_SEND && p[me].refresh == ASK_PENDING ->
        p[me].asked = NAME; p[me].refreshes--; start_frame(REF1) }
    :: atomic { !p[me].sending && nfull(wire[me]) && MAY_SEND && p[me].refresh == ANSWER_PENDING ->
        start_frame(REF2) }
    :: atomic { !p[me].sending && nfull(wire[me]) && p[me].refresh == DONE_PENDING &&
#ifdef FAULT_SPEAKS
                true ->
#else
                MAY_SEND ->
#endif
        start_frame(REF3) }

    :: p[me].tx_phase == TX_CLOSED && p[me].rx_phase == RX_CLOSED && !p[me].sending -> break
    od
}

inline prepare(me) {
    p[me].refresh = NONE;
    p[me].data = DATA;
    p[me].rotates = ROTATES;
    p[me].refreshes = REFRESHES;
    p[me].pings = PINGS;
    p[me].rx_phase = RX_HELLO;
    if
    :: p[me].speak_first = 1
    :: p[me].speak_first = 0
    fi;
    if
    :: p[me].polite = 1
    :: p[me].polite = 0
    fi
}

init {
    atomic {
        prepare(TOP);
        prepare(BOTTOM);
        p[TOP].tx_phase = TX_FLIGHT;
        p[BOTTOM].tx_phase = TX_WAIT;
        run peer(TOP);
        run peer(BOTTOM)
    }
}
