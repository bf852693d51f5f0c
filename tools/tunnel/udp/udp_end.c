/*
 * Flows of datagrams whose service or address goes: they would not end by themselves, as
 * connections do when a program is done.
 */
#include "udp.h"

#include "connection.h"

/** 1 when the tunnel still listens on the socket of a client's flow. */
static int
has_port(const struct connection *c)
{
    const struct port *port;

    LIST_FOREACH (port, &c->tunnel->ports, entry)
        if (port->fd == c->udp->fd)
            return 1;
    return 0;
}

/** End it, in order where it is open. */
static void
end_flow(struct connection *c, const char *why)
{
    if (c->state == CONNECTION_UNCONFIRMED || c->state == CONNECTION_OPEN)
        timers_end_flow(c, why);
    else if (c->state < CONNECTION_UNCONFIRMED)
        connection_end(c, END_REFUSED, why);
}

int
udp_flow_withdraw(struct connection *c)
{
    if (c->udp == NULL || c->plain != NULL || has_port(c))
        return 0;
    c->udp->fd = -1;
    end_flow(c, "a reload withdrew its address");
    return 1;
}

int
udp_flows_hold_socket(const struct service *service)
{
    const struct connection *c;

    TAILQ_FOREACH (c, &service->connections, entry)
        if (c->udp != NULL && c->plain == NULL && c->udp->fd >= 0)
            return 1;
    return 0;
}

void
udp_flow_drain(struct connection *c)
{
    if (c->udp == NULL)
        return;
    if (c->plain == NULL)
        c->udp->fd = -1; /* its socket is closed */
    end_flow(c, "the service ends");
}
