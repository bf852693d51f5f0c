/*
 * Listening on an address: the sockets of all its families, or those that were passed on.
 */
#ifndef DUET_TOOL_LISTEN_H
#define DUET_TOOL_LISTEN_H

enum { LISTENERS_MOST = 8 }; /* sockets of one address: one for each family, or as systemd says */

struct listener {
    int fds[LISTENERS_MOST];
    unsigned count;
    char path[108]; /* of a Unix socket, to be removed; "" none */
};

/** Listen. shared 1: other processes may listen on the same port beside (SO_REUSEPORT). Returns an
 * exit code. */
int listener_open(struct listener *listener, const char *address, int shared);

/** Close, and remove a Unix socket's file. */
void listener_close(struct listener *listener);

#endif
