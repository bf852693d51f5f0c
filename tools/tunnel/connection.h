/*
 * A connection: a plain descriptor, a channel on another, and the states between its first byte and
 * its line in the access log. This is the bottom of the tunnel: nothing in connection.c calls
 * upwards except through the hooks below, which service.c fills in.
 *
 * The state machine and the rules of ownership stand before enum connection_state.
 */
#ifndef DUET_TUNNEL_CONNECTION_H
#define DUET_TUNNEL_CONNECTION_H

#include "endpoint.h"
#include "proxy_header.h"
#include "race.h"
#include "record.h"
#include "resolve.h"
#include "socks_request.h"
#include "source_admit.h"
#include "tunnel.h"

/*
 * The state machine. Each state has at most one timer; lifecycle.c maps a state to the functions
 * that its events and its timer call. The columns "plain", "peer" and "channel" show on which side
 * of a tunnel (c: client, s: server) that descriptor or channel is there; the last column, which
 * file enters the state. "gate" is the half-open time, which counts from the accept.
 *
 *   state            side  plain  peer  channel  timer                        entered by
 *   PROXY_HEADER     c s   c      s     s        c: handshake time, s: gate   lifecycle
 *   PROXY_LOCAL      c s   c      s     s        c: 200 ms, s: gate           lifecycle
 *   SOCKS            c     c      -     -        handshake timeout            socks
 *   ACCEPTED         s     -      s     s        gate                         half_open
 *   HANDSHAKE        s     -      s     s        gate                         half_open
 *   UNAUTHENTICATED  s     -      s     -        gate                         half_open
 *   RESOLVING        c s   c      s     s        a share of connect timeout   connect
 *   CONNECTING       c s   c      s     s        next address, or its share   connect
 *   QUEUED           c     c      -     -        connect timeout              reverse
 *   WAITING          c s   -      c s   c s      PING                         reverse, pool
 *   STARTING         c     c      c     c        time of an answer            reverse
 *   RETRY_PAUSE      c s   c      s     s        until the next round         connect
 *   ROUTING          c s   c      c s   -        handshake timeout            through
 *   PEER_HANDSHAKE   c     c      c     c        handshake timeout            lifecycle
 *   ASKING           c     c      c     c        connect, handshake timeout   socks
 *   ASKED            s     -      s     s        handshake timeout            socks
 *   UNCONFIRMED      c s   c s    c s   c s      handshake timeout            timers
 *   OPEN             c s   c s    c s   c s      idle timeout, PING           timers
 *   VIOLATION        c s   -      c s   c s      a drawn time (--linger)      half_open
 *   ENDED            c s   -      -     -        -                            connection
 *
 *   server: [PROXY_*] → ACCEPTED → HANDSHAKE → RESOLVING ⇄ CONNECTING → UNCONFIRMED → OPEN → ENDED
 *                            failed ↘ UNAUTHENTICATED → ENDED
 *   client: [PROXY_*] → RESOLVING ⇄ CONNECTING → PEER_HANDSHAKE → UNCONFIRMED → OPEN → ENDED
 *                            ↑ RETRY_PAUSE ↲        ↲ failed: next address
 *   UNCONFIRMED, OPEN → VIOLATION → ENDED; any state → ENDED.
 *
 *   reversed (the server dials, the client's plain side and peers both come in; see reverse.c):
 *   server: RESOLVING ⇄ CONNECTING → PEER_HANDSHAKE → WAITING → RESOLVING ⇄ CONNECTING → …
 *   client's peer: ACCEPTED → HANDSHAKE → WAITING → becomes a part of a plain connection, which is
 *   [PROXY_*] → QUEUED → STARTING → UNCONFIRMED …   (STARTING failed: QUEUED again)
 *
 *   SOCKS (socks.c): the client reads a request before it dials, and asks its server after the
 *   handshake; the server dials once it was asked.
 *   client: [PROXY_*] → SOCKS → RESOLVING ⇄ CONNECTING → PEER_HANDSHAKE → ASKING → UNCONFIRMED …
 *   server: HANDSHAKE → ASKED → RESOLVING ⇄ CONNECTING → UNCONFIRMED …
 *
 * A server's connection in its first five states is half-open: it stands in its tunnel's list of
 * those and is not counted as open.
 *
 * The flags of struct connection, which relay.c sets unless noted:
 *
 *   flag           in states                  goes together with
 *   is_ready       UNCONFIRMED, OPEN          all; cleared when the relay serves it
 *   flushing       UNCONFIRMED, OPEN          all; while it is set, no plain data is read
 *   starved        UNCONFIRMED, OPEN          all; while it is set, nothing is read
 *   plain_error    UNCONFIRMED, OPEN          all; becomes plain_lost or nothing in the same turn
 *   plain_lost     UNCONFIRMED, OPEN          all; the connection ends in the same turn
 *   plain_hung_up  UNCONFIRMED, OPEN          out.ended
 *   peer_gone      UNCONFIRMED, OPEN          in.ended; while it is set, nothing is sent
 *   pinged         OPEN (timers.c)            all
 *   waits_trials   ACCEPTED (half_open.c)     nothing is read of its peer
 *   is_recorded    UNAUTHENTICATED, VIOLATION (half_open.c), ENDED
 *
 * Ownership. connection_end() ends a connection: its descriptors, channel, buffers and settings are
 * released within the call, its memory by the loop after all callbacks of this turn. Every function
 * that may end a connection says so. After calling one, return at once; touch nothing of it except
 * its state, which is then CONNECTION_ENDED.
 */

