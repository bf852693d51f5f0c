/*
 * A peer behind a proxy: the proxy is dialled in its place (way.c), and asked here to lead there
 * (proxy_route.h), before the peer's handshake.
 */
#include "connection.h"

#include <stdio.h>

/** The proxy does not lead there. */
static void
through_failed(struct connection *c, const char *why)
{
    char copy[160];

    snprintf(copy, sizeof copy, "%s", why); /* the dialogue's own text */
    route_free(c->dial->route);
    c->dial->route = NULL;
    c->dial->silence_ms = 0; /* a proxy that fails is closed at once */
    connect_next(c, copy);
}

void
through_event(struct connection *c)
{
    switch (route_step(c->dial->route, c->duet->fd)) {
    case ROUTE_READS:
        endpoint_watch(c->duet, UV_READABLE);
        break;
    case ROUTE_WRITES:
        endpoint_watch(c->duet, UV_WRITABLE);
        break;
    case ROUTE_FAILED:
        through_failed(c, route_reason(c->dial->route));
        break;
    case ROUTE_DONE:
        route_free(c->dial->route);
        c->dial->route = NULL;
        c->service->hooks->on_reached(c);
        break;
    }
}

void
through_start(struct connection *c)
{
    c->dial->route = route_begin(&c->settings->route, c->target);
    connection_enter(c, CONNECTION_ROUTING, c->settings->handshake_ms);
    if (c->dial->route == NULL)
        through_failed(c, "no memory to ask the proxy");
    else
        through_event(c);
}

void
through_timeout(struct connection *c)
{
    through_failed(c, "the proxy does not answer in time");
}
