/*
 * PROXY headers of connections (see proxy_header.h). Only the bytes of the header are taken from
 * the socket: what follows is the channel's or the plain stream's.
 */
#include "connection.h"

#include "source_admit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct proxy_header {
    union source_address via;                    /* the proxy */
    struct sockaddr_storage source, destination; /* its client, and where that had connected to */
    int known;                                   /* 1: these are filled in */
    size_t size;                                 /* of these so far: */
    uint8_t bytes[];                             /* until the header is read */
};

struct proxy_header *
proxy_header_new(void)
{
    return calloc(1, sizeof(struct proxy_header) + PROXY_MOST);
}

static int
would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

enum proxy_header_result
proxy_header_look(struct connection *c)
{
    char byte;
    ssize_t n = recv(connection_accepted(c)->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n > 0)
        return PROXY_HEADER_DONE;
    return n < 0 && would_block() ? PROXY_HEADER_LOCAL : PROXY_HEADER_HEALTH_CHECK;
}

/** Count the connection for the source that the header names, in the proxy's place. Above the limit
 * it is counted too, so that connection_end() can give it back. */
static enum proxy_header_result
take_source(struct connection *c, const struct proxy *proxy, const char **why)
{
    struct source_limit *sources = connection_sources(c);
    unsigned most = c->is_undecided ? 0 : c->settings->most_from_source;
    const struct sockaddr *source = (const struct sockaddr *)&proxy->source;
    int full = source_limit_take(sources, source, most) != 0;

    *why = PROXY_SOURCE_FULL;
    if (full && source_limit_take(sources, source, 0) != 0) {
        *why = "no memory to count its source";
        return PROXY_HEADER_LIMIT;
    }
    source_limit_give(sources, &c->from.any);
    c->header->via = c->from;
    c->header->source = proxy->source;
    c->header->destination = proxy->destination;
    c->header->known = 1;
    source_address_set(&c->from, source);
    if (!c->is_undecided && !source_admitted(c->settings, source)) {
        *why = SOURCE_NOT_ADMITTED;
        return PROXY_HEADER_REFUSED;
    }
    return full ? PROXY_HEADER_LIMIT : PROXY_HEADER_DONE;
}

/** How many bytes can be read without reading beyond the header. */
static size_t
bytes_wanted(const struct proxy_header *header)
{
    const uint8_t *at = header->bytes;
    size_t whole = PROXY_LEAST;

    if (header->size < PROXY_MARK)
        return PROXY_MARK - header->size;
    if (at[0] == 'P')
        return 1; /* a line, whose end is not known before it has come */
    if (header->size >= PROXY_LEAST)
        whole += (size_t)(at[PROXY_LEAST - 2] << 8 | at[PROXY_LEAST - 1]);
    return whole - header->size;
}

enum proxy_header_result
proxy_header_read(struct connection *c, const char **why)
{
    struct proxy_header *header = c->header;
    int fd = connection_accepted(c)->fd, result;
    struct proxy proxy;
    size_t used;

    do {
        ssize_t n = recv(fd, header->bytes + header->size, bytes_wanted(header), MSG_DONTWAIT);
        if (n < 0 && would_block())
            return PROXY_HEADER_AGAIN;
        if (n <= 0) {
            *why = "the connection ended within its PROXY header";
            return header->size == 0 ? PROXY_HEADER_HEALTH_CHECK : PROXY_HEADER_BAD;
        }
        header->size += (size_t)n;
        result = proxy_parse(&proxy, header->bytes, header->size, &used, why);
    } while (result == DUET_AGAIN);
    if (result != DUET_OK)
        return PROXY_HEADER_BAD;
    struct proxy_header *smaller = realloc(header, sizeof *smaller);
    if (smaller != NULL)
        c->header = smaller;
    return proxy.known ? take_source(c, &proxy, why) : proxy_header_look(c);
}

const struct sockaddr *
proxy_header_via(const struct connection *c)
{
    return c->header != NULL && c->header->known ? &c->header->via.any : NULL;
}

/** The addresses of a connection whose header none was read of: its socket's. */
static void
take_own_addresses(struct proxy *proxy, const struct connection *c)
{
    socklen_t size = sizeof proxy->source;
    int fd = connection_accepted(c)->fd;

    memcpy(&proxy->source, &c->from, sizeof c->from);
    if (c->from.any.sa_family == AF_UNIX) /* with its path */
        (void)getpeername(fd, (struct sockaddr *)&proxy->source, &size);
    size = sizeof proxy->destination;
    if (getsockname(fd, (struct sockaddr *)&proxy->destination, &size) != 0)
        proxy->destination.ss_family = AF_UNSPEC;
}

size_t
proxy_header_make(uint8_t out[PROXY_MOST], const struct connection *c)
{
    struct proxy proxy = {.known = 1};
    duet_info info;

    if (proxy_header_via(c) != NULL) {
        proxy.source = c->header->source;
        proxy.destination = c->header->destination;
    } else {
        take_own_addresses(&proxy, c);
    }
    duet_session_info(duet_channel_session(c->channel), &info);
    if (c->settings->side == TUNNEL_SERVER) {
        proxy.secret_id = info.secret_id;
        proxy.peer_key = info.has_peer_key ? info.peer_key : NULL;
        proxy.peer_name = settings_peer_name(c->settings, proxy.peer_key);
    }
    return c->settings->proxy_version == PROXY_VERSION_1 ? proxy_write_v1(out, &proxy)
                                                         : proxy_write(out, &proxy);
}
