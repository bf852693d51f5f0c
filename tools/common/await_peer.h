/*
 * Listening for one peer, or a few: every connection is half-open until it has authenticated; the
 * others get the silence of gate.h. This is the listener of pipe and recv, which waits by poll(2);
 * the tunnel's is tunnel/accept.c.
 */
#ifndef DUET_TOOL_AWAIT_PEER_H
#define DUET_TOOL_AWAIT_PEER_H

#include "listen.h"
#include "source_limit.h"
#include "trial_budget.h"

#include <duet/duet.h>
#include <poll.h>
#include <stdint.h>

struct await_peer {
    struct listener listener;
    const duet_config *config;
    duet_replay *replay;
    enum duet_role role;
    uint32_t drain_ms;         /* drawn once by gate_draw() */
    unsigned most;             /* half-open connections at a time */
    unsigned handshake_ms;     /* that one is given once it was answered */
    unsigned secrets;          /* of config */
    unsigned trial_rate;       /* trials of them in a second for all that wait; 0: no limit */
    struct half_open *entries; /* these functions' own, as what follows; the oldest first */
    unsigned count;
    struct pollfd *fds;
    struct source_limit sources; /* of the entries */
    struct trial_budget trials;
    int trials_wait;       /* 1: some of them wait for that */
    int trials_logged;     /* 1: that some did is logged */
    uint64_t paused_until; /* duet__os_now_ms(): nothing is accepted before */
};

/** Begin, with an open listener; await_end() in any case. Returns an exit code. */
int await_begin(struct await_peer *wait);

/** Wait until a peer has authenticated, timeout_ms at most (negative: no limit). The channel and
 * its descriptor are the caller's then. May be called again for another peer. Returns an exit code;
 * EXIT_SLOW, and no message, when the time is over. */
int await_next(struct await_peer *wait, duet_channel **channel, int *fd, int timeout_ms);

/** No further peer: closes the listener. silence 1: a thread goes on with the silence towards those
 * that are half-open; else they are closed. */
void await_end(struct await_peer *wait, int silence);

#endif
