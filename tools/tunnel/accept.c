/*
 * The acceptor: takes connections from the listening sockets, and stops taking them at a tunnel's
 * limit or for want of descriptors or memory. What becomes of a connection is lifecycle.c's matter.
 *
 * What is not accepted waits in the kernel. A lack is logged once, and looked at again whenever a
 * connection has ended and twice a second.
 */
#include "connection.h"

#include "log.h"
#include "os/socket.h"
#include "source_admit.h"
#include "udp.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    QUEUE_MOST = 65536,
    ACCEPTS = 32,         /* in a turn of the loop, so that open connections get theirs */
    RETRY_MS = 500,       /* after a lack */
    LOG_EVERY_MS = 60000, /* a lack that comes and goes */
    RESERVED = 32,        /* descriptors for everything but connections */
    SCARCE = 64,          /* a limit of which these would be too large a part */
    MOST = 1 << 20
};

unsigned
accept_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024 - RESERVED;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > MOST)
        return MOST;
    return (unsigned)(limit.rlim_cur > SCARCE ? limit.rlim_cur - RESERVED : limit.rlim_cur / 2);
}

/* ---- Pausing ---- */

/** A tunnel that accepts for others too goes on: a peer of one that is full is refused once it has
 * authenticated. So does a reversed client, whose peers must come in: it refuses plain connections.
 */
static int
at_limit(const struct tunnel *tunnel)
{
    return !tunnel->is_shared && tunnel->settings->await.count == 0 &&
           tunnel->open_count >= tunnel->settings->most_connections;
}

static int
lacks_descriptors(const struct service *service)
{
    return service->descriptors + CONNECTION_DESCRIPTORS > service->descriptors_most;
}

static void
retry_accept(uv_timer_t *timer)
{
    accept_resume(timer->data);
}

/** A socket of UDP is read on, for the flows that are there. */
static void
pause_tunnel(struct tunnel *tunnel)
{
    struct port *port;

    tunnel->paused = 1;
    LIST_FOREACH (port, &tunnel->ports, entry)
        if (!port->is_udp)
            uv_poll_stop(&port->poll);
}

static void
start_retrying(struct service *service)
{
    uv_timer_start(&service->retry, retry_accept, RETRY_MS, RETRY_MS);
}

/** Stop accepting everywhere, and log why, once. */
static void
pause_all(struct service *service, const char *why)
{
    uint64_t now = uv_now(&service->loop);
    struct tunnel *tunnel;

    TAILQ_FOREACH (tunnel, &service->tunnels, entry)
        pause_tunnel(tunnel);
    service_counters(service)->accept_pauses++;
    service_counters(service)->accept_paused = 1;
    start_retrying(service);
    if (service->logged_pause_ms != 0 && now < service->logged_pause_ms + LOG_EVERY_MS)
        return;
    service->logged_pause_ms = now;
    record_note(RECORD_WARNING, "%s: nothing more is accepted until some are free", why);
}

void
accept_resume(struct service *service)
{
    struct tunnel *tunnel;

    if (service_counters(service)->accept_paused && lacks_descriptors(service))
        return;
    uv_timer_stop(&service->retry);
    service_counters(service)->accept_paused = 0;
    TAILQ_FOREACH (tunnel, &service->tunnels, entry) {
        if (!tunnel->paused || at_limit(tunnel))
            continue;
        tunnel->paused = 0;
        accept_watch(tunnel);
    }
}

/** Half-open connections give way to new ones, once they have had time to authenticate. Returns 1
 * when there is room. */
