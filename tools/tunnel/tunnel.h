/*
 * Inside the service: a tunnel as it runs, and what it shares with the others.
 *
 * A tunnel lives as long as its name is configured or a connection of it is left. Its settings are
 * a generation: a reload makes a new one, and connections hold on to theirs.
 */
#ifndef DUET_TUNNEL_TUNNEL_H
#define DUET_TUNNEL_TUNNEL_H

#include "admin.h"
#include "buffers.h"
#include "counters.h"
#include "failures.h"
#include "gate.h"
#include "limit_log.h"
#include "queue.h"
#include "settings.h"
#include "sockets.h"
#include "source_limit.h"
#include "takeover.h"
#include "trial_budget.h"
#include "upgrade.h"
#include "view.h"

#include <duet/duet.h>
#include <signal.h>
#include <stdint.h>
#include <uv.h>

struct connection;
struct connection_hooks;
TAILQ_HEAD(connections, connection);

/** A configuration, released with its last holder. */
struct generation {
    struct settings *settings;
    unsigned holders;
};

/** A listening descriptor of a tunnel on the loop. */
struct port {
    uv_poll_t poll;
    struct tunnel *tunnel; /* NULL once it is closed */
    int is_plain;          /* 1: what comes in is plain, not a peer */
    int is_udp;            /* 1: it is a socket of UDP */
    int fd;                /* owned by the service's sockets */
    LIST_ENTRY(port) entry;
};

/** A server's connections at one address that it dials; see pool.c. */
struct pool {
    struct tunnel *tunnel;  /* NULL: it dials no more */
    struct strlist address; /* the one address */
    uv_timer_t timer;
    unsigned holders;    /* its connections, and the loop */
    unsigned wanted;     /* how many should wait */
    unsigned pause_ms;   /* before the next attempt; 0: the last one succeeded */
    uint64_t next_ms;    /* when that may be */
    unsigned lost;       /* connections in a row that ended as soon as they waited */
    uint64_t failing_ms; /* since when none succeeds */
    uint64_t used_ms;    /* when one was last used, or the number wanted last shrank */
    LIST_ENTRY(pool) entry;
};

struct tunnel {
    struct service *service;
    const struct tunnel_settings *settings; /* of the current generation */
    struct generation *generation;
    LIST_HEAD(ports, port) ports;
    LIST_HEAD(checks, check) checks; /* of health.c: one for each target */
    LIST_HEAD(pools, pool) pools;    /* of pool.c: one for each address that a server dials */
    struct connections waiting;      /* peers that came to a reversed client, the best first */
    struct connections queued;       /* plain connections for which none waits */
    struct counters *counters;
    struct source_limit sources;
    void *flows;          /* of a client of UDP: a tree, see udp_flow.c */
    struct tally secrets; /* of open connections of a server's peers */
    struct limit_log limits[LIMITS];
    struct source_limit undecided; /* of connections that may be another's; see shared.c */
    uint32_t drain_ms;             /* how long unauthenticated peers are listened to: drawn once */
    struct connections half_open;  /* the oldest first */
    struct trial_budget trials;    /* of their secrets */
    int trials_wait;               /* 1: some of them wait for that */
    unsigned half_open_count, open_count;
    unsigned pooled_count; /* connections of the pools, or that wait */
    int paused;            /* 1: it accepts nothing for now */
    int retired;           /* 1: no longer configured */
    int is_shared;         /* 1: others' peers come in where its own do */
    TAILQ_ENTRY(tunnel) entry;
};

