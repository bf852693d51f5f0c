/*
 * What is counted: a row for each tunnel and each worker, in memory that the workers share.
 *
 * Each row has one writer, so nothing is locked; any process may read all of them and add up those
 * of equal name.
 */
#ifndef DUET_TUNNEL_COUNTERS_H
#define DUET_TUNNEL_COUNTERS_H

#include "settings.h"

#include <stdint.h>

/** The configured tunnels, and as many that are no longer configured but have connections left. */
enum { TUNNEL_ROWS = 2 * TUNNELS_MOST };

/** The limits of a tunnel that are counted. */
enum limit_kind {
    LIMIT_CONNECTIONS,
    LIMIT_SOURCE,
    LIMIT_HALF_OPEN,
    LIMIT_SECRET,
    LIMIT_TRIALS,
    LIMITS
};

/** The setting's name. */
static inline const char *
counters_limit_name(enum limit_kind kind)
{
    static const char *const names[] = {[LIMIT_CONNECTIONS] = "max-connections",
                                        [LIMIT_SOURCE] = "max-from-source",
                                        [LIMIT_HALF_OPEN] = "max-half-open",
                                        [LIMIT_SECRET] = "max-from-secret",
                                        [LIMIT_TRIALS] = "trial-rate"};

    return names[kind];
}

/** One tunnel in one worker. */
struct counters {
    char name[TUNNEL_NAME_MOST + 1];      /* "": a free row */
    uint64_t accepted;                    /* connections, ever */
    uint64_t handshakes;                  /* peers that authenticated */
    uint64_t finished;                    /* connections that both ends closed */
    uint64_t failed;                      /* those that ended otherwise once they were open */
    uint64_t refused;                     /* by a limit or a policy */
    uint64_t unreached;                   /* no target could be reached */
    uint64_t unauthenticated;             /* peers that did not authenticate */
    uint64_t dial_failures;               /* attempts at one address of a target */
    uint64_t bytes_in, bytes_out;         /* of the plain side: written to it, read from it */
    uint64_t datagrams_in, datagrams_out; /* the same of UDP; they count as bytes too */
    uint64_t datagrams_dropped;           /* by a full queue, or a socket that took none */
    uint64_t datagrams_refused;           /* ICMP told that a target's port is closed */
    uint64_t open, half_open;             /* now */
    uint64_t limit_reached[LIMITS];       /* how often */
    uint64_t limit_unix_ms[LIMITS];       /* when it last was; 0: never */
    uint64_t waiting;                     /* now: those of a reversed tunnel that wait to be used */
    uint64_t listening;                   /* now: addresses that it listens on */
    uint64_t targets_up;                  /* now: targets that answer their health check */
};

/** One process. */
struct process_counters {
    uint64_t pid; /* 0: not running */
    uint64_t started_unix_ms;
    uint64_t reloads, reload_failures;
    uint64_t accept_pauses; /* how often accepting stopped for lack of descriptors or memory */
    uint64_t accept_paused; /* 1: it is stopped now */
    uint64_t has_left;      /* 1: another service has taken over; the supervisor writes it */
};

/** All of one worker's. */
struct worker_counters {
    struct process_counters process;
    struct counters tunnels[TUNNEL_ROWS];
};

#endif
