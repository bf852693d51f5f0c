/*
 * The listening sockets of a configuration (see sockets.h). Accepting from them is in accept.c.
 */
#include "sockets.h"

#include "address.h"
#include "endpoint.h"
#include "log.h"
#include "network.h"
#include "socket_clash.h"
#include "socket_rights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/** The sockets of an address; NULL: none. */
static const struct listener *
find_listener(const struct sockets *sockets, const char *address)
{
    for (size_t i = 0; sockets != NULL && i < sockets->count; i++)
        if (strcmp(sockets->entries[i].address, address) == 0)
            return &sockets->entries[i].listener;
    return NULL;
}

static int
check_exposure(const struct listener *listener, const struct tunnel_settings *tunnel,
               const char *address)
{
    const char *dashes = settings_dashes(tunnel);

    for (unsigned i = 0; i < listener->count; i++) {
        struct sockaddr_storage at = {0};
        socklen_t size = sizeof at;
        if (settings_may_be_exposed(tunnel, address) ||
            getsockname(listener->fds[i], (struct sockaddr *)&at, &size) != 0 ||
            network_is_loopback(&at))
            continue;
        if (tunnel->is_http)
            return log_error(EXIT_USAGE,
                             "http: %s can be reached from other machines, which can read the "
                             "metrics; listen on 127.0.0.1, or use %sunsafe-http if you mean that",
                             printable(address), dashes);
        return log_error(
            EXIT_USAGE,
            "%s: %s can be reached from other machines, and anyone who reaches it can use the "
            "tunnel; listen on 127.0.0.1, or use %sunsafe-listen if you mean that",
            tunnel->name, printable(address), dashes);
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
    if (address_is_udp(address))
        return is_shareable(strchr(address, ':') + 1);
    return strncmp(address, "unix:", 5) != 0 && strncmp(address, "fd:", 3) != 0 &&
           strncmp(address, "systemd:", 8) != 0;
}

/** All descriptors of a set; *fds is the caller's to free. Returns 0, or -1: no memory. */
static int
list_held(int **fds, struct listen_held *held, const struct sockets *sockets)
{
    *fds = malloc((sockets->count * LISTENERS_MOST + 1) * sizeof **fds);
    if (*fds == NULL)
        return -1;
    *held = (struct listen_held){*fds, 0};
    for (size_t i = 0; i < sockets->count; i++)
        for (unsigned j = 0; j < sockets->entries[i].listener.count; j++)
            (*fds)[held->count++] = sockets->entries[i].listener.fds[j];
    return 0;
}

/** Give a Unix socket's file its owner and mode. */
static int
set_rights(const struct socket_rights *rights, const struct listener *listener, const char *address)
{
    if (listener->path[0] == 0 || socket_rights_set(rights, listener->path) == 0)
        return EXIT_DONE;
    if (errno == ENOENT)
        return log_error(EXIT_CONNECT, "%s: its file was removed; restart the service to make it",
                         printable(address));
    return log_error(EXIT_CONNECT,
                     "%s: its owner or mode could not be set: %s; only root may give a socket to "
                     "others, and groups are those of this user",
                     printable(address), errno_text());
}

/** What a tunnel's settings ask for; these were checked when they were read. */
static struct socket_rights
rights_of(const struct tunnel_settings *tunnel)
{
    struct socket_rights rights;
    char room[256];

    (void)socket_rights_find(&rights, tunnel, room);
    return rights;
}

static int
open_new_listener(struct listener *listener, const struct tunnel_settings *tunnel,
                  const char *address, enum listen_mode mode, const struct sockets *held_by)
{
    const struct socket_rights rights = rights_of(tunnel);
    struct listen_held held;
    int *fds;

    if (list_held(&fds, &held, held_by) != 0)
        return log_error(EXIT_LIMIT, "no memory");
    mode_t before = socket_rights_mask(&rights);
    int code = listener_open_any(
        listener, address, (struct listen_how){mode, settings_is_mptcp(tunnel, address)}, &held);
    (void)umask(before);
    free(fds);
    if (code == EXIT_DONE)
        code = set_rights(&rights, listener, address);
    return code;
}

/** Fill an entry: a socket of its own, beside those that this process holds, or the one that the
 * first set has. */
static int
open_entry(struct socket_entry *entry, const struct tunnel_settings *tunnel, const char *address,
           enum listen_mode mode, const struct sockets *held_by, const struct sockets *first)
{
    const struct listener *other = find_listener(first, address);
    int code = EXIT_DONE;

    memset(entry, 0, sizeof *entry);
    if (other == NULL) {
        code = open_new_listener(&entry->listener, tunnel, address, mode, held_by);
    } else if (is_shareable(address)) {
        code = listener_join(&entry->listener, other, address);
    } else {
        entry->listener = *other;
        entry->lent = 1;
    }
    if (code != EXIT_DONE)
        return code;
    for (unsigned i = 0; i < entry->listener.count; i++)
        endpoint_prepare(entry->listener.fds[i], 1);
    code = check_exposure(&entry->listener, tunnel, address);
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

/** A Unix socket's file that was removed, as by what cleans /tmp, takes the socket with it: give up
 * the entry's name, so that another is made. Returns 1 when it is so. */
static int
give_up_removed(struct socket_entry *entry)
{
    struct stat status;

    if (entry->lent || entry->listener.path[0] == 0 || lstat(entry->listener.path, &status) == 0 ||
        errno != ENOENT)
        return 0;
    log_warning("%s: its file was removed, and is made anew", printable(entry->address));
    entry->listener.path[0] = 0;
    entry->address[0] = 0;
    return 1;
}

/** Open one address, unless the set has it. */
static int
add_entry(struct sockets *sockets, const struct tunnel_settings *tunnel, const char *address,
          enum listen_mode mode, const struct sockets *first)
{
    for (size_t i = 0; i < sockets->count; i++)
        if (strcmp(sockets->entries[i].address, address) == 0 &&
            give_up_removed(&sockets->entries[i]))
            break;
    const struct listener *had = find_listener(sockets, address);
    if (had != NULL) {
        const struct socket_rights rights = rights_of(tunnel);
        int code = check_exposure(had, tunnel, address);
        return code == EXIT_DONE ? set_rights(&rights, had, address) : code;
    }
    struct socket_entry *more =
        realloc(sockets->entries, (sockets->count + 1) * sizeof *sockets->entries);
    if (more == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    sockets->entries = more;
    int code = open_entry(&more[sockets->count], tunnel, address, mode, sockets, first);
    if (code == EXIT_DONE)
        sockets->count++;
    else
        close_entry(&more[sockets->count], 1);
    return code;
}

int
sockets_open(struct sockets *sockets, const struct settings *settings, enum listen_mode mode,
             const struct sockets *first)
{
    size_t before = sockets->count;
    int code = mode != LISTEN_JOIN ? socket_clash_find(settings) : EXIT_DONE;

    for (size_t i = 0; i < settings_listener_count(settings) && code == EXIT_DONE; i++) {
        const struct tunnel_settings *tunnel = settings_listener(settings, i);
        for (size_t j = 0; j < settings_address_count(tunnel) && code == EXIT_DONE; j++)
            code = add_entry(sockets, tunnel, settings_address(tunnel, j), mode, first);
    }
    while (code != EXIT_DONE && sockets->count > before)
        close_entry(&sockets->entries[--sockets->count], 1);
    return code;
}

int
sockets_take(struct sockets *sockets, const char *address, const int *fds, unsigned count)
{
    struct socket_entry *more =
        realloc(sockets->entries, (sockets->count + 1) * sizeof *sockets->entries);
    char *copy = strdup(address);

    if (more != NULL)
        sockets->entries = more;
    if (more == NULL || copy == NULL) {
        free(copy);
        return log_error(EXIT_LIMIT, "no memory");
    }
    struct socket_entry *entry = &more[sockets->count++];
    *entry = (struct socket_entry){.address = copy, .listener = {.count = count}};
    memcpy(entry->listener.fds, fds, count * sizeof *fds);
    return EXIT_DONE;
}

/** What listens on an address; NULL: nothing does. */
static const struct tunnel_settings *
find_tunnel_of(const struct settings *settings, const char *address)
{
    for (size_t i = 0; i < settings_listener_count(settings); i++) {
        const struct tunnel_settings *tunnel = settings_listener(settings, i);
        for (size_t j = 0; j < settings_address_count(tunnel); j++)
            if (strcmp(settings_address(tunnel, j), address) == 0)
                return tunnel;
    }
    return NULL;
}

/** 1 when one of the settings' addresses ends with the same port. */
static int
has_port_of(const struct settings *settings, const char *address)
{
    const char *port = strrchr(address, ':');

    for (size_t i = 0; i < settings_listener_count(settings); i++) {
        const struct tunnel_settings *tunnel = settings_listener(settings, i);
        for (size_t j = 0; j < settings_address_count(tunnel); j++) {
            const char *other = settings_address(tunnel, j);
            if (port != NULL && is_shareable(other) && strrchr(other, ':') != NULL &&
                address_is_udp(other) == address_is_udp(address) &&
                strcmp(strrchr(other, ':'), port) == 0)
                return 1;
        }
    }
    return 0;
}

/** Try to listen on an address that is new, or has new rules. Workers share a path, a passed
 * descriptor or the port that the system chose, so that these need a restart. */
static int
check_address(const struct tunnel_settings *tunnel, const char *address, const struct settings *old)
{
    static const struct sockets nothing;
    struct socket_entry entry;

    if (!is_shareable(address) || address_has_port_0(address))
        return log_error(EXIT_USAGE, "%s: with several workers this address needs a restart",
                         printable(address));
    /* The workers have the port already if only the host of an address has changed. */
    enum listen_mode mode = has_port_of(old, address) ? LISTEN_JOIN : LISTEN_FIRST;
    int code = open_entry(&entry, tunnel, address, mode, &nothing, NULL);
    close_entry(&entry, 1);
    return code;
}

/** 1 when a tunnel may keep the address that another had: its rules are no stricter. */
static int
may_keep(const struct tunnel_settings *tunnel, const struct tunnel_settings *last,
         const char *address)
{
    return last != NULL &&
           (settings_may_be_exposed(tunnel, address) || !settings_may_be_exposed(last, address));
}

void
sockets_own(struct sockets *sockets, const struct settings *settings)
{
    for (size_t i = 0; i < sockets->count; i++) {
        struct socket_entry *entry = &sockets->entries[i];
        const struct tunnel_settings *tunnel = find_tunnel_of(settings, entry->address);
        struct address where;
        if (entry->lent || entry->listener.path[0] != 0 || entry->listener.count == 0 ||
            address_is_udp(entry->address) ||
            address_parse(&where, entry->address, 1) != EXIT_DONE || where.kind != ADDRESS_UNIX)
            continue;
        snprintf(entry->listener.path, sizeof entry->listener.path, "%s", where.un.sun_path);
        if (tunnel == NULL)
            continue;
        const struct socket_rights rights = rights_of(tunnel);
        (void)set_rights(&rights, &entry->listener, entry->address); /* what failed is logged */
    }
}

int
sockets_check(const struct settings *settings, const struct settings *old)
{
    int code = socket_clash_find(settings);

    for (size_t i = 0; i < settings_listener_count(settings) && code == EXIT_DONE; i++) {
        const struct tunnel_settings *tunnel = settings_listener(settings, i);
        for (size_t j = 0; j < settings_address_count(tunnel) && code == EXIT_DONE; j++) {
            const char *address = settings_address(tunnel, j);
            if (!may_keep(tunnel, find_tunnel_of(old, address), address))
                code = check_address(tunnel, address, old);
        }
    }
    return code;
}

/** Close those that the settings do not name; keeps_lost 1: but none whose name was given up. */
static void
keep_named(struct sockets *sockets, const struct settings *settings, int keeps_lost)
{
    size_t kept = 0;

    for (size_t i = 0; i < sockets->count; i++) {
        const char *address = sockets->entries[i].address;
        if (find_tunnel_of(settings, address) != NULL || (keeps_lost && *address == 0))
            sockets->entries[kept++] = sockets->entries[i];
        else
            close_entry(&sockets->entries[i], 1);
    }
    sockets->count = kept;
}

void
sockets_keep(struct sockets *sockets, const struct settings *settings)
{
    keep_named(sockets, settings, 0);
}

void
sockets_return(struct sockets *sockets, const struct settings *settings)
{
    keep_named(sockets, settings, 1);
}

void
sockets_keep_udp(struct sockets *sockets)
{
    size_t kept = 0;

    for (size_t i = 0; i < sockets->count; i++)
        if (address_is_udp(sockets->entries[i].address))
            sockets->entries[kept++] = sockets->entries[i];
        else
            close_entry(&sockets->entries[i], 0);
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
