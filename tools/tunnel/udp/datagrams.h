/*
 * A queue of datagrams with two bounds, their number and their bytes: what comes to a full one
 * makes room for itself, and the oldest goes. An old datagram is worth less than a new one: its
 * sender has given it up or sent it again by the time that a connection goes on.
 */
#ifndef DUET_TUNNEL_DATAGRAMS_H
#define DUET_TUNNEL_DATAGRAMS_H

#include <stddef.h>
#include <stdint.h>

enum {
    DATAGRAM_MOST = 65507,        /* bytes of one: UDP over IPv4 */
    DATAGRAMS_MOST = 64,          /* in a queue */
    DATAGRAMS_BYTES_MOST = 262144 /* of a queue */
};

struct datagram {
    struct datagram *next; /* newer; NULL: none */
    size_t size;
    uint8_t bytes[];
};

struct datagrams {
    struct datagram *first, **last; /* the oldest; where the next one's address goes */
    size_t count, bytes;
};

/** An empty queue. */
void datagrams_start(struct datagrams *queue);

/** Add a copy. Returns how many were dropped for it: older ones, or itself where there is no memory
 * or it is over the bound alone. */
unsigned datagrams_add(struct datagrams *queue, const void *bytes, size_t size);

/** Drop the oldest, wiped. */
void datagrams_drop(struct datagrams *queue);

/** Drop all. */
void datagrams_free(struct datagrams *queue);

#endif
