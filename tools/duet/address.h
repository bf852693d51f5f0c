/*
 * Addresses, and the sockets that they lead to: host:port, [v6]:port, :port, unix:/path, fd:N and
 * systemd:NAME.
 */
#ifndef DUET_TOOL_ADDRESS_H
#define DUET_TOOL_ADDRESS_H

enum { LISTENERS_MOST = 8 }; /* sockets of one address: one for each family, or as systemd says */

struct listener {
    int fds[LISTENERS_MOST];
    unsigned count;
    char path[108]; /* of a Unix socket, to be removed; "" none */
};

/** Connect. *fd is -1 on failure. Returns an exit code. */
int address_connect(int *fd, const char *address, int timeout_ms);

/** Listen. Returns an exit code. */
int address_listen(struct listener *listener, const char *address);

/** Make a connection ready: not for children, and without delay. */
void address_prepare(int fd);

/** Close, and remove a Unix socket's file. */
void listener_close(struct listener *listener);

#endif
