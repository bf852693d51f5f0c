/*
 * Which addresses do not leave this machine.
 */
#ifndef DUET_TUNNEL_LOOPBACK_H
#define DUET_TUNNEL_LOOPBACK_H

#include <sys/socket.h>

/** 1 for a Unix socket and the loopback networks, written in IPv6 or not. */
int is_local(const struct sockaddr_storage *address);

#endif
