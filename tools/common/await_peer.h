/*
 * A listener that waits for one peer: whoever comes is let in only after proving itself, and
 * strangers are listened to in silence beside it, all alike, until their time is over
 * (docs/protocol.md §4 "Probing").
 */
#ifndef DUET_TOOL_AWAIT_PEER_H
#define DUET_TOOL_AWAIT_PEER_H

#include "listen.h"
#include "options.h"

#include <duet/duet.h>

struct door {
    struct listener listener;
    const duet_config *config;
    duet_replay *replay;
    enum duet_role role;
    uint32_t drain_ms; /* drawn once */
    unsigned most;     /* guests at a time */
    struct guest *guests;
    unsigned count;
};

/** Wait until a peer has proven itself, timeout_ms at most (negative: for ever). The channel and
 * its descriptor are the caller's then; the strangers go on being listened to, by a thread of their
 * own. Returns an exit code. */
int door_wait(struct door *door, duet_channel **channel, int *fd, int timeout_ms);

/** Say nothing and drop what comes on a descriptor, for ms. to_end 1: until its end at most. A
 * signal ends it. */
void door_drain(int fd, uint64_t ms, int to_end);

#endif
