/*
 * Sockets and pipes that a child started by exec does not inherit, and what the system knows about
 * the other end of one.
 *
 * Where the system cannot set the flags in one step, a fork in another thread between the two steps
 * may still inherit the descriptor. Calls return -1 with the reason in errno.
 */
#ifndef DUET_OS_SOCKET_H
#define DUET_OS_SOCKET_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum duet__os_mode {
    DUET__OS_WAITS,   /**< blocking */
    DUET__OS_NO_WAITS /**< O_NONBLOCK */
};

/** socket(), with close-on-exec. */
int duet__os_socket(int family, int type, enum duet__os_mode mode);

/** A stream socket of Multipath TCP (RFC 8684), non-blocking, with close-on-exec. -1: this system
 * or kernel has none. */
int duet__os_mptcp_socket(int family);

/** 1 for a socket of Multipath TCP, which has not fallen back to TCP when it was accepted. */
int duet__os_is_mptcp(int fd);

/** accept(), with close-on-exec and O_NONBLOCK. */
int duet__os_accept(int fd, struct sockaddr *from, socklen_t *size);

/** pipe(), with close-on-exec at both ends. */
int duet__os_pipe(int ends[2], enum duet__os_mode mode);

/** A connected pair of Unix stream sockets, blocking, with close-on-exec. */
int duet__os_socket_pair(int ends[2]);

/** The user who runs the process at the other end of a Unix stream socket. Returns 0, or -1. */
int duet__os_peer_user(int fd, uid_t *user);

/**
 * 1 when bytes were sent on a TCP socket for which the peer's system has sent no acknowledgement in
 * the last ms milliseconds; 0 otherwise, and where the system does not report it (of Multipath TCP,
 * where one of several paths says nothing of the others).
 */
int duet__os_is_unacknowledged(int fd, uint64_t ms);

#endif
