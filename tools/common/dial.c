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
#include "stream_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* ---- Never waiting ---- */

/** Let a socket of a family dial from an address. Returns 0, or errno. */
static int
bind_address(int fd, int family, const struct addrinfo *list)
{
    while (list != NULL && list->ai_family != family)
        list = list->ai_next;
    if (list == NULL)
        return EAFNOSUPPORT; /* one is of IPv4, the other of IPv6 */
#ifdef IP_BIND_ADDRESS_NO_PORT
    int one = 1;
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
#endif
    return bind(fd, list->ai_addr, list->ai_addrlen) == 0 ? 0 : errno;
}

/** Let a socket dial from an address in digits, or else over an interface. Returns 0, or errno. */
static int
bind_source(int fd, int family, const char *source)
{
    const struct addrinfo digits = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *list = NULL;

    if (family != AF_INET && family != AF_INET6)
        return 0;
    if (getaddrinfo(source, NULL, &digits, &list) == 0) {
        int error = bind_address(fd, family, list);
        freeaddrinfo(list);
        return error;
    }
#ifdef SO_BINDTODEVICE
    socklen_t size = (socklen_t)strlen(source) + 1;
    return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, source, size) == 0 ? 0 : errno;
#else
    return EOPNOTSUPP;
#endif
}

int
dial_begin_by(const struct dial_way *way, const struct sockaddr *where, socklen_t size, int *error)
{
    int fd = way->udp ? duet__os_socket(where->sa_family, SOCK_DGRAM, DUET__OS_NO_WAITS)
                      : stream_socket(where->sa_family, way->mptcp);

    *error = errno;
    if (fd < 0)
        return -1;
    *error = way->source != NULL ? bind_source(fd, where->sa_family, way->source) : 0;
    if (*error == 0)
        *error = connect(fd, where, size) == 0 ? 0 : errno;
    return fd;
}

int
dial_begin(const struct sockaddr *where, socklen_t size, int *error)
{
    return dial_begin_by(&(struct dial_way){0}, where, size, error);
}

int
dial_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

/** The next address of a list that is of this family (same 1), or not of it. */
static const struct addrinfo *
next_of_family(const struct addrinfo *a, int family, int same)
{
    while (a != NULL && (a->ai_family == family) != same)
        a = a->ai_next;
    return a;
}

unsigned
dial_order(const struct addrinfo *order[DIAL_ADDRESSES_MOST], const struct addrinfo *list)
{
    int family = list != NULL ? list->ai_family : 0;
    const struct addrinfo *next[2] = {next_of_family(list, family, 1),
                                      next_of_family(list, family, 0)};
    unsigned count = 0;

    for (unsigned turn = 0; count < DIAL_ADDRESSES_MOST && (next[0] != NULL || next[1] != NULL);
         turn ^= 1) {
        if (next[turn] == NULL)
            continue;
        order[count++] = next[turn];
        next[turn] = next_of_family(next[turn]->ai_next, family, turn == 0);
    }
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

/** Addresses that are dialled beside one another. */
struct race {
    struct pollfd fds[DIAL_ADDRESSES_MOST + 1]; /* the last one is a signal's */
    unsigned count;                             /* begun so far; fd -1: it has failed */
    int error;                                  /* of the last that failed */
};

/** Begin one more. Returns its descriptor when it is connected at once, or -1. */
static int
race_begin(struct race *race, const struct addrinfo *a)
{
    int error;
    int fd = dial_begin(a->ai_addr, a->ai_addrlen, &error);

    if (fd >= 0)
        address_prepare(fd);
    if (fd >= 0 && error == 0)
        return fd;
    if (fd >= 0 && error != EINPROGRESS) {
        close(fd);
        fd = -1;
    }
    if (fd < 0)
        race->error = error;
    race->fds[race->count++] = (struct pollfd){.fd = fd, .events = POLLOUT};
    return -1;
}

/** 1 when some are under way. */
static int
race_is_on(const struct race *race)
{
    for (unsigned i = 0; i < race->count; i++)
        if (race->fds[i].fd >= 0)
            return 1;
    return 0;
}

/** Wait for those under way, timeout_ms at most. Returns the descriptor that connected, or -1. */
static int
race_wait(struct race *race, int timeout_ms)
{
    race->fds[race->count] = (struct pollfd){.fd = interrupt_fd(), .events = POLLIN};
    if (poll(race->fds, race->count + 1, timeout_ms) <= 0)
        return -1;
    for (unsigned i = 0; i < race->count; i++) {
        int fd = race->fds[i].fd;
        if (fd < 0 || race->fds[i].revents == 0)
            continue;
        race->fds[i].fd = -1;
        race->error = dial_error(fd);
        if (race->error == 0)
            return fd;
        close(fd);
    }
    return -1;
}

/** Close those that are still under way. */
static void
race_end(struct race *race)
{
    for (unsigned i = 0; i < race->count; i++)
        if (race->fds[i].fd >= 0) {
            close(race->fds[i].fd);
            race->error = ETIMEDOUT;
        }
    errno = race->error;
}

/** What is left of timeout_ms (negative: no limit) since begin_ms. */
static int
time_left(uint64_t begin_ms, int timeout_ms)
{
    uint64_t spent = duet__os_now_ms() - begin_ms;

    if (timeout_ms < 0)
        return -1;
    return spent < (uint64_t)timeout_ms ? timeout_ms - (int)spent : 0;
}

/** Race the addresses of a name. Returns a descriptor, or -1 with errno. */
static int
dial_list(const struct addrinfo *list, int timeout_ms)
{
    const struct addrinfo *order[DIAL_ADDRESSES_MOST];
    const uint64_t begin = duet__os_now_ms();
    const unsigned count = dial_order(order, list);
    struct race race = {.error = ETIMEDOUT};
    int fd = -1;

    while (fd < 0 && !interrupted() && (race.count < count || race_is_on(&race))) {
        if (race.count < count)
            fd = race_begin(&race, order[race.count]);
        int wait = time_left(begin, timeout_ms);
        unsigned left = count - race.count; /* each of these has its share */
        if (wait == 0 && left == 0)
            break;
        if (left > 0 && (wait < 0 || wait / (int)(left + 1) > DIAL_NEXT_MS))
            wait = DIAL_NEXT_MS;
        else if (left > 0)
            wait /= (int)(left + 1);
        if (fd < 0 && race_is_on(&race))
            fd = race_wait(&race, wait);
    }
    race_end(&race);
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
        dialled->fd = dial_once((struct sockaddr *)&where.un, where.un_size, timeout_ms);
    return dialled->fd >= 0 ? EXIT_DONE : dial_failed(address);
}
