/*
 * Reaching a peer (see dial.h). All of a name's addresses are tried in turn.
 */
#include "dial.h"

#include "address.h"
#include "interrupt.h"
#include "log.h"
#include "os/os.h"
#include "os/socket.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

int
reach_once(int family, const struct sockaddr *where, socklen_t size, int timeout_ms)
{
    int fd = duet__os_socket(family, SOCK_STREAM, DUET__OS_NO_WAITS);

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
        fd = reach_once(a->ai_family, a->ai_addr, a->ai_addrlen, timeout_ms < 0 ? -1 : (int)left);
    }
    return fd;
}

/** What helps against errno's reason. */
static const char *
cure_of(int error)
{
    switch (error) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
        return "is this machine's network up, and does it lead there?";
    case ETIMEDOUT:
        return "is the address right, and does no firewall drop it? --timeout waits longer";
    case EACCES:
    case EPERM:
        return "may this user connect there?";
    default:
        return "is the peer listening there?";
    }
}

static int
not_connected(const char *address)
{
    if (interrupted())
        return EXIT_INTERRUPTED;
    return log_error(EXIT_CONNECT, "%s: %s; %s", printable(address), errno_text(), cure_of(errno));
}

static int
connect_tcp(struct reached *reached, const struct address *where, const char *address,
            int timeout_ms)
{
    struct addrinfo *list = NULL;
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;
    uint64_t begin = duet__os_now_us();

    int code = address_resolve(&list, where, 0);
    if (code != EXIT_DONE)
        return code;
    uint64_t resolved = duet__os_now_us();
    reached->resolve_us = resolved - begin + 1; /* 0 would say that it was not reached */
    reached->fd = try_all(list, timeout_ms);
    freeaddrinfo(list);
    if (reached->fd < 0)
        return not_connected(address);
    reached->connect_us = duet__os_now_us() - resolved + 1;
    if (getpeername(reached->fd, (struct sockaddr *)&at, &size) == 0)
        address_name(reached->at, sizeof reached->at, &at);
    return EXIT_DONE;
}

int
reach_connect(struct reached *reached, const char *address, int timeout_ms)
{
    struct address where;

    memset(reached, 0, sizeof *reached);
    reached->fd = -1;
    int code = address_parse(&where, address, 0);
    if (code != EXIT_DONE)
        return code;
    if (where.kind == ADDRESS_TCP)
        return connect_tcp(reached, &where, address, timeout_ms);
    reached->fd = where.fd;
    if (where.kind == ADDRESS_UNIX)
        reached->fd =
            reach_once(AF_UNIX, (struct sockaddr *)&where.un, sizeof where.un, timeout_ms);
    return reached->fd >= 0 ? EXIT_DONE : not_connected(address);
}
