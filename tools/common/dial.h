/*
 * Connecting to a peer by its address: the addresses of a name are raced (RFC 8305), each 250 ms
 * after the one before, or at once when that has failed. The first part, which never waits, is also
 * what the tunnel dials with; the second part waits, and is for commands that have one peer.
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

/** How to dial. All zero: as the system does. */
struct dial_way {
    const char *source; /* an address of this machine, or an interface; NULL: the system's choice */
    int mptcp;          /* 1: by Multipath TCP, where the kernel has it */
    int udp;            /* 1: a socket of UDP, which is connected at once */
};

/** The same in a way. */
int dial_begin_by(const struct dial_way *way, const struct sockaddr *where, socklen_t size,
                  int *error);

/** What a connect(2) that was under way came to: 0, or errno. */
int dial_error(int fd);

enum {
    DIAL_ADDRESSES_MOST = 16, /* of a name that are tried */
    DIAL_NEXT_MS = 250        /* after which the next one is tried beside the last */
};

/** Put the addresses of a name in the order to try them (RFC 8305): the resolver's, where IPv6 and
 * IPv4 take turns. Returns how many there are. */
unsigned dial_order(const struct addrinfo *order[DIAL_ADDRESSES_MOST], const struct addrinfo *list);

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
