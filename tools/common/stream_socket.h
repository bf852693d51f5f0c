/*
 * Sockets of TCP between the two ends, or of Multipath TCP where that is wanted and the kernel has
 * it.
 */
#ifndef DUET_TOOL_STREAM_SOCKET_H
#define DUET_TOOL_STREAM_SOCKET_H

/** A stream socket of a family, non-blocking. mptcp 1: of Multipath TCP; without it in the kernel
 * TCP is used, with one warning. Returns -1 with errno. */
int stream_socket(int family, int mptcp);

#endif
