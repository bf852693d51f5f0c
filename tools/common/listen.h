/*
 * Listening on an address: the sockets of all its families, or those that were passed on.
 */
#ifndef DUET_TOOL_LISTEN_H
#define DUET_TOOL_LISTEN_H

#include "address.h"

#include <stddef.h>
#include <stdint.h>

enum { LISTENERS_MOST = 8 }; /* sockets of one address: one for each family, or as systemd says */

struct listener {
    int fds[LISTENERS_MOST];
    unsigned count;
    char path[108]; /* of a Unix socket, to be removed; "" none */
};

/** Whose port it is. */
enum listen_mode {
    LISTEN_ALONE, /* this process alone has it */
    LISTEN_FIRST, /* nobody has it yet; then those that join may share it (SO_REUSEPORT) */
    LISTEN_JOIN   /* other processes of this service may have it already */
};

/** Sockets that this process listens on already. */
struct listen_held {
    const int *fds;
    size_t count;
};

/** How to listen. */
struct listen_how {
    enum listen_mode mode;
    int mptcp; /* 1: by Multipath TCP, where the kernel has it; TCP is accepted too */
};

/** Listen for streams. What is held (NULL: nothing) may have the same port: an equal address is
 * taken over from it, and one that overlaps is opened beside it. Returns an exit code; on failure
 * nothing is open that was not, and what was passed to this process is not closed. */
int listener_open(struct listener *listener, const char *address, struct listen_how how,
                  const struct listen_held *held);

/** The same, on an address of UDP too: its sockets have a port, and datagrams come without more. */
int listener_open_any(struct listener *listener, const char *address, struct listen_how how,
                      const struct listen_held *held);

/** Open sockets of one's own on the ports of another listener, which was opened to be shared.
 * Returns an exit code. */
int listener_join(struct listener *listener, const struct listener *other, const char *address);

/** Until when names to listen on may be asked for: at the start as long as it takes (0), and
 * afterwards for a second from now. */
uint64_t listener_names_end(void);

/** Find the addresses of a name to listen on, until then. As address_lookup(). */
int listener_lookup(struct addrinfo **list, const struct address *where, uint64_t end_ms);

/** The start is over. From now on the numbers of descriptors that were passed to this process may
 * belong to something else, so that no more of them are taken over. */
void listener_end_start(void);

/** Close, and remove a Unix socket's file. */
void listener_close(struct listener *listener);

#endif
