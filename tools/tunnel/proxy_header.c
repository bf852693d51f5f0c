/*
 * PROXY headers of connections (see proxy_header.h).
 *
 * Just as many bytes are taken from the socket as the header has left: what follows it is the
 * channel's or the plain stream's.
 */
#include "proxy_header.h"

#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LOCAL_MS = 200 }; /* for a proxy that only looks to go away again */

struct proxy_header {
    const struct proxy_header_ways *ways;
    struct sockaddr_storage via, destination; /* the proxy, and where its client had come to */
    int known;                                /* 1: the destination is told */
    size_t size;                              /* of these so far: */
    uint8_t bytes[];                          /* until the header is read */
};

/** The side that was accepted. */
static struct endpoint *
accepted(const struct connection *c)
{
    return c->settings->side == TUNNEL_CLIENT ? c->plain : c->duet;
}

/** A server's connection has its time as a stranger, whatever it sends. */
static void
set_time(struct connection *c, int ms, void (*timed)(struct connection *))
{
    if (c->settings->side == TUNNEL_CLIENT)
        connection_time(c, ms, timed);
}

/** Who looked whether somebody is there is no connection to tell of. */
static void
send_away(struct connection *c)
{
    c->is_recorded = 1;
    connection_end(c, END_STRANGER, "");
}

static void
refuse(struct connection *c, const char *reason)
{
    set_time(c, -1, NULL);
    c->header->ways->bad(c, reason);
}

/* ---- Behind the header ---- */

static void
go_on(struct connection *c)
{
    set_time(c, -1, NULL);
    if (c->settings->side == TUNNEL_CLIENT)
        endpoint_watch(c->plain, 0); /* what follows waits until the peer is reached */
    c->header->ways->good(c);
}

/** A proxy that told no source: does it stay, and say more? */
static void
look(struct connection *c, int events)
{
    char byte;

    (void)events;
    ssize_t n = recv(accepted(c)->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0)
        go_on(c);
    else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        send_away(c);
}

/** The source is told: it is counted in the proxy's place, and told of even if it is refused. */
static void
take_source(struct connection *c, const struct proxy *proxy)
{
    struct sources *sources = c->tunnel->sources;
    int full = sources_take(sources, &proxy->source, c->settings->most_from_source) != 0;

    if (full && sources_take(sources, &proxy->source, 0) != 0) {
        connection_end(c, END_REFUSED, "no memory to count its source");
        return;
    }
    sources_give(sources, &c->from);
    c->header->via = c->from;
    c->header->destination = proxy->destination;
    c->header->known = 1;
    c->from = proxy->source;
    if (full)
        connection_end(c, END_REFUSED, "its source has as many connections as one may have");
    else
        go_on(c);
}

static void
took_header(struct connection *c, const struct proxy *proxy)
{
    struct proxy_header *smaller = realloc(c->header, sizeof *smaller);

    if (smaller != NULL)
        c->header = smaller;
    if (proxy->known) {
        take_source(c, proxy);
        return;
    }
    accepted(c)->event = look;
    set_time(c, LOCAL_MS, go_on);
    look(c, 0);
}

/* ---- The header ---- */

/** How many bytes may be read at once without reading beyond it. */
static size_t
wanted(const struct proxy_header *header)
{
    const uint8_t *at = header->bytes;
    size_t whole = PROXY_LEAST;

    if (header->size >= PROXY_LEAST)
        whole += (size_t)(at[PROXY_LEAST - 2] << 8 | at[PROXY_LEAST - 1]);
    return whole - header->size;
}

static void
read_header(struct connection *c, int events)
{
    struct proxy_header *header = c->header;
    struct proxy proxy;
    const char *why;
    size_t used;

    (void)events;
    for (int result = DUET_AGAIN; result == DUET_AGAIN;) {
        ssize_t n =
            recv(accepted(c)->fd, header->bytes + header->size, wanted(header), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return;
        if (n <= 0 && header->size == 0) {
            send_away(c);
            return;
        }
        header->size += n > 0 ? (size_t)n : 0;
        result = proxy_parse(&proxy, header->bytes, header->size, &used, &why);
        if (result == DUET_OK)
            took_header(c, &proxy);
        else if (result == DUET_E_FORMAT || n <= 0)
            refuse(c, result == DUET_E_FORMAT ? why : "it ended within its PROXY header");
        if (n <= 0)
            return;
    }
}

static void
is_late(struct connection *c)
{
    refuse(c, "no PROXY header came in time; have the proxy send one");
}

struct proxy_header *
proxy_header_new(void)
{
    return calloc(1, sizeof(struct proxy_header) + PROXY_MOST);
}

void
proxy_header_await(struct connection *c, const struct proxy_header_ways *ways)
{
    struct endpoint *endpoint = accepted(c);

    c->header->ways = ways;
    endpoint->event = read_header;
    endpoint_watch(endpoint, UV_READABLE);
    set_time(c, c->settings->handshake_ms, is_late);
}

const struct sockaddr_storage *
proxy_header_via(const struct connection *c)
{
    return c->header != NULL && c->header->known ? &c->header->via : NULL;
}

/* ---- Made ---- */

/** Where the connection came to: as the proxy said, or as the socket does. */
static void
find_destination(struct sockaddr_storage *out, const struct connection *c)
{
    socklen_t size = sizeof *out;

    memset(out, 0, sizeof *out);
    if (proxy_header_via(c) != NULL)
        *out = c->header->destination;
    else if (getsockname(accepted(c)->fd, (struct sockaddr *)out, &size) != 0)
        out->ss_family = AF_UNSPEC;
}

size_t
proxy_header_make(uint8_t out[PROXY_MOST], const struct connection *c)
{
    struct proxy proxy = {.known = 1, .source = c->from};
    duet_info info;

    find_destination(&proxy.destination, c);
    duet_session_info(duet_channel_session(c->channel), &info);
    if (c->settings->side == TUNNEL_SERVER) {
        proxy.secret_id = info.secret_id;
        proxy.peer_key = info.has_peer_key ? info.peer_key : NULL;
        proxy.peer_name = settings_peer_name(c->settings, proxy.peer_key);
    }
    return proxy_write(out, &proxy);
}