/** One process. */
struct service {
    struct admin_view view; /* what the admin parts see of it */
    uv_loop_t loop;
    uv_check_t after_poll;
    uv_idle_t more_work; /* runs while the loop must not sleep */
    uv_timer_t retry;    /* accepting, after a lack of something */
    uv_timer_t starving; /* buffers, after a lack of memory */
    uv_timer_t trials;   /* half-open connections that wait for their trials */
    uv_timer_t limit;    /* of draining */
    uv_signal_t hangup, terminate, interrupt, upgrade_signal;
    struct admin admin;
    const struct connection_hooks *hooks;
    struct generation *generation;
    TAILQ_HEAD(, tunnel) tunnels;
    struct sockets sockets;
    struct resolver *resolver;
    struct failures failures; /* of targets and their addresses */
    duet_replay *replay;
    unsigned replay_size;      /* its entries */
    int replay_fd;             /* behind which it is; -1: it is behind none */
    struct takeover *takeover; /* what the process before handed over */
    struct upgrade upgrade;    /* to the process that takes over; a supervisor has its own */
    void (*left)(struct service *service); /* once that one serves */
    uv_poll_t *upgrade_poll;               /* NULL: none is under way */
    uint64_t upgrade_go_ms;                /* when it serves at the latest; 0: it is not ready */
    uv_timer_t upgrade_timer;        /* of its time; then of what this process still has to end */
    struct worker_counters *counted; /* of all workers */
    const sigset_t *mask;            /* of signals, once handlers are there; NULL: as it is */
    int leash; /* a pipe that ends when the supervisor's process does; 0: there is none */
    uv_poll_t leash_poll;
    struct buffers buffers;
    size_t udp_bytes;               /* in the queues of datagrams */
    struct connections connections; /* all */
    struct connections ready;       /* those with work to do once the loop has polled */
    unsigned ready_count;
    TAILQ_HEAD(, lingering) lingering; /* of linger.c, the oldest first */
    unsigned lingering_count;
    uint64_t last_id;
    unsigned descriptors, descriptors_most; /* reserved for connections; the limit of that */
    uint64_t logged_pause_ms;               /* when a lack was last logged; 0: never */
    struct gate_log gate_log;
    int ended;
    int has_left;     /* 1: another process has taken over */
    int is_stopping;  /* 1: SIGTERM came after that */
    char reason[128]; /* room for a connection's last reason */
};

/** This process's own counters. */
static inline struct process_counters *
service_counters(struct service *service)
{
    return &service->counted[service->view.worker].process;
}

/* ---- tunnel.c: configured, renewed, retired ---- */

/** Make the tunnels that a generation has beyond those that run; they accept nothing yet. Returns
 * an exit code; unless it is EXIT_DONE nothing has changed. */
int tunnels_make(struct service *service, struct generation *generation);

/** Configure the tunnels, all made, by the service's generation, and accept on their sockets.
 * Returns an exit code: without memory some do not accept on all. */
int tunnels_renew(struct service *service);

/** Accept nothing more, on any tunnel. */
void tunnels_close_ports(struct service *service);

/** Another process has taken over: accept nothing more, except peers of tunnels where plain
 * connections wait for one. Returns 1 when there are such, and tunnels_close_ports() is to
 * follow. */
int tunnels_leave_ports(struct service *service);

/** Release a tunnel that is retired and has no connection left. */
void tunnel_release_unused(struct tunnel *tunnel);

/** Release all; no connection is left. */
void tunnels_free(struct service *service);

/* ---- health.c: whether a server's targets answer ---- */

/** Check the targets as the tunnel's settings say, from now on. Returns 0, or -1: no memory. */
int health_renew(struct tunnel *tunnel);

/** Check no more. */
void health_stop(struct tunnel *tunnel);

/* ---- handover.c: the upgrade of a process without workers ---- */

/** Begin, where nothing is in the way; what is gets logged. left() follows once the new process
 * serves. */
void handover_start(struct service *service, void (*left)(struct service *service));

/** Give it up, if one is under way. */
void handover_cancel(struct service *service, const char *why);

/* ---- pool.c: a server that dials ---- */

/** Dial where the tunnel's settings say, and nowhere else. Returns 0, or -1: no memory. */
int pools_renew(struct tunnel *tunnel);

/** Dial no more. What is dialled or waits is pool_reload()'s to end. */
void pools_stop(struct tunnel *tunnel);

/* ---- accept.c ---- */

/** Start or stop watching a tunnel's ports, as its state says. */
void accept_watch(struct tunnel *tunnel);

/** Let paused tunnels accept again. */
void accept_resume(struct service *service);

/** Accept what waits in the kernel: closing the port would reset it. */
void accept_last(struct tunnel *tunnel);

/** How many descriptors connections may take; raises the process's limit as far as allowed. */
unsigned accept_descriptor_limit(void);

/* ---- reload.c ---- */

/** Read configuration and keys again and use them; on any error the old stay. Returns an exit code,
 * the cause logged. */
int reload_service(struct service *service);

/* ---- service.c ---- */

/** Serve on the service's sockets until all is over. Returns an exit code. */
int service_serve(struct service *service);

#endif
