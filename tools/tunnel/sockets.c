/*
 * The listening sockets of a configuration (see sockets.h). Accepting from them is in accept.c.
 */
#include "sockets.h"

#include "endpoint.h"
#include "log.h"
#include "network.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/** The sockets of an address; NULL: none. */
static const struct listener *
find_listener(const struct sockets *sockets, const char *address)
{
    for (size_t i = 0; sockets != NULL && i < sockets->count; i++)
        if (strcmp(sockets->entries[i].address, address) == 0)
            return &sockets->entries[i].listener;
    return NULL;
}

/** May it listen beyond this machine? A client's listening side is plain: anyone who can reach it
 * can use the tunnel (see --unsafe-listen). */
static int
may_be_exposed(const struct tunnel_settings *tunnel)
{
    return tunnel->side != TUNNEL_CLIENT || tunnel->unsafe_listen;
}

static int
check_exposure(const struct listener *listener, const struct tunnel_settings *tunnel,
               const char *address)
{
    for (unsigned i = 0; i < listener->count; i++) {
        struct sockaddr_storage at = {0};
        socklen_t size = sizeof at;
        if (may_be_exposed(tunnel) ||
            getsockname(listener->fds[i], (struct sockaddr *)&at, &size) != 0 ||
            network_is_loopback(&at))
            continue;
        return log_error(
            EXIT_USAGE,
            "%s: %s can be reached from other machines, and anyone who reaches it can use the "
            "tunnel; listen on 127.0.0.1, or use --unsafe-listen if you mean that",
            tunnel->name, printable(address));
    }
    return EXIT_DONE;
}

const struct listener *
sockets_for(const struct sockets *sockets, const struct tunnel_settings *tunnel,
            const char *address)
{
    const struct listener *listener = find_listener(sockets, address);

    return listener != NULL && check_exposure(listener, tunnel, address) == EXIT_DONE ? listener
                                                                                      : NULL;
}

/** 1 when each worker can have a socket of its own for an address: a port. */
static int
is_shareable(const char *address)
{
    return strncmp(address, "unix:", 5) != 0 && strncmp(address, "fd:", 3) != 0 &&
           strncmp(address, "systemd:", 8) != 0;
}

/** Fill an entry: a socket of its own, or the one that the first set has. */
static int
open_entry(struct socket_entry *entry, const struct tunnel_settings *tunnel, const char *address,
           int shared, const struct sockets *first)
{
    const struct listener *other = find_listener(first, address);

    memset(entry, 0, sizeof *entry);
    if (other != NULL && !is_shareable(address)) {
        entry->listener = *other;
        entry->lent = 1;
    } else {
        int code = listener_open(&entry->listener, address, shared);
        if (code != EXIT_DONE)
            return code;
    }
    for (unsigned i = 0; i < entry->listener.count; i++)
        endpoint_prepare(entry->listener.fds[i], 1);
    int code = check_exposure(&entry->listener, tunnel, address);
    entry->address = strdup(address);
    if (code == EXIT_DONE && entry->address == NULL)
        code = log_error(EXIT_LIMIT, "no memory");
    return code;
}

static void
close_entry(struct socket_entry *entry, int owner)
{
    if (!owner)
        entry->listener.path[0] = 0;
    if (!entry->lent)
        listener_close(&entry->listener);
    free(entry->address);
}

/** Open one address, unless the set has it. */
static int
add_entry(struct sockets *sockets, const struct tunnel_settings *tunnel, const char *address,
          int shared, const struct sockets *first)
{
    const struct listener *had = find_listener(sockets, address);
    if (had != NULL)
        return check_exposure(had, tunnel, address);
    struct socket_entry *more =
        realloc(sockets->entries, (sockets->count + 1) * sizeof *sockets->entries);
    if (more == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    sockets->entries = more;
    int code = open_entry(&more[sockets->count], tunnel, address, shared, first);
    if (code == EXIT_DONE)
        sockets->count++;
    else
        close_entry(&more[sockets->count], 1);
    return code;
}

int
sockets_open(struct sockets *sockets, const struct settings *settings, int shared,
             const struct sockets *first)
{
    size_t before = sockets->count;
    int code = EXIT_DONE;

    for (size_t i = 0; i < settings->tunnel_count && code == EXIT_DONE; i++) {
        const struct tunnel_settings *tunnel = &settings->tunnels[i];
        for (size_t j = 0; j < tunnel->listen.count && code == EXIT_DONE; j++)
            code = add_entry(sockets, tunnel, tunnel->listen.at[j], shared, first);
    }
    while (code != EXIT_DONE && sockets->count > before)
        close_entry(&sockets->entries[--sockets->count], 1);
    return code;
}

/** The tunnel that listens on an address; NULL: none does. */
static const struct tunnel_settings *
find_tunnel_of(const struct settings *settings, const char *address)
{
    for (size_t i = 0; i < settings->tunnel_count; i++)
        for (size_t j = 0; j < settings->tunnels[i].listen.count; j++)
            if (strcmp(settings->tunnels[i].listen.at[j], address) == 0)
                return &settings->tunnels[i];
    return NULL;
}

/** Try to listen on an address that is new, or has new rules. Workers share a path or a passed
 * descriptor, so that these need a restart. */
static int
check_address(const struct tunnel_settings *tunnel, const char *address)
{
    struct socket_entry entry;

    if (!is_shareable(address))
        return log_error(EXIT_USAGE, "%s: with several workers this address needs a restart",
                         printable(address));
    int code = open_entry(&entry, tunnel, address, 1, NULL);
    close_entry(&entry, 1);
    return code;
}

/** 1 when a tunnel may keep the address that another had: its rules are no stricter. */
static int
may_keep(const struct tunnel_settings *tunnel, const struct tunnel_settings *last)
{
    return last != NULL && (may_be_exposed(tunnel) || !may_be_exposed(last));
}

int
sockets_check(const struct settings *settings, const struct settings *old)
{
    int code = EXIT_DONE;

    for (size_t i = 0; i < settings->tunnel_count && code == EXIT_DONE; i++) {
        const struct tunnel_settings *tunnel = &settings->tunnels[i];
        for (size_t j = 0; j < tunnel->listen.count && code == EXIT_DONE; j++)
            if (!may_keep(tunnel, find_tunnel_of(old, tunnel->listen.at[j])))
                code = check_address(tunnel, tunnel->listen.at[j]);
    }
    return code;
}

void
sockets_keep(struct sockets *sockets, const struct settings *settings)
{
    size_t kept = 0;

    for (size_t i = 0; i < sockets->count; i++) {
        if (find_tunnel_of(settings, sockets->entries[i].address) != NULL)
            sockets->entries[kept++] = sockets->entries[i];
        else
            close_entry(&sockets->entries[i], 1);
    }
    sockets->count = kept;
}

void
sockets_leave(struct sockets *sockets, const struct sockets *borrower)
{
    for (size_t i = 0; i < sockets->count; i++) {
        const struct listener *other = find_listener(borrower, sockets->entries[i].address);
        if (other != NULL && other->fds[0] == sockets->entries[i].listener.fds[0])
            sockets->entries[i].lent = 1;
    }
    sockets_close(sockets, 0);
}

void
sockets_close(struct sockets *sockets, int owner)
{
    while (sockets->count > 0)
        close_entry(&sockets->entries[--sockets->count], owner);
    free(sockets->entries);
    sockets->entries = NULL;
}