static int
make_room(struct tunnel *tunnel)
{
    struct service *service = tunnel->service;

    if (at_limit(tunnel)) {
        limit_reached(tunnel, LIMIT_CONNECTIONS);
        pause_tunnel(tunnel);
        return 0;
    }
    if (tunnel->half_open_count >= tunnel->settings->most_half_open &&
        half_open_evict(tunnel) != 0) {
        limit_reached(tunnel, LIMIT_HALF_OPEN);
        pause_tunnel(tunnel);
        start_retrying(service);
        return 0;
    }
    while (lacks_descriptors(service))
        if (half_open_evict(tunnel) != 0) {
            pause_all(service, "out of descriptors");
            return 0;
        }
    return 1;
}

/* ---- Accepting ---- */

/** After accept() failed. Returns 1 when it can be tried again at once. */
static int
may_try_again(struct tunnel *tunnel)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return 0;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        if (half_open_evict(tunnel) == 0)
            return 1;
        pause_all(tunnel->service, errno_text());
        return 0;
    }
    return 1; /* the connection was gone before it was accepted */
}

static void
refuse_connection(struct tunnel *tunnel, int fd, const struct sockaddr *from, const char *why)
{
    const struct record record = {
        .tunnel = tunnel->settings->name, .from = from, .outcome = END_REFUSED, .reason = why};

    tunnel->counters->refused++;
    close(fd);
    if (limit_may_log(tunnel->service))
        record_write(&record);
}

/** Begin a connection if its source may have one. A proxy's connections count for the sources that
 * its headers name. */
static void
admit_connection(const struct port *port, int fd, const struct sockaddr *from)
{
    struct tunnel *tunnel = port->tunnel;
    const struct tunnel_settings *settings = tunnel->settings;
    int is_proxied = (settings->proxy & PROXY_IN) && (port->is_plain || settings->await.count == 0);
    int is_undecided = tunnel->is_shared && !port->is_plain;

    tunnel->counters->accepted++;
    if (is_proxied && !proxy_trusted(&settings->trusted, from)) {
        refuse_connection(tunnel, fd, from,
                          "it is no proxy whose headers are believed; see proxy-from");
        return;
    }
    if (!is_proxied && !is_undecided && !source_admitted(settings, from)) {
        refuse_connection(tunnel, fd, from, SOURCE_NOT_ADMITTED);
        return;
    }
    struct source_limit *sources = is_undecided ? &tunnel->undecided : &tunnel->sources;
    unsigned most = is_proxied || is_undecided ? 0 : settings->most_from_source;
    if (source_limit_take(sources, from, most) != 0) {
        limit_reached(tunnel, LIMIT_SOURCE);
        refuse_connection(tunnel, fd, from, PROXY_SOURCE_FULL);
        return;
    }
    if (lifecycle_accept(port, fd, from) == 0)
        return;
    source_limit_give(sources, from);
    pause_all(tunnel->service, "out of memory");
}

/** Accept one connection. Returns 0 when there is none, or no room. */
static int
accept_one(struct port *port)
{
    struct tunnel *tunnel = port->tunnel;
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof from;

    if (tunnel == NULL || tunnel->paused || !make_room(tunnel))
        return 0;
    int fd = duet__os_accept(port->fd, (struct sockaddr *)&from, &size);
    if (fd < 0)
        return may_try_again(tunnel);
    admit_connection(port, fd, (const struct sockaddr *)&from);
    return 1;
}

static void
accept_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS && accept_one(poll->data); i++)
        continue;
}

static void
datagrams_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    udp_port_read(poll->data);
}

void
accept_watch(struct tunnel *tunnel)
{
    struct port *port;

    LIST_FOREACH (port, &tunnel->ports, entry)
        if (port->is_udp)
            uv_poll_start(&port->poll, UV_READABLE, datagrams_ready);
        else if (!tunnel->paused)
            uv_poll_start(&port->poll, UV_READABLE, accept_ready);
}

void
accept_last(struct tunnel *tunnel)
{
    struct port *port;

    LIST_FOREACH (port, &tunnel->ports, entry)
        for (int i = port->is_udp ? QUEUE_MOST : 0; i < QUEUE_MOST && accept_one(port); i++)
            continue;
}
