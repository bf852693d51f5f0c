/*
 * The gate: how every listener of this program treats peers that have not authenticated
 * (docs/protocol.md §4 "Probing"), whether it waits by poll(2) (await_peer.c) or on the tunnel's
 * loop (tunnel/half_open.c).
 *
 * Such a peer gets no answer: what it sends is read and dropped until a time that is drawn at
 * random once for the listener and counts from the connection's start. Nothing that the peer does,
 * its own close included, brings that end nearer. When the table is full, one makes room that has
 * had a second: of the oldest, that whose source has most connections. One that was answered has
 * proven to hold the secret, and keeps its handshake time. Where none gives way, nothing more is
 * accepted for a while. A flood is logged with a rate limit.
 */
#ifndef DUET_TOOL_GATE_H
#define DUET_TOOL_GATE_H

#include <stdint.h>

enum {
    GATE_STEP_MS = 20,         /* between looks at one that is over but has unread data */
    GATE_EVICT_AFTER_MS = 1000 /* time in which an honest peer authenticates */
};

/** Draw how long unauthenticated peers are listened to. Returns an exit code: without randomness
 * there is none, as a predictable time would give the listener away. */
int gate_draw(uint32_t *ms, uint32_t least_ms, uint32_t most_ms);

/** Draw how long a peer is read in silence after a violation, or after an answer that this end
 * cannot open: one law for all kinds, drawn anew each time, so that the time of the close tells
 * neither what was wrong nor which program this is. Without randomness most_ms. */
uint32_t gate_draw_linger(uint32_t least_ms, uint32_t most_ms);

/** Read and drop a bounded amount. Returns 1 when nothing unread is left; *ended: 1 when nothing
 * more will come either. A close after that sends FIN; with unread data it would send RST. */
int gate_drop(int fd, int *ended);

/** 1 when a half-open connection of that age is to be closed: its time is over and what was unread
 * is dropped, for at most a second more. Drops. */
int gate_is_over(int fd, uint64_t age_ms, uint32_t whole_ms, int *ended);

/** The choice of one to make room, begun with zeros. */
struct gate_choice {
    unsigned seen;        /* connections offered so far */
    unsigned connections; /* of the chosen one's source */
    int waits;            /* 1: at the end: none gives way yet; a younger one's source has more */
};

/** Offer the next half-open connection, the oldest first. age_ms: its age; handshake_ms: what one
 * that was answered is given; 0: this one was not. connections: its source's. Returns 1 when it is
 * the best so far, 0 when not, -1 when enough were offered. */
int gate_offer(struct gate_choice *choice, uint64_t age_ms, uint64_t handshake_ms,
               unsigned connections);

/** Why a half-open connection ended, as a sentence for the log. */
enum gate_end { GATE_TIMEOUT, GATE_EVICTED, GATE_SHUTDOWN, GATE_PEER_CAME };
const char *gate_reason(enum gate_end end);

/** Of unauthenticated peers the first 20 are logged, then one a minute. All zero at first. */
struct gate_log {
    unsigned count;    /* so far */
    unsigned left_out; /* of these since gate_left_out() */
    uint64_t last_ms;
};

/** Count one; 1 when it is to be logged. */
int gate_may_log(struct gate_log *log, uint64_t now_ms);

/** How many were left out of the log since this was last asked. */
unsigned gate_left_out(struct gate_log *log);

/** 1 when others are left out of the log. */
int gate_is_flooded(const struct gate_log *log);

/** Keep silent towards one peer for ms: read and drop. to_end 1: until its end at most. A signal
 * ends it. */
void gate_silence(int fd, uint64_t ms, int to_end);

#endif
