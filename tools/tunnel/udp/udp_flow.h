/*
 * A flow: the datagrams between one address of a source and a service, carried by one connection
 * of its own. A client tells flows apart by where a datagram came from and which address was asked;
 * at a server each peer that has authenticated is one.
 *
 * At a client a flow's connection has no plain descriptor: all share the socket that they come to.
 *
 * Each datagram is a message of the channel under the code UDP_CODE. Both directions end together:
 * the end that is done sends CLOSE, and the other answers by its own.
 */
#ifndef DUET_TUNNEL_UDP_FLOW_H
#define DUET_TUNNEL_UDP_FLOW_H

#include "datagrams.h"
#include "os/datagram.h"

#include <stdint.h>

struct connection;
struct tunnel;

enum {
    UDP_CODE = 1,             /* of a message that is a datagram */
    UDP_BYTES_MOST = 64 << 20 /* in the queues of all flows of a process */
};

struct udp_flow {
    struct duet__os_ends ends; /* of a client: whose it is */
    struct connection *connection;
    int fd;               /* where its datagrams leave to the plain side; -1: nowhere */
    int is_listed;        /* 1: datagrams of its source find it */
    int is_mixed;         /* 1: the peer sent something else than datagrams */
    struct datagrams out; /* those that wait for the peer */
    uint64_t sent;        /* datagrams given to the peer */
    uint64_t received;    /* and received from it */
    uint64_t dropped;     /* in either direction */
    uint64_t ended_ms;    /* once it is to end: since when */
    const char *why;      /* and why */
};

/** Give a connection a flow. ends: of a client's, which datagrams find from now on; NULL: a
 * server's. Returns 0, or -1: no memory. */
int udp_flow_new(struct connection *connection, const struct duet__os_ends *ends, int fd);

/** The connection of a flow; NULL: none. */
struct connection *udp_flow_find(const struct tunnel *tunnel, const struct duet__os_ends *ends);

/** Queue a datagram for the peer; the oldest make room. */
void udp_flow_add(struct connection *connection, const void *bytes, size_t size);

/** Count datagrams that are lost. */
void udp_flow_lost(struct connection *connection, unsigned count);

/** Take the oldest off the queue. */
void udp_flow_shift(struct connection *connection);

/** Let datagrams find it no more: the next of its source begins another flow. */
void udp_flow_unlist(struct connection *connection);

/** Release it. A connection without one is fine. */
void udp_flow_free(struct connection *connection);

#endif
