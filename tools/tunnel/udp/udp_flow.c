/*
 * Flows of datagrams (see udp_flow.h): made, found and released. A tunnel's are in the balanced
 * tree of tsearch(3): no choice of addresses makes it slow.
 */
#include "udp_flow.h"

#include "connection.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static int
compare_flows(const void *a, const void *b)
{
    const struct udp_flow *one = a, *other = b;

    return memcmp(&one->ends, &other->ends, sizeof one->ends); /* public: addresses */
}

int
udp_flow_new(struct connection *c, const struct duet__os_ends *ends, int fd)
{
    struct udp_flow *flow = calloc(1, sizeof *flow);

    if (flow == NULL)
        return -1;
    datagrams_start(&flow->out);
    flow->connection = c;
    flow->fd = fd;
    if (ends != NULL) {
        flow->ends = *ends;
        flow->is_listed = tsearch(flow, &c->tunnel->flows, compare_flows) != NULL;
        if (!flow->is_listed) {
            free(flow);
            return -1;
        }
    }
    c->udp = flow;
    return 0;
}

struct connection *
udp_flow_find(const struct tunnel *tunnel, const struct duet__os_ends *ends)
{
    const struct udp_flow key = {.ends = *ends};
    struct udp_flow *const *at = tfind(&key, &tunnel->flows, compare_flows);

    return at != NULL ? (*at)->connection : NULL;
}

void
udp_flow_lost(struct connection *c, unsigned count)
{
    c->udp->dropped += count;
    c->tunnel->counters->datagrams_dropped += count;
}

void
udp_flow_shift(struct connection *c)
{
    c->service->udp_bytes -= c->udp->out.first->size;
    datagrams_drop(&c->udp->out);
}

void
udp_flow_add(struct connection *c, const void *bytes, size_t size)
{
    struct service *service = c->service;
    struct datagrams *queue = &c->udp->out;

    while (queue->count > 0 && service->udp_bytes + size > UDP_BYTES_MOST) {
        udp_flow_shift(c);
        udp_flow_lost(c, 1);
    }
    if (service->udp_bytes + size > UDP_BYTES_MOST) {
        udp_flow_lost(c, 1);
        return;
    }
    service->udp_bytes -= queue->bytes;
    udp_flow_lost(c, datagrams_add(queue, bytes, size));
    service->udp_bytes += queue->bytes;
}

void
udp_flow_unlist(struct connection *c)
{
    if (c->udp == NULL || !c->udp->is_listed)
        return;
    (void)tdelete(c->udp, &c->tunnel->flows, compare_flows);
    c->udp->is_listed = 0;
}

void
udp_flow_free(struct connection *c)
{
    if (c->udp == NULL)
        return;
    udp_flow_unlist(c);
    c->service->udp_bytes -= c->udp->out.bytes;
    datagrams_free(&c->udp->out);
    free(c->udp);
    c->udp = NULL;
}
