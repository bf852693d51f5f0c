/*
 * Listening (see listen.h).
 */
#include "listen.h"

#include "address.h"
#include "dial.h"
#include "log.h"
#include "values.h"

#include "os/os.h"
#include "os/socket.h"
#include "stream_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 4096, SYSTEMD_FIRST = 3 }; /* the system cuts the first to its own limit */

enum { RELOAD_NAME_MS = 1000 }; /* open connections wait while a name is resolved */

static int start_is_over; /* listener_end_start() was called */

/** How long a name to listen on may take. */
static int
name_timeout(void)
{
    return start_is_over ? RELOAD_NAME_MS : -1;
}

uint64_t
listener_names_end(void)
{
    return start_is_over ? duet__os_now_ms() + RELOAD_NAME_MS : 0;
}

int
listener_lookup(struct addrinfo **list, const struct address *where, uint64_t end_ms)
{
    uint64_t now = duet__os_now_ms();
    int left = end_ms > now ? (int)(end_ms - now) : 0;

    return address_lookup(list, where, 1, end_ms != 0 ? left : -1);
}

/** A socket's file that nobody listens on is a dead listener's: remove it. */
static void
remove_stale(const struct sockaddr_un *un)
{
    struct stat status;

    if (lstat(un->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    int fd = dial_once((const struct sockaddr *)un, sizeof *un, 0);
    if (fd < 0 && errno == ECONNREFUSED)
        unlink(un->sun_path);
    if (fd >= 0)
        close(fd);
}

/** What helps where a Unix socket could not be made. */
static const char *
unix_advice(int error, int is_abstract)
{
    switch (error) {
    case EADDRINUSE:
        return is_abstract ? "another program has this name, choose another"
                           : "a file or another program has it, choose another path";
    case ENOENT:
        return "make its folder first";
    case EACCES:
    case EPERM:
    case EROFS:
        return "this user may not make files in its folder";
    default:
        return "choose another path";
    }
}

static int
listen_unix(struct listener *listener, const struct address *where, const char *address)
{
    const struct sockaddr_un *un = &where->un;
    int is_abstract = un->sun_path[0] == 0;

    if (!is_abstract)
        remove_stale(un);
    int fd = duet__os_socket(AF_UNIX, SOCK_STREAM, DUET__OS_NO_WAITS);
    if (fd < 0 || bind(fd, (const struct sockaddr *)un, where->un_size) != 0 ||
        listen(fd, BACKLOG) != 0) {
        int code = log_error(EXIT_CONNECT, "cannot listen on %s: %s; %s", printable(address),
                             errno_text(), unix_advice(errno, is_abstract));
        if (fd >= 0)
            close(fd);
        return code;
    }
    listener->fds[listener->count++] = fd;
    snprintf(listener->path, sizeof listener->path, "%s", un->sun_path);
    return EXIT_DONE;
}

/** The address of a socket, or of what is resolved, in a struct that fits both kinds. */
union any_address {
    struct sockaddr_storage any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/** The port of an address, in network order; it is at the same place in both kinds. */
static in_port_t
port_of(const union any_address *address)
{
    return address->any.ss_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port;
}

/** SOCK_STREAM, or SOCK_DGRAM: a socket of UDP. */
static int
type_of(int fd)
{
    int type = SOCK_STREAM;
    socklen_t size = sizeof type;

    (void)getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
    return type;
}

/** A place to listen on: an address, and SOCK_STREAM or SOCK_DGRAM. */
struct place {
    const struct sockaddr *at;
    socklen_t size;
    int type;
};

/** 1 when the socket listens on this port; with_host: and on this address of it. */
static int
is_bound_to(int fd, const struct place *place, int with_host)
{
    const struct sockaddr *at = place->at;
    union any_address bound, wanted;
    socklen_t size = sizeof bound;
    int v4 = at->sa_family == AF_INET;

    memset(&bound, 0, sizeof bound);
    memset(&wanted, 0, sizeof wanted);
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0)
        return 0;
    memcpy(&wanted, at, v4 ? sizeof wanted.v4 : sizeof wanted.v6);
    if (bound.any.ss_family != at->sa_family || port_of(&bound) != port_of(&wanted) ||
        type_of(fd) != place->type)
        return 0;
    if (!with_host)
        return 1;
    if (v4)
        return bound.v4.sin_addr.s_addr == wanted.v4.sin_addr.s_addr;
    /* public: addresses */
    return memcmp(&bound.v6.sin6_addr, &wanted.v6.sin6_addr, sizeof wanted.v6.sin6_addr) == 0 &&
           bound.v6.sin6_scope_id == wanted.v6.sin6_scope_id;
}

/** The first of the sockets that is_bound_to() finds; -1: none. */
static int
find_bound(const int *fds, size_t count, const struct place *place, int with_host)
{
    for (size_t i = 0; i < count; i++)
        if (is_bound_to(fds[i], place, with_host))
            return fds[i];
    return -1;
}

static void
share_port(int fd, int shared)
{
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &shared, sizeof shared);
}

/** A socket that listens; -1 with errno. LISTEN_JOIN: where others that allow it listen too. */
static int
listen_on(const struct place *place, struct listen_how how)
{
    int one = 1, is_stream = place->type == SOCK_STREAM;
    int fd = is_stream ? stream_socket(place->at->sa_family, how.mptcp)
                       : duet__os_socket(place->at->sa_family, SOCK_DGRAM, DUET__OS_NO_WAITS);

    if (fd < 0)
        return -1;
    if (is_stream) /* with UDP another program could take the port */
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (how.mode == LISTEN_JOIN)
        share_port(fd, 1);
    if (place->at->sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, place->at, place->size) == 0 && (!is_stream || listen(fd, BACKLOG) == 0))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/** Listen beside held sockets of the same port whose addresses overlap, as 0.0.0.0 and 127.0.0.1
 * do. */
static int
listen_beside(const struct place *place, int mptcp, const struct listen_held *held)
{
    for (size_t i = 0; i < held->count; i++)
        if (is_bound_to(held->fds[i], place, 0))
            share_port(held->fds[i], 1);
    return listen_on(place, (struct listen_how){LISTEN_JOIN, mptcp});
}

/** Listen on one address as the mode says; -1 with errno.
 *
 * The first of several processes binds a port alone and lets the others join afterwards, so that a
 * second service, which would do the same, is refused. */
static int
listen_as(const struct place *place, struct listen_how how, const struct listen_held *held)
{
    int same = find_bound(held->fds, held->count, place, 1);

    if (same >= 0)
        return fcntl(same, F_DUPFD_CLOEXEC, 0);
    int fd = listen_on(place, how);
    int overlaps = fd < 0 && errno == EADDRINUSE && how.mode != LISTEN_JOIN &&
                   find_bound(held->fds, held->count, place, 0) >= 0;
    if (overlaps)
        fd = listen_beside(place, how.mptcp, held);
    int error = errno;
    if (fd >= 0)
        share_port(fd, how.mode != LISTEN_ALONE);
    for (size_t i = 0; i < held->count && overlaps; i++)
        if (is_bound_to(held->fds[i], place, 0))
            share_port(held->fds[i], how.mode != LISTEN_ALONE);
    errno = error;
    return fd;
}

/** Port 0 is the system's choice: the other addresses of a name have the port of the first. */
static void
choose_port(struct sockaddr *at, const struct listener *listener)
{
    union any_address first;
    socklen_t size = sizeof first;
    struct sockaddr_in *in = (struct sockaddr_in *)at; /* the port is at the same place in both */

    memset(&first, 0, sizeof first);
    if (in->sin_port == 0 && listener->count > 0 &&
        getsockname(listener->fds[0], (struct sockaddr *)&first, &size) == 0)
        in->sin_port = port_of(&first);
}

/** What helps where a port could not be bound. */
static const char *
port_advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "another program has the port, choose another";
    case EACCES:
    case EPERM:
        return "ports below 1024 are root's: choose another, start as root with --user, or let "
               "systemd pass the socket";
    case EADDRNOTAVAIL:
        return "this machine does not have the address, or not yet; ip address shows those it has";
    case EAFNOSUPPORT:
        return "this machine has no such kind of address";
    default:
        return "choose an address of this machine and a port it may have";
    }
}

