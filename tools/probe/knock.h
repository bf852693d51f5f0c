/*
 * Many connections at a time, each from its begin to its end: bytes are sent, then what comes back
 * is counted until the other end closes or the time is over.
 */
#ifndef DUET_PROBE_KNOCK_H
#define DUET_PROBE_KNOCK_H

#include "probe.h"

enum { KNOCKS_MOST = 1000 };

enum knock_state {
    KNOCK_FREE,
    KNOCK_CONNECTING,
    KNOCK_SHAKING, /* a live session's handshake */
    KNOCK_HEARING, /* a client's first bytes are awaited */
    KNOCK_HEARD,   /* the rest of them is: until it is quiet */
    KNOCK_WATCHING /* the opening or the answer is sent, and the end awaited */
};

struct knock {
    enum knock_state state;
    int fd;
    struct probe_try *try;
    uint8_t *bytes; /* owned: what is sent */
    size_t sent;
    uint64_t since_us; /* when the state began */
    struct live *live; /* owned; NULL: none */
};

struct knocks {
    struct probe *probe;
    struct knock all[KNOCKS_MOST];
    unsigned busy, most; /* connections at a time: now, and at most */
    size_t next, end;    /* tries that are not begun */
};

/** A place for one more connection; NULL: as many as may be are open. */
struct knock *knock_place(struct knocks *knocks);

/** Begin with a descriptor, which is the knock's from now on. */
void knock_begin(struct knocks *knocks, struct knock *knock, int fd, enum knock_state state);

/** Wait for events, or for wait_ms, and go on with every connection. listeners (count of them) are
 * waited for too. */
void knock_round(struct knocks *knocks, const int *listeners, unsigned count, int wait_ms);

/** Close all. */
void knock_end_all(struct knocks *knocks);

#endif
