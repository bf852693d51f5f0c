/*
 * Listening (see listen.h).
 */
#include "listen.h"

#include "address.h"
#include "dial.h"
#include "log.h"
#include "values.h"

#include "os/socket.h"

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

static int
listen_unix(struct listener *listener, const struct sockaddr_un *un, const char *address)
{
    remove_stale(un);
    int fd = duet__os_socket(AF_UNIX, SOCK_STREAM, DUET__OS_NO_WAITS);
    if (fd < 0 || bind(fd, (const struct sockaddr *)un, sizeof *un) != 0 ||
        listen(fd, BACKLOG) != 0) {
        int code =
            log_error(EXIT_CONNECT, "cannot listen on %s: %s; %s", printable(address), errno_text(),
                      errno == EADDRINUSE ? "a file or another program has it, choose another path"
                                          : "choose another path");
        if (fd >= 0)
            close(fd);
        return code;
    }
    listener->fds[listener->count++] = fd;
    snprintf(listener->path, sizeof listener->path, "%s", un->sun_path);
    return EXIT_DONE;
}

static int
listen_on(const struct addrinfo *a, int shared)
{
    int one = 1;
    int fd = duet__os_socket(a->ai_family, SOCK_STREAM, DUET__OS_NO_WAITS);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (shared)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
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
listen_tcp(struct listener *listener, const struct address *where, const char *address, int shared)
{
    struct addrinfo *list = NULL;
    int error = 0;

    int code = address_resolve(&list, where, 1, -1);
    if (code != EXIT_DONE)
        return code;
    for (struct addrinfo *a = list; a != NULL && listener->count < LISTENERS_MOST; a = a->ai_next) {
        int fd = listen_on(a, shared);
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
    code =
        log_error(EXIT_CONNECT, "cannot listen on %s: %s; %s", printable(address), errno_text(),
                  error == EADDRINUSE ? "another program has the port, choose another"
                                      : "choose an address of this machine and a port it may have");
    listener_close(listener);
    return code;
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

/** Make sure that what was passed is a socket that listens: accept() would fail each time. */
static int
check_passed_socket(int fd, const char *address)
{
    int listens = 0;
    socklen_t size = sizeof listens;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens)
        return log_error(EXIT_CONNECT,
                         "%s: is not a listening socket; without -l it is the connection",
                         printable(address));
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return EXIT_DONE;
}

int
listener_open(struct listener *listener, const char *address, int shared)
{
    struct address where;

    memset(listener, 0, sizeof *listener);
    int code = address_parse(&where, address, 1);
    if (code != EXIT_DONE)
        return code;
    if (where.kind == ADDRESS_TCP)
        return listen_tcp(listener, &where, address, shared);
    if (where.kind == ADDRESS_UNIX)
        return listen_unix(listener, &where.un, address);
    if (where.kind == ADDRESS_SYSTEMD)
        code = listen_systemd(listener, where.name, address);
    else
        listener->fds[listener->count++] = where.fd;
    for (unsigned i = 0; i < listener->count && code == EXIT_DONE; i++)
        code = check_passed_socket(listener->fds[i], address);
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
