/*
 * Reaching a peer by its address, and telling how long each step took.
 */
#ifndef DUET_TOOL_DIAL_H
#define DUET_TOOL_DIAL_H

#include <stdint.h>
#include <sys/socket.h>

/** A connection, and how it came about. */
struct reached {
    int fd;                          /* -1: none */
    char at[160];                    /* the address of several that answered; "" not of TCP */
    uint64_t resolve_us, connect_us; /* what these steps took; 0: not reached */
};

/** Connect. Returns an exit code; the steps that were reached are told even on failure. */
int reach_connect(struct reached *reached, const char *address, int timeout_ms);

/** Connect to one address of a socket. Returns a descriptor, or -1 with errno. */
int reach_once(int family, const struct sockaddr *where, socklen_t size, int timeout_ms);

#endif
