/*
 * Resolving names off the loop, so that a slow resolver stops nothing: each question has a thread
 * of its own while getaddrinfo() runs, which takes no deadline.
 *
 * Equal questions are asked once. An owner (a tunnel) has a few threads at most, so that names in a
 * zone whose servers are dead take none from other tunnels. It has more where programs choose the
 * names: some may be dead beside others that are not. The deadline is the asker's, who leaves by
 * lookup_cancel().
 */
#ifndef DUET_TUNNEL_RESOLVE_H
#define DUET_TUNNEL_RESOLVE_H

#include <netdb.h>
#include <uv.h>

struct resolver;
struct lookup;

/** What a lookup calls at its end: the list, which stays the resolver's and is valid during the
 * call; or NULL, and why there is none. */
typedef void lookup_done(void *context, const struct addrinfo *list, const char *why);

/** A resolver on a loop. NULL: no memory. */
struct resolver *resolver_new(uv_loop_t *loop);

/** Release it, all lookups cancelled; threads that are still busy end by themselves. NULL is fine.
 */
void resolver_close(struct resolver *resolver);

/** Threads that an owner's questions keep busy at a time. */
enum {
    LOOKUPS_OF_TARGETS = 16, /* names of its settings */
    LOOKUPS_OF_PROGRAMS = 64 /* those that programs choose */
};

/** What is asked, and for whom; host and port are copied. */
struct lookup_name {
    const void *owner;
    unsigned most; /* threads of this owner */
    const char *host, *port;
    int type; /* SOCK_STREAM or SOCK_DGRAM: a service's name may be known for one alone */
};

/** Begin to resolve. Returns 0, or -1: no memory. *lookup is valid until it has called done. */
int lookup_start(struct lookup **lookup, struct resolver *resolver, const struct lookup_name *name,
                 lookup_done *done, void *context);

/** Let done not be called any more. NULL is fine. */
void lookup_cancel(struct lookup *lookup);

#endif