enum { CONNECTION_DESCRIPTORS = 2 }; /* reserved for each from its start */

/** The states, in an order that the tests below rely on. */
enum connection_state {
    CONNECTION_PROXY_HEADER, /* its PROXY header is to come first */
    CONNECTION_PROXY_LOCAL,  /* the header named no source: a health check, or data follows */
    CONNECTION_SOCKS,        /* its program's SOCKS5 request is to come */
    CONNECTION_ACCEPTED,     /* no byte of the peer's handshake has come */
    CONNECTION_HANDSHAKE,
    CONNECTION_UNAUTHENTICATED, /* the handshake failed: read and dropped, never answered */
    CONNECTION_RESOLVING,
    CONNECTION_CONNECTING,
    CONNECTION_RETRY_PAUSE,
    CONNECTION_QUEUED,   /* for a peer that waits */
    CONNECTION_WAITING,  /* to be used */
    CONNECTION_STARTING, /* its peer was asked to begin */
    CONNECTION_ROUTING,  /* a proxy is asked to lead to the peer */
    CONNECTION_PEER_HANDSHAKE,
    CONNECTION_ASKING,      /* the server was asked for a target, and is to answer */
    CONNECTION_ASKED,       /* the client is to ask for a target */
    CONNECTION_UNCONFIRMED, /* open, but the peer's READY has not come */
    CONNECTION_OPEN,
    CONNECTION_VIOLATION, /* read and dropped for a while, never answered */
    CONNECTION_ENDED
};

/** Bytes on their way in one direction. */
struct flow {
    uint8_t *buffer; /* lent; NULL: no bytes are pending */
    uint32_t at, size;
    uint64_t bytes;          /* handed on so far */
    unsigned ended : 1;      /* the end of its input was read */
    unsigned end_passed : 1; /* and that end was passed on */
};

/** What connect.c and race.c remember from RESOLVING to PEER_HANDSHAKE. */
struct dial {
    struct lookup *lookup;                   /* of the target's name, under way; NULL: none */
    struct racer *racers;                    /* the target's addresses */
    void (*on_connect)(struct connection *); /* a connect(2) of race.c has finished, well or not */
    unsigned racer_count;
    uint64_t won;                 /* the hash of the address that answered */
    size_t target;                /* the number of the current target in the settings */
    uint8_t *tried;               /* by target: 1 in this round */
    unsigned rounds;              /* how often all targets were tried */
    uint64_t last_ms;             /* no round begins after this */
    uint64_t end_ms;              /* when this round's time is over; handshakes do not count */
    uint64_t target_end_ms;       /* when the current target's share of it is over */
    uint64_t handshake_ms;        /* when the current target answered */
    uint64_t silence_ms;          /* PEER_HANDSHAKE: when a peer that fails is closed */
    char cause[256];              /* why the last attempt failed */
    int error;                    /* the same as errno, where there is one */
    struct route_dialogue *route; /* with a proxy; NULL: none */
};

