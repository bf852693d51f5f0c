/*
 * PROXY headers of connections: read before anything else of those that are accepted, and made for
 * what they are handed on to. What a header looks like is in proxy.h.
 */
#ifndef DUET_TUNNEL_PROXY_HEADER_H
#define DUET_TUNNEL_PROXY_HEADER_H

#include "proxy.h"

struct connection;
struct proxy_header;

/** What becomes of a connection whose header has been read. */
struct proxy_header_ways {
    void (*good)(struct connection *connection);
    /* It has none, or one that is not meant to be taken. The reason is a sentence. */
    void (*bad)(struct connection *connection, const char *reason);
};

/** Room for one, which is free()'s later. NULL: no memory. */
struct proxy_header *proxy_header_new(void);

/** Read the header of an accepted connection, which has room for it; its source is then who the
 * header says. Nothing behind it is read. A proxy that only looks whether somebody is there is sent
 * away without a word. The time of a client's connection is limited here, a server's is anyway. */
void proxy_header_await(struct connection *connection, const struct proxy_header_ways *ways);

/** The proxy that told a connection's source; NULL: nobody did. */
const struct sockaddr_storage *proxy_header_via(const struct connection *connection);

/** Make the header of an open connection. Returns its size. */
size_t proxy_header_make(uint8_t out[PROXY_MOST], const struct connection *connection);

#endif
