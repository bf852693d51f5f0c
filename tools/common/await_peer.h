/*
 * Listening for one peer: every connection is half-open until one of them has authenticated; the
 * others get the silence of gate.h. This is the listener of pipe and recv, which waits by poll(2);
 * the tunnel's is tunnel/accept.c.
 */
#ifndef DUET_TOOL_AWAIT_PEER_H
#define DUET_TOOL_AWAIT_PEER_H

#include "listen.h"

#include <duet/duet.h>
#include <stdint.h>

struct await_peer {
    struct listener listener;
    const duet_config *config;
    duet_replay *replay;
    enum duet_role role;
    uint32_t drain_ms;         /* drawn once by gate_draw() */
    unsigned most;             /* half-open connections at a time */
    struct half_open *entries; /* await_peer()'s own, as the count */
    unsigned count;
};

/** Wait until a peer has authenticated, timeout_ms at most (negative: no limit). The channel and
 * its descriptor are the caller's then; a thread goes on with the silence towards the others.
 * Closes the listener. Returns an exit code. */
int await_peer(struct await_peer *wait, duet_channel **channel, int *fd, int timeout_ms);

#endif