struct connection {
    struct service *service;
    struct tunnel *tunnel;
    struct generation *generation; /* of settings */
    struct generation *keys;       /* of the channel's configuration */
    const struct tunnel_settings *settings;
    struct endpoint *plain, *duet; /* NULL: not there yet, or closed */
    duet_channel *channel;
    struct dial *dial;           /* NULL: it is not dialling */
    struct socks_request *socks; /* NULL: its target is in the settings */
    struct flow out, in;         /* to the peer, from the peer */
    uv_timer_t timer;            /* of the state */
    uint64_t id, since_ms, setup_ms;
    uint64_t queue_ms;           /* QUEUED, STARTING: when it gives up */
    struct pool *pool;           /* of pool.c; NULL: it is in none */
    uint64_t moved_ms, heard_ms; /* when bytes last moved; when the peer last sent anything */
    uint64_t written_ms; /* when the plain side last took something, or something came for it */
    TAILQ_ENTRY(connection) entry, ready;
    TAILQ_ENTRY(connection) half_open; /* in its tunnel's half_open, waiting or queued */
    const char *target;                /* the address that was reached, in the settings */
    union source_address from;
    unsigned trials;                     /* charged to its tunnel's budget */
    uint8_t secret[DUET_SECRET_ID_SIZE]; /* where has_secret is set */
    struct proxy_header *header;         /* NULL: none is read */
    struct udp_flow *udp;                /* of datagrams; NULL: it carries bytes */
    uint8_t state;                       /* enum connection_state */
    uint8_t can;                         /* set of enum relay_can */
    int8_t result;                       /* what killed the channel; DUET_OK: nothing */
    unsigned took_peer : 1;              /* its peer came in; else it is dialled */
    unsigned dials_plain : 1;            /* it dials its plain side, not its peer */
    unsigned is_confirmed : 1;           /* WAITING: the peer's READY has come */
    unsigned is_pooled : 1;              /* it serves nobody yet: a pool's, or a peer that waits */
    unsigned is_undecided : 1;           /* it came where several tunnels listen; see shared.c */
    unsigned waits_trials : 1;           /* ACCEPTED (half_open.c): for its tunnel's budget */
    unsigned has_secret : 1;             /* it counts in its tunnel's secrets */
    unsigned is_ready : 1;               /* in the service's ready list */
    unsigned is_recorded : 1;
    unsigned flushing : 1;      /* the channel has more to write */
    unsigned starved : 1;       /* there was no memory for a buffer */
    unsigned plain_lost : 1;    /* the plain side failed */
    unsigned plain_error : 1;   /* the loop reported an error there, not yet examined */
    unsigned plain_hung_up : 1; /* it no longer reads either */
    unsigned peer_gone : 1;     /* the peer's process ended after its CLOSE */
    unsigned pinged : 1;        /* a PING is unanswered */
    uint64_t pinged_ms;
    uint64_t pinged_bytes, answered_bytes; /* sent before the last PING; before its last answer */
};

/** The side that was accepted. */
static inline struct endpoint *
connection_accepted(const struct connection *c)
{
    return c->dials_plain || c->took_peer ? c->duet : c->plain;
}

/** The side that is dialled. */
static inline struct endpoint **
connection_dialled(struct connection *c)
{
    return c->dials_plain ? &c->plain : &c->duet;
}

/** The addresses that are dialled. */
static inline const struct strlist *
connection_targets(const struct connection *c)
{
    if (c->socks != NULL && c->socks->target.count > 0)
        return &c->socks->target;
    return c->pool != NULL ? &c->pool->address : &c->settings->targets;
}

/** Where its source is counted. */
static inline struct source_limit *
connection_sources(struct connection *c)
{
    return c->is_undecided ? &c->tunnel->undecided : &c->tunnel->sources;
}

/** The calls upwards. Each may end the connection. */
struct connection_hooks {
    void (*on_event)(struct connection *connection, int is_plain, int events);
    void (*on_timer)(struct connection *connection);
    void (*on_authenticated)(struct connection *connection); /* a server's peer */
    void (*on_dialled)(struct connection *connection);
    void (*on_reached)(struct connection *connection); /* a proxy leads to the peer now */
    void (*on_left)(struct tunnel *tunnel);            /* a connection of it has ended */
    /* a connection of a pool, or that waits, will end; instead of a line in the access log */
    void (*on_unused)(struct connection *connection, const char *reason);
};

/* ---- connection.c ---- */

/** What a new connection begins with. */
enum connection_kind {
    CONNECTION_PLAIN_CAME, /* an accepted plain connection */
    CONNECTION_PEER_CAME,  /* an accepted peer */
    CONNECTION_DIALS_PEER  /* nothing: a pool's, which dials its peer */
};

/** A new connection, in no list but the service's. NULL: no memory. */
struct connection *connection_new(struct tunnel *tunnel, enum connection_kind kind,
                                  const struct sockaddr *from);

/** Put a descriptor (owned) on the loop as one of its sides. Returns 0, or -1: no memory. */
int connection_attach(struct connection *connection, int fd, int is_plain);

/** Make its channel on the peer's side. Returns a result. */
int connection_make_channel(struct connection *connection);

/** Watch the peer's side for what its handshake waits for. */
void connection_watch_handshake(struct connection *connection);

enum { NO_TIMER = -1, KEEP_TIMER = -2 };

