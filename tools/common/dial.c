/*
 * Connecting (see dial.h). Resolving a name waits here; the tunnel does that off its loop
 * (tunnel/resolve.c) and uses the part that never waits.
 */
#include "dial.h"

#include "address.h"
#include "interrupt.h"
#include "log.h"
#include "os/os.h"
#include "os/socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* ---- Never waiting ---- */

int
dial_begin(const struct sockaddr *where, socklen_t size, int *error)
{
    int fd = duet__os_socket(where->sa_family, SOCK_STREAM, DUET__OS_NO_WAITS);

    *error = errno;
    if (fd < 0)
        return -1;
    *error = connect(fd, where, size) == 0 ? 0 : errno;
    return fd;
}

int
dial_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

unsigned
dial_count(const struct addrinfo *list)
{
    unsigned count = 0;

    for (; list != NULL; list = list->ai_next)
        count++;
    return count;
}

/* ---- Waiting ---- */

/** Wait for a connect(2) that is under way. Returns 0 or errno. */
static int
dial_wait(int fd, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLOUT},
                            {.fd = interrupt_fd(), .events = POLLIN}};

    int n = poll(fds, 2, timeout_ms);
    if (n < 0)
        return errno;
    if (n == 0)
        return ETIMEDOUT;
    return fds[0].revents != 0 ? dial_error(fd) : EINTR;
}

int
dial_once(const struct sockaddr *where, socklen_t size, int timeout_ms)
{
    int error;
    int fd = dial_begin(where, size, &error);

    if (fd >= 0)
        address_prepare(fd);
    if (fd >= 0 && error == EINPROGRESS)
        error = dial_wait(fd, timeout_ms);
    if (error != 0 && fd >= 0) {
        close(fd);
        fd = -1;
    }
    errno = error;
    return fd;
}

/** Try all addresses of a name in turn. */
static int
dial_list(const struct addrinfo *list, int timeout_ms)
{
    uint64_t end = duet__os_now_ms() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms);
    int fd = -1;

    for (const struct addrinfo *a = list; a != NULL && fd < 0 && !interrupted(); a = a->ai_next) {
        uint64_t now = duet__os_now_ms();
        uint64_t share = end > now ? (end - now) / dial_count(a) : 0;
        fd = dial_once(a->ai_addr, a->ai_addrlen, timeout_ms < 0 ? -1 : (int)share);
    }
    return fd;
}

/** What helps against errno's reason. */
static const char *
dial_advice(int error)
{
    switch (error) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
        return "check this machine's network and its route there";
    case ETIMEDOUT:
        return "check the address and firewalls on the way; --timeout waits longer";
    case EACCES:
    case EPERM:
        return "check that this user may connect there";
    default:
        return "check that the peer is listening there";
    }
}

static int
dial_failed(const char *address)
{
    if (interrupted())
        return EXIT_INTERRUPTED;
    return log_error(EXIT_CONNECT, "%s: %s; %s", printable(address), errno_text(),
                     dial_advice(errno));
}

static int
dial_tcp(struct dialled *dialled, const struct address *where, const char *address, int timeout_ms)
{
    struct addrinfo *list = NULL;
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;
    uint64_t begin = duet__os_now_us();

    int code = address_resolve(&list, where, 0, timeout_ms);
    if (code != EXIT_DONE)
        return code;
    uint64_t resolved = duet__os_now_us();
    dialled->resolve_us = resolved - begin + 1; /* 0 would mean that it was not reached */
    int spent = (int)(dialled->resolve_us / 1000);
    dialled->fd = dial_list(list, timeout_ms > spent ? timeout_ms - spent : timeout_ms);
    freeaddrinfo(list);
    if (dialled->fd < 0)
        return dial_failed(address);
    dialled->connect_us = duet__os_now_us() - resolved + 1;
    if (getpeername(dialled->fd, (struct sockaddr *)&at, &size) == 0)
        address_name(dialled->at, sizeof dialled->at, &at);
    return EXIT_DONE;
}

int
dial_address(struct dialled *dialled, const char *address, int timeout_ms)
{
    struct address where;

    memset(dialled, 0, sizeof *dialled);
    dialled->fd = -1;
    int code = address_parse(&where, address, 0);
    if (code != EXIT_DONE)
        return code;
    if (where.kind == ADDRESS_TCP)
        return dial_tcp(dialled, &where, address, timeout_ms);
    dialled->fd = where.fd;
    if (where.kind == ADDRESS_UNIX)
        dialled->fd = dial_once((struct sockaddr *)&where.un, sizeof where.un, timeout_ms);
    return dialled->fd >= 0 ? EXIT_DONE : dial_failed(address);
}