static int
cannot_listen(struct listener *listener, const char *address, int error)
{
    errno = error;
    int code = log_error(EXIT_CONNECT, "cannot listen on %s: %s; %s", printable(address),
                         errno_text(), port_advice(error));
    listener_close(listener);
    return code;
}

static int
listen_port(struct listener *listener, const struct address *where, const char *address,
            struct listen_how how, const struct listen_held *held)
{
    struct addrinfo *list = NULL;
    int error = 0;

    int code = address_resolve(&list, where, 1, name_timeout());
    if (code != EXIT_DONE)
        return code;
    for (struct addrinfo *a = list; a != NULL && listener->count < LISTENERS_MOST; a = a->ai_next) {
        const struct place place = {a->ai_addr, a->ai_addrlen,
                                    where->is_udp ? SOCK_DGRAM : SOCK_STREAM};
        choose_port(a->ai_addr, listener);
        if (find_bound(listener->fds, listener->count, &place, 1) >= 0)
            continue; /* the resolver named it twice */
        int fd = listen_as(&place, how, held);
        if (fd >= 0)
            listener->fds[listener->count++] = fd;
        else if (error == 0 || errno == EADDRINUSE)
            error = errno;
    }
    freeaddrinfo(list);
    /* A machine without IPv6 listens on the rest; a port that is taken is taken. */
    if (listener->count > 0 && error != EADDRINUSE)
        return EXIT_DONE;
    return cannot_listen(listener, address, error);
}

