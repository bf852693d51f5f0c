/*
 * The PROXY header of a connection: read before anything else of one that is accepted, or made for
 * what it is handed on to. The format is in proxy.h.
 */
#ifndef DUET_TUNNEL_PROXY_HEADER_H
#define DUET_TUNNEL_PROXY_HEADER_H

#include "proxy.h"

struct connection;
struct proxy_header;

/** What reading came to; lifecycle.c acts on it. */
enum proxy_header_result {
    PROXY_HEADER_AGAIN,        /* more is to come */
    PROXY_HEADER_DONE,         /* it is read; its source is the connection's now */
    PROXY_HEADER_LOCAL,        /* it names no source: proxy_header_look() goes on */
    PROXY_HEADER_HEALTH_CHECK, /* the proxy only checked whether this service is up */
    PROXY_HEADER_BAD,          /* there is none, or a bad one */
    PROXY_HEADER_REFUSED,      /* its source is not allowed */
    PROXY_HEADER_LIMIT         /* its source has too many connections */
};

enum { PROXY_LOCAL_MS = 200 }; /* how long a client waits for what follows a header of no source */

#define PROXY_SOURCE_FULL "its source has as many connections as one may have (max-from-source)"

/** Room for one; free() releases it. NULL: no memory. */
struct proxy_header *proxy_header_new(void);

/** Read what has come of an accepted connection's header, and nothing after it. why: out, a
 * sentence for BAD and LIMIT. */
enum proxy_header_result proxy_header_read(struct connection *connection, const char **why);

/** After LOCAL: does the proxy stay and send data (DONE), or close (HEALTH_CHECK)? */
enum proxy_header_result proxy_header_look(struct connection *connection);

/** The proxy that named a connection's source; NULL: none did. */
const struct sockaddr *proxy_header_via(const struct connection *connection);

/** Make the header of an open connection. Returns its size. */
size_t proxy_header_make(uint8_t out[PROXY_MOST], const struct connection *connection);

#endif