/** Enter a state; its timer fires after ms. KEEP_TIMER: the last state's goes on. */
void connection_enter(struct connection *connection, enum connection_state state, int ms);

/** Let the state's timer fire after ms, or never (NO_TIMER). */
void connection_timer(struct connection *connection, int ms);

/** Write its line in the access log; connection_end() does so unless it was done before. */
void connection_record(struct connection *connection, enum record_outcome how, const char *reason);

/** End it (see "Ownership"): log it, let both sides see the end, release what it holds. */
void connection_end(struct connection *connection, enum record_outcome how, const char *reason);

/** Undo connection_new() and what was attached. Nothing is logged or counted. */
void connection_discard(struct connection *connection);

/** Forget what connect.c remembers. */
void connection_free_dial(struct connection *connection);

/** Put it in the ready list, or take it out. */
void connection_make_ready(struct connection *connection);
void connection_unready(struct connection *connection);

/** Take it out of its tunnel's list of those that wait, if it is there. */
void connection_unlist(struct connection *connection);

/** Put it in its tunnel's list of half-open connections, or take it out. */
void connection_half_open(struct connection *connection);
void connection_not_half_open(struct connection *connection);
int connection_is_half_open(const struct connection *connection);

/** 1 when a reload withdrew the tunnel. */
int connection_is_retired(const struct connection *connection);

/** The tunnel that lets in a peer which has authenticated, or has begun to: the connection's own,
 * or one that listens where that one does (see shared.c). NULL: none. */
struct tunnel *connection_find_tunnel(const struct connection *connection);

/** 1 when a reload withdrew the tunnel, or what a server's peer authenticates with, as far as that
 * is known. */
int connection_is_withdrawn(const struct connection *connection);

/** Use the tunnel's current settings. keys 1: those of the next channel too. */
void connection_adopt(struct connection *connection, int keys);

/** What `duet ctl sessions` prints as its state. */
const char *connection_state_name(const struct connection *connection);

/** Settings with one holder; NULL: no memory. */
struct generation *generation_new(struct settings *settings);
void generation_release(struct generation *generation); /**< NULL is fine */

/* ---- secret_limit.c: how many connections one secret may have ---- */

/** A server's peer has authenticated: count its secret. Returns 0; -1: it has them already, or
 * there is no memory. */
int secret_limit_take(struct connection *connection);

/** It ends. */
void secret_limit_give(struct connection *connection);

/* ---- shared.c: several tunnels at one address ---- */

/** Its peer has authenticated: from now on it is a connection of its peer's tunnel. Returns NULL,
 * or why it cannot be: a sentence; *rejected 1: no tunnel lets the peer in. */
const char *shared_decide(struct connection *connection, int *rejected);

/** A reload: let a half-open connection go on with the tunnel that accepts where it came now. */
void shared_follow(struct connection *connection);

/* ---- reverse.c: a client whose peers come in ---- */

enum { REVERSE_BYTE = 1 }; /* what a client sends first to a peer that waits, and its answer */

/** Send that byte. Returns a result. */
int reverse_send_byte(struct connection *connection);

/** Receive it. Returns DUET_OK, DUET_AGAIN, or what is wrong. */
int reverse_recv_byte(struct connection *connection);

/** WAITING: write what the channel has pending. */
void reverse_flush(struct connection *connection);

/** WAITING, STARTING: watch the peer's side. */
void reverse_watch(struct connection *connection);

/** What the channel of one that waits has come to, other than DUET_OK and DUET_AGAIN. */
void reverse_fail(struct connection *connection, int result);

/** An authenticated peer of a client: let it wait, or end it if there is a reason to refuse it
 * (else NULL). May end the connection. */
void reverse_wait(struct connection *connection, const char *refusal);

/** A plain connection: give it a peer, now or once there is one. May end the connection. */
void reverse_queue(struct connection *connection);

/** Events and timers of QUEUED, WAITING (of a client) and STARTING. Each may end the connection. */
void reverse_event(struct connection *connection);
void reverse_timeout(struct connection *connection);

/* ---- pool.c: a server that dials ---- */

/** A pool's connection is authenticated: let it wait. May end the connection. */
void pool_wait(struct connection *connection);

/** Events and timers of WAITING (of a server). Each may end the connection. */
void pool_event(struct connection *connection);
void pool_timeout(struct connection *connection);

/** A pool's connection will end unused. */
void pool_lost(struct connection *connection, const char *reason);

/** A reload: end what waits, or is dialled, and may not any more. */
void pool_reload(struct connection *connection);

/* ---- way.c: what is dialled for a peer ---- */

/** The address to dial for a target: the proxy's, or its own. */
const char *way_address(const struct connection *connection, const char *target);

