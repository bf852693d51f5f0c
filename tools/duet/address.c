/*
 * Addresses and sockets (see address.h). All of a name's addresses are tried in turn.
 */
#include "address.h"

#include "interrupt.h"
#include "options.h"
#include "os/os.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, SYSTEMD_FIRST = 3 };

/* ---- Parts of an address ---- */

struct host_port {
    char host[256]; /* "" for any */
    char port[32];
};

/** Cut host:port or [v6]:port. Returns 0, or -1. */
static int
split(struct host_port *out, const char *address)
{
    const char *colon = strrchr(address, ':');
    const char *host = address;
    uint64_t number;

    if (colon == NULL || colon[1] == 0)
        return -1;
    size_t size = (size_t)(colon - address);
    if (size >= 2 && address[0] == '[' && colon[-1] == ']') {
        host++;
        size -= 2;
    } else if (memchr(address, ':', size) != NULL) {
        return -1; /* an IPv6 address without brackets */
    }
    if (size >= sizeof out->host || strlen(colon + 1) >= sizeof out->port)
        return -1;
    memcpy(out->host, host, size);
    out->host[size] = 0;
    memcpy(out->port, colon + 1, strlen(colon + 1) + 1);
    if (out->port[0] >= '0' && out->port[0] <= '9' &&
        parse_number(&number, out->port, 0, 65535) != 0)
        return -1;
    return 0;
}

static int
bad_address(const char *address)
{
    return fail(
        EXIT_USAGE,
        "%s: no address; it is host:port, [v6]:port, :port, unix:/path, fd:N or systemd:NAME",
        shown(address));
}

static int
resolve(struct addrinfo **list, const char *address, int passive)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = passive ? AI_PASSIVE : 0};
    struct host_port parts;

    if (split(&parts, address) != 0 || (!passive && parts.host[0] == 0))
        return bad_address(address);
    int result = getaddrinfo(parts.host[0] != 0 ? parts.host : NULL, parts.port, &hints, list);
    if (result == 0)
        return EXIT_DONE;
    return fail(EXIT_CONNECT, "%s: %s; is the name right, and can this machine resolve it?",
                shown(address), result == EAI_SYSTEM ? reason() : gai_strerror(result));
}

/** A Unix socket's address. Returns 0, or -1: the path is too long or empty. */
static int
unix_address(struct sockaddr_un *out, const char *path)
{
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    if (path[0] == 0 || strlen(path) >= sizeof out->sun_path)
        return -1;
    memcpy(out->sun_path, path, strlen(path));
    return 0;
}

static int
bad_path(const char *address)
{
    return fail(EXIT_USAGE, "%s: the path is empty or too long; it takes 1 to 107 octets",
                shown(address));
}

/** fd:N. Returns an exit code. */
static int
inherited(int *fd, const char *address)
{
    uint64_t number;

    if (parse_number(&number, address + 3, 0, 65535) != 0)
        return bad_address(address);
    if (fcntl((int)number, F_GETFD) < 0)
        return fail(EXIT_CONNECT, "%s: is not open in this process; who starts it must pass it on",
                    shown(address));
    *fd = (int)number;
    return EXIT_DONE;
}

void
address_prepare(int fd)
{
    int one = 1;

    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* fails on a Unix socket */
}

