/*
 * How many connections each source has: one address of IPv4, or one network of 64 bits of IPv6, as
 * a single machine has all of that.
 *
 * The memory follows the sources that have a connection now, not those that ever had one. Peers on
 * Unix sockets are not told apart and not counted.
 */
#ifndef DUET_TUNNEL_SOURCE_LIMIT_H
#define DUET_TUNNEL_SOURCE_LIMIT_H

#include <sys/socket.h>

struct sources;

/** NULL: no memory. */
struct sources *sources_new(void);
void sources_free(struct sources *sources); /**< NULL is fine */

/** Count a connection. most: what one source may have; 0: any number. Returns 0; -1: it has them
 * already, or there is no memory to count it. */
int sources_take(struct sources *sources, const struct sockaddr_storage *from, unsigned most);

/** Count one less, of those that sources_take() counted. */
void sources_give(struct sources *sources, const struct sockaddr_storage *from);

#endif