/** Is a command to be run in the place of dialling? */
int way_is_command(const struct connection *connection);

/** Run it, and attach its end. Returns 0, or -1. */
int way_run_command(struct connection *connection);

/* ---- through.c: a peer that is reached through a proxy ---- */

/** The proxy is reached: ask it to lead to the peer. May end the connection. */
void through_start(struct connection *connection);

/** Events and the timer of ROUTING. Each may end the connection. */
void through_event(struct connection *connection);
void through_timeout(struct connection *connection);

/* ---- half_open.c ---- */

/** Await the handshake of an accepted peer, whose channel is made. */
void half_open_start(struct connection *connection);

/** Go on with the handshake. on_authenticated() may follow, which may end the connection. */
void half_open_handshake(struct connection *connection);

/** The peer cannot authenticate any more: log the reason now, and go on in silence. */
void half_open_reject(struct connection *connection, const char *reason);

/** Read and drop. */
void half_open_drop(struct connection *connection);

/** Its time is over. Ends the connection, at the latest a second later. */
void half_open_timeout(struct connection *connection);

/** Make room: end the half-open connection that gate.h chooses. Returns 0; -1: none gives way. */
int half_open_evict(struct tunnel *tunnel);

/** The service ends: give all of them a last moment. */
void half_open_drain(struct tunnel *tunnel);

/** A violation: say nothing, drop what comes for a while, then end. */
void violation_start(struct connection *connection, const char *reason);

/** The channel failed, c->result says how: a violation, or the end. */
void violation_judge(struct connection *connection);
void violation_drop(struct connection *connection);    /**< may end the connection */
void violation_timeout(struct connection *connection); /**< ends the connection */

/* ---- connect.c: each of these may end the connection ---- */

/** Reach the target, or a client's peer; on_dialled() follows. */
void connect_start(struct connection *connection);

/** The timer of RESOLVING, CONNECTING and RETRY_PAUSE. */
void connect_timeout(struct connection *connection);

/** What was reached is of no use: try the next address. */
void connect_next(struct connection *connection, const char *reason);

/** What was reached is of use: remember that, and forget the rest of dialling. */
void connect_done(struct connection *connection);

/** The peer failed in its handshake: leave its socket to linger.c. */
void connect_leave(struct connection *connection);

/* ---- linger.c ---- */

/** Read and drop what comes on a descriptor (owned) for ms, or until its end, then close it. */
void linger_start(struct service *service, int fd, uint64_t ms);

/** Close all at once. */
void linger_end_all(struct service *service);

/* ---- relay.c ---- */

/** What can be done at once on a side, as far as is known. */
enum relay_can { CAN_READ_PLAIN = 1, CAN_READ_DUET = 2, CAN_WRITE_DUET = 4 };

/** Bytes of the largest frame that is sent and accepted: with its overhead half of Linux's receive
 * buffer, so that a partial frame can wait in the kernel. */
enum { RELAY_FRAME = 65536 - (int)DUET_FRAME_OVERHEAD };

/** Set the channel limits that the relay needs in a new configuration. Returns an exit code. */
int relay_configure(struct settings *settings);

/** Move bytes from now on. May end the connection. */
void relay_start(struct connection *connection);

/** Note what the loop reports of one side. */
void relay_event(struct connection *connection, int is_plain, int events);

/** Move the bytes of all that are ready; the loop's hook after polling. */
void relay_run(uv_check_t *check);

/* ---- timers.c ---- */

/** Begin to watch a connection that is open. */
void timers_start(struct connection *connection);

/** UNCONFIRMED: enter OPEN if the peer's READY has come. */
void timers_confirm(struct connection *connection);

/** The peer is gone: the plain side has a moment to end. */
void timers_alone(struct connection *connection);

/** The timers of UNCONFIRMED and OPEN. Both may end the connection. */
void timers_unconfirmed(struct connection *connection);
void timers_open(struct connection *connection);

/* ---- lifecycle.c ---- */

/** Take an accepted descriptor (owned). Returns 0, or -1: no memory. */
int lifecycle_accept(const struct port *port, int fd, const struct sockaddr *from);

/** The peer of a plain connection: dial it, or take one that waits. May end the connection. */
void lifecycle_reach_peer(struct connection *connection);

void lifecycle_event(struct connection *connection, int is_plain, int events);
void lifecycle_timer(struct connection *connection);
void lifecycle_authenticated(struct connection *connection);
void lifecycle_dialled(struct connection *connection);
void lifecycle_reached(struct connection *connection);

/** Bring a connection that is not open under the settings of a reload. */
void lifecycle_reload(struct connection *connection);

#endif
