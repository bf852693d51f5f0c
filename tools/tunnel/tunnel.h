/*
 * Inside the service: a tunnel as it runs, and what it shares with the others.
 *
 * A tunnel lives as long as its name is configured or a connection of it is open. What it was
 * configured with is a generation: a reload makes a new one, and connections hold on to theirs.
 */
#ifndef DUET_TUNNEL_TUNNEL_H
#define DUET_TUNNEL_TUNNEL_H

#include "admin.h"
#include "buffers.h"
#include "counters.h"
#include "queue.h"
#include "service.h"
#include "settings.h"
#include "sockets.h"
#include "source_limit.h"

#include <duet/duet.h>
#include <signal.h>
#include <stdint.h>
#include <uv.h>

struct connection;
TAILQ_HEAD(connections, connection);

/** A configuration, released once nobody holds it. */
struct generation {
    struct settings *settings;
    unsigned holders;
};

/** A listening descriptor of a tunnel on the loop. */
struct port {
    uv_poll_t poll;
    struct tunnel *tunnel; /* NULL once it is closed */
    int fd;                /* the set of sockets' */
    LIST_ENTRY(port) entry;
};

struct tunnel {
    struct service *service;
    const struct tunnel_settings *settings; /* of the current generation */
    struct generation *generation;
    LIST_HEAD(ports, port) ports;
    struct counters *counters;
    struct sources *sources;      /* NULL: no limit of a source's own */
    uint32_t drain_ms;            /* how long strangers are listened to: drawn once */
    struct connections half_open; /* the oldest first */
    unsigned half_open_count, open_count;
    int paused;  /* 1: it accepts nothing for now */
    int retired; /* 1: no longer configured */
    TAILQ_ENTRY(tunnel) entry;
};

struct service {
    uv_loop_t loop;
    uv_check_t after_poll;
    uv_idle_t more_work; /* runs while the loop must not sleep */
    uv_timer_t retry;    /* accepting, after a lack of something */
    uv_timer_t starving; /* buffers, after a lack of memory */
    uv_timer_t limit;    /* of draining */
    uv_signal_t hangup, terminate, interrupt;
    struct oversight oversight;
    struct generation *generation;
    TAILQ_HEAD(, tunnel) tunnels;
    struct sockets sockets;
    duet_replay *replay;
    struct worker_counters *counted; /* of all workers */
    unsigned worker, workers;
    const sigset_t *mask; /* of signals, once they are heeded; NULL: as it is */
    pid_t supervisor;     /* 0: there is none */
    int leash;            /* whose end says that the supervisor is gone; 0: there is none */
    uv_poll_t leash_poll;
    struct buffers buffers;
    struct connections connections; /* all */
    struct connections ready;       /* those with work to do, once the loop has polled */
    unsigned ready_count;
    uint64_t last_id;
    unsigned descriptors, descriptors_most; /* taken or promised to connections; may be */
    uint64_t told_pause_ms;                 /* when a lack was last told; 0: never */
    uint64_t told_stranger_ms, strangers;   /* when one was; how many there were */
    int draining, ended;
    char reason[128]; /* why a plain side was lost */
};

/* ---- service.c ---- */

/** Serve on the service's sockets until all is over. Returns an exit code. */
int service_serve(struct service *service);

/** Make channels of a configuration what the relay wants of them. Returns an exit code. */
int service_check(struct settings *settings);

/** A connection is gone: the last one ends a service that drains. */
void service_left(struct service *service);

/** This process's own row. */
struct process_counters *service_own(struct service *service);

/** Let go of a generation. */
void generation_release(struct generation *generation);

/* ---- tunnel.c: configured, renewed, retired ---- */

/** Make the tunnels that a generation has beyond those that run; they accept nothing yet. Returns
 * an exit code; unless it is EXIT_DONE nothing has changed. */
int tunnels_make(struct service *service, struct generation *generation);

/** Make the service's tunnels, all made, those of its current generation, and accept on their
 * sockets. Returns an exit code: without memory some do not accept on all. */
int tunnels_renew(struct service *service);

/** Accept nothing more, on any tunnel. */
void tunnels_close_ports(struct service *service);

/** A connection of the tunnel is gone: what was paused may go on, what is retired may be freed. */
void tunnel_left(struct tunnel *tunnel);

/** Release all; no connection is left. */
void tunnels_free(struct service *service);

/* ---- accept.c ---- */

/** Start or stop listening to a tunnel's ports, as its state says. */
void accept_watch(struct tunnel *tunnel);

/** Let paused tunnels accept again. */
void accept_resume(struct service *service);

/** What the loop calls for a port. */
void accept_ready(uv_poll_t *poll, int status, int events);

/** Take what waits in the kernel: closing the port would reset it. */
void accept_last(struct tunnel *tunnel);

/** How many descriptors connections may take: the limit is raised as far as it may be. */
unsigned accept_descriptors(void);

#endif
