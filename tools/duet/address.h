/*
 * Addresses, and the sockets that they lead to: host:port, [v6]:port, :port, unix:/path, fd:N and
 * systemd:NAME.
 */
#ifndef DUET_TOOL_ADDRESS_H
#define DUET_TOOL_ADDRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { LISTENERS_MOST = 8 }; /* sockets of one address: one for each family, or as systemd says */

struct listener {
    int fds[LISTENERS_MOST];
    unsigned count;
    char path[108]; /* of a Unix socket, to be removed; "" none */
};

/** A connection, and how it came about. */
struct connection {
    int fd;                          /* -1: none */
    char at[160];                    /* the address of several that answered; "" not of TCP */
    uint64_t resolve_us, connect_us; /* what these steps took; 0: not reached */
};

/** Connect. Returns an exit code; the steps that were reached are told even on failure. */
int address_connect(struct connection *connection, const char *address, int timeout_ms);

/** Name a socket's address in numbers, for a reader. */
void address_name(char *out, size_t cap, const struct sockaddr_storage *address);

/** Listen. Returns an exit code. */
int address_listen(struct listener *listener, const char *address);

/** Make a connection ready: not for children, and without delay. */
void address_prepare(int fd);

/** Close, and remove a Unix socket's file. */
void listener_close(struct listener *listener);

#endif
