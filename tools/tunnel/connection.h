/*
 * A connection: a plain descriptor, a channel on another, and the states between its first byte
 * and its record.
 *
 *   server: handshake → (stranger | dialling → open) → ended
 *   client: dialling → greeting → open → ended          (greeting failed: dialling again)
 *
 * An idle one owns no buffer. Once it is open and not idle, relay.c moves its bytes.
 */
#ifndef DUET_TUNNEL_CONNECTION_H
#define DUET_TUNNEL_CONNECTION_H

#include "endpoint.h"
#include "proxy_header.h"
#include "tunnel.h"

enum { CONNECTION_DESCRIPTORS = 2 }; /* promised to each from its start */

enum connection_state {
    CONNECTION_HANDSHAKE, /* a server's: the peer has not proven itself */
    CONNECTION_STRANGER,  /* nor ever will: listened to in silence */
    CONNECTION_DIALLING,
    CONNECTION_GREETING, /* a client's: its peer is reached and proves itself */
    CONNECTION_OPEN,
    CONNECTION_SPOILT /* a violation was met: listened to in silence for a while */
};

/** How it ended. */
enum connection_end {
    END_DONE,     /* both sides closed in order */
    END_CUT,      /* it was open and is told to both sides as a cut */
    END_REFUSED,  /* it never was open, for a reason of this side's or the target's */
    END_STRANGER, /* the peer proved nothing */
    END_UNREACHED /* no target could be reached */
};

/** Bytes on their way in one direction. */
struct flow {
    uint8_t *buffer; /* lent; NULL: none under way */
    uint32_t at, size;
    uint64_t bytes;     /* handed on so far */
    unsigned ended : 1; /* no more comes */
    unsigned told : 1;  /* that end is handed on */
};

struct connection {
    struct service *service;
    struct tunnel *tunnel;
    struct generation *generation; /* the one it goes by */
    struct generation *keys;       /* the one whose configuration its channel has */
    const struct tunnel_settings *settings;
    struct endpoint *plain, *duet; /* NULL: not reached yet, or gone */
    duet_channel *channel;         /* NULL: none yet, or a stranger */
    struct dial *dial;             /* while dialling and greeting */
    struct flow out, in;           /* to the peer, from the peer */
    uv_timer_t timer;
    void (*timed)(struct connection *connection); /* what its end calls */
    uint64_t id, since_ms, setup_ms;
    uint64_t moved_ms, heard_ms; /* when bytes last moved; when the peer was last heard */
    TAILQ_ENTRY(connection) entry, half_open, ready;
    const char *target; /* the address that was reached, in the settings */
    struct sockaddr_storage from;
    struct proxy_header *header; /* what a proxy told; NULL: nothing */
    uint8_t state;               /* enum connection_state */
    uint8_t is_half_open, is_ready, is_recorded;
    uint8_t can;           /* set of enum relay_can */
    int8_t result;         /* fatal, of the channel; DUET_OK: it lives */
    unsigned flushing : 1; /* the channel has more to write */
    unsigned starved : 1;  /* there was no memory for a buffer */
    unsigned lost : 1;     /* the plain side is */
    unsigned broken : 1;   /* the loop saw an error on it */
    unsigned hung_up : 1;  /* it reads no more either, as far as its kind tells */
    unsigned gone : 1;     /* the peer is, after its CLOSE */
    unsigned unproven : 1; /* a client's peer, whose READY has not come */
    unsigned spoke : 1;    /* a server's peer: something of its opening came */
    unsigned pinged : 1;   /* it was asked whether it lives */
    uint64_t pinged_ms;
    uint64_t pinged_bytes, heeded_bytes; /* sent before the last PING; before the last answer */
};

/* ---- connection.c ---- */

/** Take an accepted descriptor (owned). Returns 0, or -1 without memory. */
int connection_accept(struct tunnel *tunnel, int fd, const struct sockaddr_storage *from);

/** The peer or target was reached. */
void connection_dialled(struct connection *connection);

/** Call timed after ms; ms negative: never. */
void connection_time(struct connection *connection, int ms,
                     void (*timed)(struct connection *connection));

/** Write its record, the first time; connection_end() does so by itself. */
void connection_record(struct connection *connection, enum connection_end how, const char *reason);

/** End it: record it, tell both sides, release what it holds. */
void connection_end(struct connection *connection, enum connection_end how, const char *reason);

/** Its state for a reader. */
const char *connection_state_name(const struct connection *connection);

/* ---- connect.c ---- */

/** Reach the target, or the peer: connection_dialled() or connection_end() follows. */
void dial_start(struct connection *connection);

/** What was reached did not do: try the next one, or end the connection for this reason. */
void dial_failed(struct connection *connection, const char *reason);

/** Release it; a name that is being resolved is let go later. NULL is fine. */
void dial_free(struct dial *dial);

/* ---- half_open.c ---- */

/** Begin the handshake of an accepted peer. */
void stranger_meet(struct connection *connection);

/** It is none that could prove itself: tell the reason now, and listen to it in silence. */
void stranger_judge(struct connection *connection, const char *reason);

/** It is half-open no more. */
void stranger_leave(struct connection *connection);

/** Make room: the oldest of the half-open goes. Returns 0, or -1: there is none, or it has not had
 * the time that an honest peer takes. */
int stranger_evict(struct tunnel *tunnel);

/** The service ends: those that are half-open have a moment to prove themselves. */
void stranger_drain(struct tunnel *tunnel);

/** After a violation: say nothing, drop what comes for a while, then end. */
void stranger_spoil(struct connection *connection, const char *reason);

/* ---- reload.c ---- */

/** A reload was taken over: bring what is not open under the new settings. May end the connection.
 */
void renewal_reach(struct connection *connection);

/** Has a reload withdrawn what a server's peer opens with, as far as that is known? */
int renewal_refuses(const struct connection *connection);

/** Go by the tunnel's settings of now; the channel stays as it is. */
void renewal_adopt(struct connection *connection);

/* ---- relay.c ---- */

/** What may be done at once on a side, as far as is known. */
enum relay_can { CAN_READ_PLAIN = 1, CAN_READ_DUET = 2, CAN_WRITE_DUET = 4 };

/** Bytes of the largest frame that is sent and accepted: with its overhead half of Linux's receive
 * buffer, so that one that is not whole waits in the kernel. */
enum { RELAY_FRAME = 65536 - (int)DUET_FRAME_OVERHEAD };

/** The connection is open: move bytes from now on. */
void relay_start(struct connection *connection);

/** Move the bytes of all that are ready; the loop's hook after polling. */
void relay_run(uv_check_t *check);

/** It is ready no more. */
void relay_forget(struct connection *connection);

/** Write what the session owes. */
void relay_flush(struct connection *connection);

/* ---- timers.c ---- */

/** Watch over an open connection: that something moves, and that the peer lives. */
void alive_start(struct connection *connection);

/** Something came from a peer that was unproven. */
void alive_heard(struct connection *connection);

#endif