void
address_name(char *out, size_t cap, const struct sockaddr_storage *address)
{
    char host[128], port[16]; /* numbers, with an interface's name */

    snprintf(out, cap, "a local peer");
    if (address->ss_family != AF_INET && address->ss_family != AF_INET6)
        return;
    if (getnameinfo((const struct sockaddr *)address, sizeof *address, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(out, cap, "%s port %s", host, port);
}

/* ---- Connecting ---- */

/** Finish a connect that was begun. Returns 0, or -1 with errno. */
static int
finish(int fd, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLOUT},
                            {.fd = interrupt_fd(), .events = POLLIN}};
    int error = 0;
    socklen_t size = sizeof error;

    int n = poll(fds, 2, timeout_ms);
    if (n == 0)
        errno = ETIMEDOUT;
    if (n > 0 && fds[0].revents == 0)
        errno = EINTR;
    if (n <= 0 || fds[0].revents == 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return -1;
    errno = error;
    return error == 0 ? 0 : -1;
}

static int
try_connect(int family, const struct sockaddr *where, socklen_t size, int timeout_ms)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    address_prepare(fd);
    if (connect(fd, where, size) == 0 || (errno == EINPROGRESS && finish(fd, timeout_ms) == 0))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/** All of a name's addresses in turn, each with its share of the time that is left. */
static int
try_all(const struct addrinfo *list, int timeout_ms)
{
    uint64_t end = duet__os_now_ms() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms);
    uint64_t left = 0;
    int count = 0, fd = -1;

    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next)
        count++;
    for (const struct addrinfo *a = list; a != NULL && fd < 0 && !interrupted(); a = a->ai_next) {
        uint64_t now = duet__os_now_ms();
        left = end > now ? (end - now) / (unsigned)count-- : 0;
        fd = try_connect(a->ai_family, a->ai_addr, a->ai_addrlen, timeout_ms < 0 ? -1 : (int)left);
    }
    return fd;
}

static int
not_connected(const char *address, const char *cure)
{
    if (interrupted())
        return EXIT_INTERRUPTED;
    return fail(EXIT_CONNECT, "%s: %s; %s", shown(address), reason(), cure);
}

static int
connect_unix(struct connection *connection, const char *address, int timeout_ms)
{
    struct sockaddr_un un;

    if (unix_address(&un, address + 5) != 0)
        return bad_path(address);
    connection->fd = try_connect(AF_UNIX, (struct sockaddr *)&un, sizeof un, timeout_ms);
    return connection->fd >= 0 ? EXIT_DONE
                               : not_connected(address, "is the peer listening on this path?");
}

static int
connect_tcp(struct connection *connection, const char *address, int timeout_ms)
{
    struct addrinfo *list = NULL;
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;
    uint64_t begin = duet__os_now_us();

    int code = resolve(&list, address, 0);
    if (code != EXIT_DONE)
        return code;
    uint64_t resolved = duet__os_now_us();
    connection->resolve_us = resolved - begin + 1; /* 0 would say that it was not reached */
    connection->fd = try_all(list, timeout_ms);
    freeaddrinfo(list);
    if (connection->fd < 0)
        return not_connected(address, "is the peer listening there?");
    connection->connect_us = duet__os_now_us() - resolved + 1;
    if (getpeername(connection->fd, (struct sockaddr *)&at, &size) == 0)
        address_name(connection->at, sizeof connection->at, &at);
    return EXIT_DONE;
}

int
address_connect(struct connection *connection, const char *address, int timeout_ms)
{
    memset(connection, 0, sizeof *connection);
    connection->fd = -1;
    if (strncmp(address, "fd:", 3) == 0)
        return inherited(&connection->fd, address);
    if (strncmp(address, "systemd:", 8) == 0)
        return fail(EXIT_USAGE, "%s: can only be listened on; add -l", shown(address));
    if (strncmp(address, "unix:", 5) == 0)
        return connect_unix(connection, address, timeout_ms);
    return connect_tcp(connection, address, timeout_ms);
}

/* ---- Listening ---- */

