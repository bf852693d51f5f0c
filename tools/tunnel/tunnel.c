/*
 * Tunnels as they are configured now (see tunnel.h): made, renewed by a reload, retired. What a
 * reload does to connections is reload.c's matter.
 */
#include "connection.h"

#include "address.h"
#include "log.h"
#include "os/datagram.h"

#include <stdlib.h>
#include <string.h>

/** Let a tunnel go on under another generation. */
static void
set_generation(struct tunnel *tunnel, struct generation *generation,
               const struct tunnel_settings *settings)
{
    generation->holders++;
    generation_release(tunnel->generation);
    tunnel->generation = generation;
    tunnel->settings = settings;
    tunnel->is_shared = settings_is_shared(generation->settings, settings);
    tunnel->retired = 0;
}

/* ---- Ports ---- */

static void
free_port(uv_handle_t *handle)
{
    free(handle->data);
}

static void
close_port(struct port *port)
{
    LIST_REMOVE(port, entry);
    port->tunnel = NULL;
    uv_close((uv_handle_t *)&port->poll, free_port);
}

static void
close_ports(struct tunnel *tunnel)
{
    if (!LIST_EMPTY(&tunnel->ports)) /* else the row may be another's of the same name */
        tunnel->counters->listening = 0;
    while (!LIST_EMPTY(&tunnel->ports))
        close_port(LIST_FIRST(&tunnel->ports));
}

/** Close the ports at which plain connections come in. */
static void
close_plain_ports(struct tunnel *tunnel)
{
    struct port *next;

    for (struct port *port = LIST_FIRST(&tunnel->ports); port != NULL; port = next) {
        next = LIST_NEXT(port, entry);
        if (port->is_plain)
            close_port(port);
    }
}

static int
add_port(struct tunnel *tunnel, int fd, int is_plain)
{
    struct port *port = calloc(1, sizeof *port);

    if (port == NULL || uv_poll_init(&tunnel->service->loop, &port->poll, fd) != 0) {
        free(port);
        return log_error(EXIT_LIMIT, "%s: no memory to listen", tunnel->settings->name);
    }
    port->poll.data = port;
    port->tunnel = tunnel;
    port->fd = fd;
    port->is_plain = is_plain;
    port->is_udp = is_plain && settings_is_udp(tunnel->settings);
    if (port->is_udp)
        duet__os_datagram_prepare(fd);
    LIST_INSERT_HEAD(&tunnel->ports, port, entry);
    return EXIT_DONE;
}

/** Log where a tunnel listens: with the port that the system chose, where it was asked to. */
static void
log_listening(const struct tunnel *tunnel, const char *address, const struct listener *listener)
{
    char room[RECORD_ADDRESS];

    if (tunnel->service->view.worker != 0)
        return;
    if (!address_has_port_0(address)) {
        record_note(RECORD_INFO, "%s: listening on %s", tunnel->settings->name, printable(address));
        return;
    }
    for (unsigned i = 0; i < listener->count; i++) {
        struct sockaddr_storage at = {0};
        socklen_t size = sizeof at;
        if (getsockname(listener->fds[i], (struct sockaddr *)&at, &size) == 0)
            record_note(RECORD_INFO, "%s: listening on %s%s", tunnel->settings->name,
                        address_is_udp(address) ? "udp:" : "",
                        record_address(room, (const struct sockaddr *)&at));
    }
}

/** The tunnel that accepts a tunnel's peers: itself, or the first that shares their addresses. */
static const struct tunnel_settings *
find_acceptor(const struct tunnel *tunnel)
{
    const struct settings *settings = tunnel->generation->settings;

    return &settings->tunnels[settings_first_sharing(settings, tunnel->settings)];
}

/** Log where another tunnel takes its peers. */
static void
log_shared(const struct tunnel *tunnel, const char *address, const struct tunnel_settings *acceptor)
{
    if (tunnel->service->view.worker == 0)
        record_note(RECORD_INFO, "%s: listening on %s, with %s", tunnel->settings->name,
                    printable(address), acceptor->name);
}

/** Accept on the sockets of all of a tunnel's addresses. */
static int
add_ports(struct tunnel *tunnel)
{
    const struct tunnel_settings *settings = tunnel->settings;
    const struct tunnel_settings *acceptor = find_acceptor(tunnel);

    tunnel->counters->listening = 0;
    if (health_renew(tunnel) != 0)
        return log_error(EXIT_LIMIT, "%s: no memory", settings->name);
    if (settings->dial.count > 0)
        return pools_renew(tunnel) == 0 ? EXIT_DONE
                                        : log_error(EXIT_LIMIT, "%s: no memory", settings->name);
    for (size_t i = 0; i < settings_address_count(settings); i++) {
        const char *address = settings_address(settings, i);
        int is_plain = i < settings_first_for_peers(settings);
        if (!is_plain && acceptor != settings) {
            log_shared(tunnel, address, acceptor);
            tunnel->counters->listening++;
            continue;
        }
        const struct listener *listener = sockets_for(&tunnel->service->sockets, settings, address);
        if (listener == NULL)
            continue; /* why was logged */
        for (unsigned j = 0; j < listener->count; j++)
            if (add_port(tunnel, listener->fds[j], is_plain) != EXIT_DONE)
                return EXIT_LIMIT;
        tunnel->counters->listening++;
        log_listening(tunnel, address, listener);
    }
    accept_watch(tunnel);
    return EXIT_DONE;
}

/* ---- Making and releasing ---- */

