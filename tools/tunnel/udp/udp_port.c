/*
 * A client's socket of UDP. A datagram of a flow that is known is queued for its peer; another
 * begins a flow, as accept(2) begins a connection, and the limits are the same. There is nobody to
 * refuse to: what may not begin one is dropped and counted.
 */
#include "udp.h"

#include "connection.h"
#include "log.h"
#include "source_admit.h"
#include "udp_flow.h"

#include <errno.h>

enum { TURN = 256 }; /* datagrams in a turn of the loop, so that open connections get theirs */

/** A source may not have a flow. */
static void
refuse_flow(struct tunnel *tunnel, const struct sockaddr *from, const char *why)
{
    const struct record record = {
        .tunnel = tunnel->settings->name, .from = from, .outcome = END_REFUSED, .reason = why};

    tunnel->counters->refused++;
    tunnel->counters->datagrams_dropped++;
    if (limit_may_log(tunnel->service))
        record_write(&record);
}

/** Why a flow may not begin, of all but its source; NULL: it may. */
static const char *
find_lack(struct tunnel *tunnel)
{
    const struct service *service = tunnel->service;

    if (tunnel->open_count >= tunnel->settings->most_connections) {
        limit_reached(tunnel, LIMIT_CONNECTIONS);
        return "max-connections is reached";
    }
    if (service->descriptors + CONNECTION_DESCRIPTORS > service->descriptors_most)
        return "out of descriptors";
    return NULL;
}

/** Make a connection for the flow of a first datagram. Returns 0, or -1: no memory. */
static int
accept_flow(const struct port *port, const struct duet__os_ends *ends, const void *bytes,
            size_t size)
{
    struct connection *c =
        connection_new(port->tunnel, CONNECTION_PLAIN_CAME, (const struct sockaddr *)&ends->from);

    if (c == NULL)
        return -1;
    if (udp_flow_new(c, ends, port->fd) != 0) {
        connection_discard(c);
        return -1;
    }
    udp_flow_add(c, bytes, size);
    c->tunnel->counters->open = ++c->tunnel->open_count;
    lifecycle_reach_peer(c);
    return 0;
}

/** Begin the flow of a first datagram. */
static void
begin_flow(const struct port *port, const struct duet__os_ends *ends, const void *bytes,
           size_t size)
{
    struct tunnel *tunnel = port->tunnel;
    const char *why = find_lack(tunnel);

    tunnel->counters->accepted++;
    if (why == NULL && !source_admitted(tunnel->settings, (const struct sockaddr *)&ends->from))
        why = SOURCE_NOT_ADMITTED;
    if (why == NULL && source_limit_take(&tunnel->sources, (const struct sockaddr *)&ends->from,
                                         tunnel->settings->most_from_source) != 0) {
        limit_reached(tunnel, LIMIT_SOURCE);
        why = PROXY_SOURCE_FULL;
    }
    if (why != NULL) {
        refuse_flow(tunnel, (const struct sockaddr *)&ends->from, why);
        return;
    }
    if (accept_flow(port, ends, bytes, size) == 0)
        return;
    source_limit_give(&tunnel->sources, (const struct sockaddr *)&ends->from);
    refuse_flow(tunnel, (const struct sockaddr *)&ends->from, "out of memory");
}

static void
take_datagram(const struct port *port, const struct duet__os_ends *ends, const void *bytes,
              size_t size)
{
    struct connection *c = udp_flow_find(port->tunnel, ends);

    if (c == NULL) {
        begin_flow(port, ends, bytes, size);
        return;
    }
    udp_flow_add(c, bytes, size);
    if (c->state == CONNECTION_UNCONFIRMED || c->state == CONNECTION_OPEN)
        connection_make_ready(c);
}

void
udp_port_read(struct port *port)
{
    struct buffers *buffers = &port->tunnel->service->buffers;
    uint8_t *buffer = buffers_lend(buffers);
    struct duet__os_ends ends;

    for (int i = 0; i < TURN && buffer != NULL && port->tunnel != NULL; i++) {
        ssize_t n = duet__os_datagram_recv(port->fd, buffer, DATAGRAM_MOST, &ends);
        if (n >= 0)
            take_datagram(port, &ends, buffer, (size_t)n);
        else if (errno == EMSGSIZE)
            port->tunnel->counters->datagrams_dropped++;
        else if (errno != ECONNREFUSED && errno != EHOSTUNREACH && errno != ENETUNREACH)
            break;
    }
    buffers_return(buffers, &buffer);
}