/** A socket's file that nobody listens on is a dead listener's: remove it. */
static void
remove_stale(const struct sockaddr_un *un)
{
    struct stat status;

    if (lstat(un->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    int fd = try_connect(AF_UNIX, (const struct sockaddr *)un, sizeof *un, 0);
    if (fd < 0 && errno == ECONNREFUSED)
        unlink(un->sun_path);
    if (fd >= 0)
        close(fd);
}

static int
listen_unix(struct listener *listener, const char *address)
{
    struct sockaddr_un un;

    if (unix_address(&un, address + 5) != 0)
        return bad_path(address);
    remove_stale(&un);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof un) != 0 || listen(fd, BACKLOG) != 0) {
        int code =
            fail(EXIT_CONNECT, "cannot listen on %s: %s; %s", shown(address), reason(),
                 errno == EADDRINUSE ? "a file or another program has it, choose another path"
                                     : "choose another path");
        if (fd >= 0)
            close(fd);
        return code;
    }
    listener->fds[listener->count++] = fd;
    snprintf(listener->path, sizeof listener->path, "%s", un.sun_path);
    return EXIT_DONE;
}

static int
listen_on(const struct addrinfo *a)
{
    int one = 1;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int
listen_tcp(struct listener *listener, const char *address)
{
    struct addrinfo *list = NULL;
    int error = 0;

    int code = resolve(&list, address, 1);
    if (code != EXIT_DONE)
        return code;
    for (struct addrinfo *a = list; a != NULL && listener->count < LISTENERS_MOST; a = a->ai_next) {
        int fd = listen_on(a);
        if (fd >= 0)
            listener->fds[listener->count++] = fd;
        else if (error == 0 || errno == EADDRINUSE)
            error = errno;
    }
    freeaddrinfo(list);
    /* A machine without IPv6 listens on the rest; a port that is taken is taken. */
    if (listener->count > 0 && error != EADDRINUSE)
        return EXIT_DONE;
    errno = error;
    code = fail(EXIT_CONNECT, "cannot listen on %s: %s; %s", shown(address), reason(),
                error == EADDRINUSE ? "another program has the port, choose another"
                                    : "choose an address of this machine and a port it may have");
    listener_close(listener);
    return code;
}

/** sd_listen_fds(3) in a few lines: LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. */
static int
listen_systemd(struct listener *listener, const char *address)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES"), *name = address + 8;
    uint64_t number;

    if (pid == NULL || count == NULL || parse_number(&number, pid, 0, UINT32_MAX) != 0 ||
        number != (uint64_t)getpid() || parse_number(&number, count, 0, 1024) != 0)
        return fail(EXIT_CONNECT,
                    "%s: this process was not started by a systemd socket; "
                    "give an address to run it by hand",
                    shown(address));
    for (uint64_t i = 0; i < number && listener->count < LISTENERS_MOST; i++) {
        size_t size = names != NULL ? strcspn(names, ":") : 0;
        if (size == strlen(name) && strncmp(names != NULL ? names : "", name, size) == 0)
            listener->fds[listener->count++] = SYSTEMD_FIRST + (int)i;
        if (names != NULL)
            names += size + (names[size] != 0);
    }
    if (listener->count > 0)
        return EXIT_DONE;
    return fail(EXIT_CONNECT,
                "%s: systemd passed no socket of this name; see FileDescriptorName= in "
                "systemd.socket(5)",
                shown(address));
}

/** Make sure that what was passed is a socket that listens: accept() would fail for ever. */
static int
adopt(int fd, const char *address)
{
    int listens = 0;
    socklen_t size = sizeof listens;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens)
        return fail(EXIT_CONNECT, "%s: is not a listening socket; without -l it is the connection",
                    shown(address));
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return EXIT_DONE;
}

int
address_listen(struct listener *listener, const char *address)
{
    int code;

    memset(listener, 0, sizeof *listener);
    if (strncmp(address, "unix:", 5) == 0)
        return listen_unix(listener, address);
    if (strncmp(address, "systemd:", 8) == 0)
        code = listen_systemd(listener, address);
    else if (strncmp(address, "fd:", 3) == 0)
        code = inherited(&listener->fds[listener->count++], address);
    else
        return listen_tcp(listener, address);
    for (unsigned i = 0; i < listener->count && code == EXIT_DONE; i++)
        code = adopt(listener->fds[i], address);
    return code;
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