/** A row to count in: the one of this name from before, or a free one. */
static struct counters *
find_counters(struct service *service, const char *name)
{
    struct counters *rows = service->counted[service->view.worker].tunnels;
    struct counters *spare = NULL;

    for (size_t i = 0; i < TUNNEL_ROWS; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
        if (spare == NULL && rows[i].name[0] == 0)
            spare = &rows[i];
    }
    if (spare == NULL)
        return NULL;
    memset(spare, 0, sizeof *spare);
    strncpy(spare->name, name, TUNNEL_NAME_MOST);
    return spare;
}

/** A new tunnel, retired until it is renewed. */
static struct tunnel *
new_tunnel(struct service *service, struct generation *generation,
           const struct tunnel_settings *settings)
{
    struct tunnel *tunnel = calloc(1, sizeof *tunnel);

    if (tunnel == NULL)
        return NULL;
    tunnel->service = service;
    tunnel->counters = find_counters(service, settings->name);
    LIST_INIT(&tunnel->ports);
    TAILQ_INIT(&tunnel->half_open);
    TAILQ_INIT(&tunnel->waiting);
    TAILQ_INIT(&tunnel->queued);
    LIST_INIT(&tunnel->pools);
    LIST_INIT(&tunnel->checks);
    if (tunnel->counters == NULL || gate_draw(&tunnel->drain_ms, settings->drain_least_ms,
                                              settings->drain_most_ms) != EXIT_DONE) {
        free(tunnel);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&service->tunnels, tunnel, entry);
    set_generation(tunnel, generation, settings);
    tunnel->retired = 1;
    return tunnel;
}

static struct tunnel *
find_tunnel(struct service *service, const struct tunnel_settings *settings)
{
    struct tunnel *tunnel;

    TAILQ_FOREACH (tunnel, &service->tunnels, entry)
        if (strcmp(tunnel->settings->name, settings->name) == 0 &&
            tunnel->settings->side == settings->side)
            return tunnel;
    return NULL;
}

/** Free a row, unless a tunnel of the same name and the other side counts in it too. */
static void
free_counters(const struct service *service, struct counters *row)
{
    const struct tunnel *tunnel;

    TAILQ_FOREACH (tunnel, &service->tunnels, entry)
        if (tunnel->counters == row)
            return;
    memset(row->name, 0, sizeof row->name);
}

static void
release_tunnel(struct tunnel *tunnel)
{
    TAILQ_REMOVE(&tunnel->service->tunnels, tunnel, entry);
    close_ports(tunnel);
    pools_stop(tunnel);
    health_stop(tunnel);
    free_counters(tunnel->service, tunnel->counters);
    generation_release(tunnel->generation);
    source_limit_free(&tunnel->sources);
    tally_free(&tunnel->secrets);
    source_limit_free(&tunnel->undecided);
    free(tunnel);
}

void
tunnel_release_unused(struct tunnel *tunnel)
{
    if (tunnel->retired && tunnel->open_count == 0 && tunnel->half_open_count == 0 &&
        tunnel->pooled_count == 0)
        release_tunnel(tunnel);
}

static void
release_all_unused(struct service *service)
{
    struct tunnel *tunnel, *next;

    for (tunnel = TAILQ_FIRST(&service->tunnels); tunnel != NULL; tunnel = next) {
        next = TAILQ_NEXT(tunnel, entry);
        tunnel_release_unused(tunnel);
    }
}

/* ---- All of a generation ---- */

int
tunnels_make(struct service *service, struct generation *generation)
{
    const struct settings *settings = generation->settings;

    for (size_t i = 0; i < settings->tunnel_count; i++) {
        const struct tunnel_settings *t = &settings->tunnels[i];
        if (find_tunnel(service, t) != NULL || new_tunnel(service, generation, t) != NULL)
            continue;
        release_all_unused(service);
        return log_error(EXIT_LIMIT,
                         "%s: this tunnel could not be made: no memory, or too many tunnels that "
                         "are no longer configured have connections left",
                         t->name);
    }
    return EXIT_DONE;
}

int
tunnels_renew(struct service *service)
{
    const struct settings *settings = service->generation->settings;
    struct tunnel *tunnel;
    int code = EXIT_DONE;

    TAILQ_FOREACH (tunnel, &service->tunnels, entry) {
        tunnel->retired = 1;
        close_ports(tunnel);
        pools_stop(tunnel);
        health_stop(tunnel);
    }
    for (size_t i = 0; i < settings->tunnel_count; i++) {
        tunnel = find_tunnel(service, &settings->tunnels[i]);
        set_generation(tunnel, service->generation, &settings->tunnels[i]);
        if (add_ports(tunnel) != EXIT_DONE)
            code = EXIT_LIMIT;
    }
    release_all_unused(service);
    return code;
}

void
tunnels_close_ports(struct service *service)
{
    struct tunnel *tunnel;

    TAILQ_FOREACH (tunnel, &service->tunnels, entry) {
        close_ports(tunnel);
        pools_stop(tunnel);
        health_stop(tunnel);
    }
}

int
tunnels_leave_ports(struct service *service)
{
    struct tunnel *tunnel;
    int is_waited = 0;

    TAILQ_FOREACH (tunnel, &service->tunnels, entry)
        is_waited |= !TAILQ_EMPTY(&tunnel->queued);
    TAILQ_FOREACH (tunnel, &service->tunnels, entry) {
        if (is_waited && tunnel->settings->side == TUNNEL_CLIENT)
            close_plain_ports(tunnel); /* its port for peers may be another's too */
        else
            close_ports(tunnel);
        pools_stop(tunnel);
        health_stop(tunnel);
    }
    return is_waited;
}

void
tunnels_free(struct service *service)
{
    struct tunnel *next;

    for (struct tunnel *tunnel = TAILQ_FIRST(&service->tunnels); tunnel != NULL; tunnel = next) {
        next = TAILQ_NEXT(tunnel, entry);
        release_tunnel(tunnel);
    }
}
