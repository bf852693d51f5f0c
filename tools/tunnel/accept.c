/*
 * Accepting, and stopping to accept: by a tunnel's limit, or for want of descriptors or memory.
 *
 * What is not accepted waits in the kernel. A lack is told once, and looked at again whenever a
 * connection has gone and twice a second; nothing spins and nothing ends for it.
 */
#include "connection.h"
#include "log.h"
#include "record.h"

#include "os/socket.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    QUEUE_MOST = 65536,
    ACCEPTS = 32,    /* at a turn of the loop, so that open connections have theirs */
    RETRY_MS = 500,  /* after a lack */
    TELL_MS = 60000, /* a lack that comes and goes is told so often */
    RESERVED = 32,   /* descriptors for all that is no connection */
    SCARCE = 64,     /* a limit of which these would be too large a part */
    MOST = 1 << 20
};

unsigned
accept_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024 - RESERVED;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > MOST)
        return MOST;
    return limit.rlim_cur > SCARCE ? (unsigned)limit.rlim_cur - RESERVED
                                   : (unsigned)limit.rlim_cur / 2;
}

void
accept_watch(struct tunnel *tunnel)
{
    struct port *port;

    LIST_FOREACH (port, &tunnel->ports, entry) {
        if (tunnel->paused)
            uv_poll_stop(&port->poll);
        else
            uv_poll_start(&port->poll, UV_READABLE, accept_ready);
    }
}

static int
at_limit(const struct tunnel *tunnel)
{
    return tunnel->open_count >= tunnel->settings->most_connections;
}

static int
lacks_descriptors(const struct service *service)
{
    return service->descriptors + CONNECTION_DESCRIPTORS > service->descriptors_most;
}

static void
retry(uv_timer_t *timer)
{
    accept_resume(timer->data);
}

static void
pause_tunnel(struct tunnel *tunnel)
{
    tunnel->paused = 1;
    accept_watch(tunnel);
}

/** Stop accepting everywhere, and say why, once. */
static void
pause_all(struct service *service, const char *why)
{
    uint64_t now = uv_now(&service->loop);
    struct tunnel *tunnel;

    TAILQ_FOREACH (tunnel, &service->tunnels, entry)
        pause_tunnel(tunnel);
    service_own(service)->out_of_descriptors++;
    service_own(service)->paused = 1;
    uv_timer_start(&service->retry, retry, RETRY_MS, RETRY_MS);
    if (service->told_pause_ms != 0 && now < service->told_pause_ms + TELL_MS)
        return;
    service->told_pause_ms = now;
    record_note(RECORD_WARNING, "%s: nothing more is accepted until some are free", why);
}

void
accept_resume(struct service *service)
{
    struct tunnel *tunnel;

    if (service_own(service)->paused && lacks_descriptors(service))
        return;
    uv_timer_stop(&service->retry);
    service_own(service)->paused = 0;
    TAILQ_FOREACH (tunnel, &service->tunnels, entry) {
        if (!tunnel->paused || at_limit(tunnel))
            continue;
        tunnel->paused = 0;
        accept_watch(tunnel);
    }
}

/** Strangers give way to those who come, once they have had time to prove themselves. Returns 1
 * when there is room. */
static int
make_room(struct tunnel *tunnel)
{
    struct service *service = tunnel->service;

    if (at_limit(tunnel)) {
        pause_tunnel(tunnel);
        return 0;
    }
    if (tunnel->half_open_count >= tunnel->settings->most_half_open &&
        stranger_evict(tunnel) != 0) {
        pause_tunnel(tunnel);
        uv_timer_start(&service->retry, retry, RETRY_MS, RETRY_MS);
        return 0;
    }
    while (lacks_descriptors(service))
        if (stranger_evict(tunnel) != 0) {
            pause_all(service, "out of descriptors");
            return 0;
        }
    return 1;
}

/** What accept() failed with. Returns 1 when it may be tried again at once. */
static int
try_again(struct tunnel *tunnel)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return 0;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        if (stranger_evict(tunnel) == 0)
            return 1;
        pause_all(tunnel->service, errno_text());
        return 0;
    }
    return 1; /* a connection that was gone before it was taken */
}

static void
refuse(struct tunnel *tunnel, int fd, const struct sockaddr_storage *from, const char *why)
{
    const struct record record = {
        .tunnel = tunnel->settings->name, .from = from, .outcome = RECORD_REFUSED, .reason = why};

    tunnel->counters->refused++;
    close(fd);
    record_write(&record);
}

static void
take(struct tunnel *tunnel, int fd, const struct sockaddr_storage *from)
{
    const struct tunnel_settings *settings = tunnel->settings;
    int proxied = settings->proxy & PROXY_IN; /* a proxy is not limited, but whom it tells of */

    tunnel->counters->accepted++;
    if (proxied && !proxy_trusted(&settings->trusted, from)) {
        refuse(tunnel, fd, from, "it is no proxy whose headers are believed; see proxy-from");
        return;
    }
    if (sources_take(tunnel->sources, from, proxied ? 0 : settings->most_from_source) != 0) {
        refuse(tunnel, fd, from, "its source has as many connections as one may have");
        return;
    }
    if (connection_accept(tunnel, fd, from) == 0)
        return;
    sources_give(tunnel->sources, from);
    pause_all(tunnel->service, "out of memory");
}

/** Take one connection. Returns 0 when there is none, or no room. */
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
        return try_again(tunnel);
    take(tunnel, fd, &from);
    return 1;
}

void
accept_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS && accept_one(poll->data); i++)
        continue;
}

void
accept_last(struct tunnel *tunnel)
{
    struct port *port;

    LIST_FOREACH (port, &tunnel->ports, entry)
        for (int i = 0; i < QUEUE_MOST && accept_one(port); i++)
            continue;
}
