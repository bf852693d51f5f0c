/*
 * Peeks at what a TCP socket has received, and makes poll() wait until there is enough of it.
 *
 * Linux alone peeks and removes without copying (MSG_PEEK, MSG_TRUNC) and obeys SO_RCVLOWAT
 * in poll(). Elsewhere no descriptor is of kind DUET__OS_TCP, and the channel reads frames exactly.
 */
#include "os/os.h"

#include "os/features.h"

#include <duet/error.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#ifdef DUET__OS_LINUX

enum { PATIENT_US = 20000 };

static int
socket_option(int fd, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

int
duet__os_is_tcp(int fd)
{
    int domain = socket_option(fd, SO_DOMAIN);
    return (domain == AF_INET || domain == AF_INET6) &&
           socket_option(fd, SO_PROTOCOL) == IPPROTO_TCP;
}

int
duet__os_peek(int fd, int patient, uint8_t *at, size_t size, size_t *got)
{
    int flags = MSG_PEEK | (patient ? 0 : MSG_DONTWAIT);
    uint8_t first; /* tells the end of the stream from an empty socket, which FIONREAD does not */
    int waiting = 0;

    *got = 0;
    long n = (long)recv(fd, at != NULL ? at : &first, at != NULL ? size : 1, flags);
    if (n < 0)
        return duet__os_result(errno);
    if (n == 0)
        return DUET_CLOSED;
    *got = (size_t)n;
    if (at != NULL)
        return DUET_OK;
    if (ioctl(fd, FIONREAD, &waiting) != 0)
        return duet__os_result(errno);
    if (waiting > 0)
        *got = (size_t)waiting < size ? (size_t)waiting : size;
    return DUET_OK;
}

/* Linux writes nothing under MSG_TRUNC, but valgrind and sanitizers expect size bytes of room. */
int
duet__os_drop(int fd, uint8_t *at, size_t size)
{
    while (size > 0) {
        long n = (long)recv(fd, at, size, MSG_TRUNC | MSG_DONTWAIT);
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        } else if (n == 0)
            return DUET_CLOSED;
        else if (errno != EINTR)
            return duet__os_result(errno);
    }
    return DUET_OK;
}

int
duet__os_limit_peeks(int fd, int on)
{
    const struct timeval limit = {0, on ? PATIENT_US : 0};
    struct timeval set = {0};
    socklen_t size = sizeof set;

    if (on && (getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &set, &size) != 0 || set.tv_sec != 0 ||
               set.tv_usec != 0))
        return -1;
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

int
duet__os_low_water(int fd, size_t size)
{
    int room = size > 1 ? socket_option(fd, SO_RCVBUF) : 0;
    int value = (int)size;

    /* Linux counts its own overhead in SO_RCVBUF: only half of it is sure to hold bytes. */
    if (size > 1 && (room < 0 || size > (size_t)room / 2))
        return -1;
    return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value);
}

#else

int
duet__os_is_tcp(int fd)
{
    (void)fd;
    return 0;
}

int
duet__os_peek(int fd, int patient, uint8_t *at, size_t size, size_t *got)
{
    (void)fd;
    (void)patient;
    (void)at;
    (void)size;
    *got = 0;
    return DUET_E_IO;
}

int
duet__os_drop(int fd, uint8_t *at, size_t size)
{
    (void)fd;
    (void)at;
    (void)size;
    return DUET_E_IO;
}

int
duet__os_limit_peeks(int fd, int on)
{
    (void)fd;
    (void)on;
    return -1;
}

int
duet__os_low_water(int fd, size_t size)
{
    (void)fd;
    (void)size;
    return -1;
}

#endif
