/*
 * The limit of connections for each source: one address of IPv4, or one network of 64 bits of IPv6,
 * as a single machine has all of that.
 *
 * Only sources that have a connection now take memory. Peers on Unix sockets are not counted.
 */
#ifndef DUET_TOOL_SOURCE_LIMIT_H
#define DUET_TOOL_SOURCE_LIMIT_H

#include "tally.h"

#include <sys/socket.h>

/** The sources that have connections. All zero at first. */
struct source_limit {
    struct tally sources;
};

/** Count a connection. most: what one source may have; 0: any number. Returns 0; -1: it has them
 * already, or there is no memory to count it. */
int source_limit_take(struct source_limit *limit, const struct sockaddr *from, unsigned most);

/** Count one less, of those that source_limit_take() counted. */
void source_limit_give(struct source_limit *limit, const struct sockaddr *from);

/** Connections of the source of an address; 0: it is not counted. */
unsigned source_limit_count(const struct source_limit *limit, const struct sockaddr *from);

/** Forget all sources. */
void source_limit_free(struct source_limit *limit);

#endif
