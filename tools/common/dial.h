/*
 * Connecting to a peer by its address: every address of a name in turn, each with its share of the
 * time. The first part, which never waits, is also what the tunnel dials with; the second part
 * waits, and is for commands that have one peer.
 */
#ifndef DUET_TOOL_DIAL_H
#define DUET_TOOL_DIAL_H

#include <netdb.h>
#include <stdint.h>
#include <sys/socket.h>

/* ---- Never waiting ---- */

/** Begin a non-blocking connect(2). Returns a descriptor, or -1; *error: 0 when it is connected,
 * EINPROGRESS when it is under way, or errno. */
int dial_begin(const struct sockaddr *where, socklen_t size, int *error);

/** What a connect(2) that was under way came to: 0, or errno. */
int dial_error(int fd);

/** The number of addresses that follow, this one included. */
unsigned dial_count(const struct addrinfo *list);

/* ---- Waiting ---- */

/** A connection, and how it came about. */
struct dialled {
    int fd;                          /* -1: none */
    char at[160];                    /* the address of several that answered; "" not of TCP */
    uint64_t resolve_us, connect_us; /* what these steps took; 0: not reached */
};

/** Connect, for timeout_ms at most (negative: no limit). Returns an exit code; the steps that were
 * reached are filled in on failure too. */
int dial_address(struct dialled *dialled, const char *address, int timeout_ms);

/** Connect to one socket address. Returns a descriptor, or -1 with errno. */
int dial_once(const struct sockaddr *where, socklen_t size, int timeout_ms);

#endif