int
listener_join(struct listener *listener, const struct listener *other, const char *address)
{
    memset(listener, 0, sizeof *listener);
    for (unsigned i = 0; i < other->count; i++) {
        struct sockaddr_storage at = {0};
        struct place place = {(const struct sockaddr *)&at, sizeof at, type_of(other->fds[i])};
        int fd = -1;
        const struct listen_how how = {LISTEN_JOIN, duet__os_is_mptcp(other->fds[i])};
        if (getsockname(other->fds[i], (struct sockaddr *)&at, &place.size) == 0)
            fd = listen_on(&place, how);
        if (fd < 0)
            return cannot_listen(listener, address, errno);
        listener->fds[listener->count++] = fd;
    }
    return EXIT_DONE;
}

/** sd_listen_fds(3) in a few lines: LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. */
static int
listen_systemd(struct listener *listener, const char *name, const char *address)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t number;

    if (pid == NULL || count == NULL || parse_number(&number, pid, 0, UINT32_MAX) != 0 ||
        number != (uint64_t)getpid() || parse_number(&number, count, 0, 1024) != 0)
        return log_error(EXIT_CONNECT,
                         "%s: this process was not started by a systemd socket; "
                         "give an address to run it by hand",
                         printable(address));
    for (uint64_t i = 0; i < number && listener->count < LISTENERS_MOST; i++) {
        size_t size = names != NULL ? strcspn(names, ":") : 0;
        if (size == strlen(name) && strncmp(names != NULL ? names : "", name, size) == 0)
            listener->fds[listener->count++] = SYSTEMD_FIRST + (int)i;
        if (names != NULL)
            names += size + (names[size] != 0);
    }
    if (listener->count > 0)
        return EXIT_DONE;
    return log_error(EXIT_CONNECT,
                     "%s: systemd passed no socket of this name; see FileDescriptorName= in "
                     "systemd.socket(5)",
                     printable(address));
}

