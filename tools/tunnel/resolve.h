/*
 * Resolving a name off the loop, in one of libuv's threads, so that a slow resolver stops nothing.
 */
#ifndef DUET_TUNNEL_RESOLVE_H
#define DUET_TUNNEL_RESOLVE_H

#include <netdb.h>
#include <uv.h>

struct lookup;

/** What a lookup calls at its end: status 0 and a list (owned), or libuv's error. */
typedef void lookup_done(void *context, int status, struct addrinfo *list);

/** Begin to resolve. Returns 0 or libuv's error. *lookup is valid until it has called done. */
int lookup_start(struct lookup **lookup, uv_loop_t *loop, const char *host, const char *port,
                 lookup_done *done, void *context);

/** Let done not be called any more. NULL is fine. */
void lookup_cancel(struct lookup *lookup);

#endif
