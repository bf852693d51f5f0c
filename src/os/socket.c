/*
 * Sockets and pipes with close-on-exec, and what the system knows about the other end of one.
 *
 * Linux sets the flags as it makes the descriptor; elsewhere fcntl() follows. Reading and writing
 * are in descriptor.c, TCP's receive buffer in tcp.c.
 */
#include "os/socket.h"

#include "os/features.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#ifdef DUET__OS_ATOMIC_FLAGS

int
duet__os_socket(int family, int type, enum duet__os_mode mode)
{
    int flags = SOCK_CLOEXEC;

    if (mode == DUET__OS_NO_WAITS)
        flags |= SOCK_NONBLOCK;
    return socket(family, type | flags, 0);
}

int
duet__os_accept(int fd, struct sockaddr *from, socklen_t *size)
{
    return accept4(fd, from, size, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int
duet__os_pipe(int ends[2], enum duet__os_mode mode)
{
    int flags = O_CLOEXEC;

    if (mode == DUET__OS_NO_WAITS)
        flags |= O_NONBLOCK;
    return pipe2(ends, flags);
}

int
duet__os_socket_pair(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

#else

/** Set the flags of a new descriptor; close it when that fails. Returns it, or -1. */
static int
set_flags(int fd, enum duet__os_mode mode)
{
    if (fd < 0)
        return -1;
    int flags = fcntl(fd, F_GETFL);
    /* accept() hands on O_NONBLOCK on some systems and not on others, so it is set either way. */
    int wanted = mode == DUET__OS_NO_WAITS ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (flags >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, wanted) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static int
set_flags_of_pair(int ends[2], enum duet__os_mode mode)
{
    ends[0] = set_flags(ends[0], mode);
    ends[1] = set_flags(ends[1], mode);
    if (ends[0] >= 0 && ends[1] >= 0)
        return 0;
    int reason = errno;
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    ends[0] = ends[1] = -1;
    errno = reason;
    return -1;
}

int
duet__os_socket(int family, int type, enum duet__os_mode mode)
{
    return set_flags(socket(family, type, 0), mode);
}

int
duet__os_accept(int fd, struct sockaddr *from, socklen_t *size)
{
    return set_flags(accept(fd, from, size), DUET__OS_NO_WAITS);
}

int
duet__os_pipe(int ends[2], enum duet__os_mode mode)
{
    return pipe(ends) == 0 ? set_flags_of_pair(ends, mode) : -1;
}

int
duet__os_socket_pair(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return -1;
    return set_flags_of_pair(ends, DUET__OS_WAITS);
}

#endif

#ifdef DUET__OS_LINUX

int
duet__os_peer_user(int fd, uid_t *user)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return -1;
    *user = peer.uid;
    return 0;
}

int
duet__os_is_unacknowledged(int fd, uint64_t ms)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    return !duet__os_is_mptcp(fd) && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           info.tcpi_unacked > 0 && info.tcpi_last_ack_recv >= ms;
}

#else

int
duet__os_peer_user(int fd, uid_t *user)
{
#ifdef DUET__OS_GETPEEREID
    gid_t group;
    return getpeereid(fd, user, &group);
#else
    (void)fd;
    (void)user;
    errno = ENOSYS;
    return -1;
#endif
}

int
duet__os_is_unacknowledged(int fd, uint64_t ms)
{
    (void)fd;
    (void)ms;
    return 0;
}

#endif

/* ---- Multipath TCP ---- */

#ifdef DUET__OS_MPTCP

enum { MPTCP = 262 }; /* IPPROTO_MPTCP, which older headers lack */

int
duet__os_mptcp_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, MPTCP);
}

int
duet__os_is_mptcp(int fd)
{
    int protocol = 0;
    socklen_t size = sizeof protocol;

    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == MPTCP;
}

#else

int
duet__os_mptcp_socket(int family)
{
    (void)family;
    errno = EPROTONOSUPPORT;
    return -1;
}

int
duet__os_is_mptcp(int fd)
{
    (void)fd;
    return 0;
}

#endif