/** 1 when a socket is one of UDP with a port. */
static int
is_bound_udp(int fd)
{
    union any_address at;
    socklen_t size = sizeof at;

    memset(&at, 0, sizeof at);
    return type_of(fd) == SOCK_DGRAM && getsockname(fd, (struct sockaddr *)&at, &size) == 0 &&
           (at.any.ss_family == AF_INET || at.any.ss_family == AF_INET6) && port_of(&at) != 0;
}

/** Make sure that what was passed is a socket that listens, or one of UDP where that is asked for:
 * accept() and receiving would fail each time. */
static int
check_passed_socket(int fd, const char *address, int is_udp)
{
    int listens = 0, is_datagram = type_of(fd) == SOCK_DGRAM;
    socklen_t size = sizeof listens;

    if (is_udp && !is_bound_udp(fd))
        return log_error(EXIT_CONNECT,
                         "%s: is not a bound socket of UDP; see ListenDatagram= in "
                         "systemd.socket(5)",
                         printable(address));
    if (is_datagram && !is_udp)
        return log_error(EXIT_CONNECT,
                         "%s: is a socket of datagrams; a tunnel takes one of UDP as "
                         "udp:%s",
                         printable(address), printable(address));
    if (!is_udp && (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens))
        return log_error(EXIT_CONNECT,
                         "%s: is not a listening socket; without -l it is the connection",
                         printable(address));
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return EXIT_DONE;
}

void
listener_end_start(void)
{
    start_is_over = 1;
}

/** Take over the sockets that were passed to this process. */
static int
take_passed(struct listener *listener, const struct address *where, const char *address,
            const struct listen_held *held)
{
    int code = EXIT_DONE;

    if (start_is_over)
        return log_error(EXIT_USAGE,
                         "%s: a socket that is passed is taken over at the start only, and kept "
                         "while an address names it; restart the service to use it",
                         printable(address));
    if (where->kind == ADDRESS_SYSTEMD)
        code = listen_systemd(listener, where->name, address);
    else
        listener->fds[listener->count++] = where->fd;
    for (unsigned i = 0; i < listener->count && code == EXIT_DONE; i++) {
        for (size_t j = 0; j < held->count && code == EXIT_DONE; j++)
            if (held->fds[j] == listener->fds[i])
                code = log_error(EXIT_USAGE, "%s: another address has this socket already",
                                 printable(address));
        if (code == EXIT_DONE)
            code = check_passed_socket(listener->fds[i], address, where->is_udp);
    }
    if (code != EXIT_DONE)
        listener->count = 0; /* they are not this listener's, so it must not close them */
    return code;
}

int
listener_open(struct listener *listener, const char *address, struct listen_how how,
              const struct listen_held *held)
{
    struct address where;

    memset(listener, 0, sizeof *listener);
    int code = address_parse(&where, address, 1);
    return code == EXIT_DONE ? listener_open_any(listener, address, how, held) : code;
}

int
listener_open_any(struct listener *listener, const char *address, struct listen_how how,
                  const struct listen_held *held)
{
    static const struct listen_held nothing;
    struct address where;

    if (held == NULL)
        held = &nothing;
    memset(listener, 0, sizeof *listener);
    int code = address_parse_any(&where, address, 1);
    if (code != EXIT_DONE)
        return code;
    if (where.kind == ADDRESS_TCP)
        return listen_port(listener, &where, address, how, held);
    if (where.kind == ADDRESS_UNIX)
        return listen_unix(listener, &where, address);
    return take_passed(listener, &where, address, held);
}

void
listener_close(struct listener *listener)
{
    for (unsigned i = 0; i < listener->count; i++)
        close(listener->fds[i]);
    listener->count = 0;
    if (listener->path[0] != 0)
        unlink(listener->path);
    listener->path[0] = 0;
}
