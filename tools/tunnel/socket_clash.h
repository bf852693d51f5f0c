/*
 * Addresses of different tunnels that are written in two ways and are one, such as localhost:4000
 * and 127.0.0.1:4000: a connection there would reach either tunnel.
 */
#ifndef DUET_TUNNEL_SOCKET_CLASH_H
#define DUET_TUNNEL_SOCKET_CLASH_H

#include "settings.h"

/** Resolve the names where two tunnels listen on one port. Returns EXIT_DONE, or an exit code where
 * they meet. A name is asked for once, and after the start all names together have the time of one,
 * as open connections wait. */
int socket_clash_find(const struct settings *settings);

#endif
