/*
 * Reads and writes descriptors so that no call blocks and none raises SIGPIPE, in whatever mode the
 * application left them: their flags are shared with other processes, so they are not changed.
 *
 * TCP's receive buffer is in tcp.c. Which result stands for which errno is in result.c.
 */
#include "os/os.h"

#include "os/features.h"

#include <duet/error.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int
duet__os_kind(enum duet__os_kind *kind, int fd)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &status) != 0)
        return -1;
    *kind = DUET__OS_BLOCKING;
    if (flags & O_NONBLOCK)
        *kind = DUET__OS_POLLED;
    if (S_ISSOCK(status.st_mode))
        *kind = duet__os_is_tcp(fd) ? DUET__OS_TCP : DUET__OS_SOCKET;
    return 0;
}

static int
is_socket_kind(enum duet__os_kind kind)
{
    return kind == DUET__OS_SOCKET || kind == DUET__OS_TCP;
}

/** 1 when poll() says that a call on fd would not block, even if only to report an error. */
static int
is_ready(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    return poll(&one, 1, 0) > 0;
}

int
duet__os_readable(int fd)
{
    return is_ready(fd, POLLIN);
}

int
duet__os_read(int fd, enum duet__os_kind kind, const struct duet__os_piece *pieces, unsigned count,
              size_t *got)
{
    struct iovec vector[DUET__OS_PIECES];
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = (uint8_t)count};

    *got = 0;
    for (unsigned i = 0; i < count; i++) {
        vector[i].iov_base = pieces[i].at;
        vector[i].iov_len = pieces[i].size;
    }
    if (kind == DUET__OS_BLOCKING && !is_ready(fd, POLLIN))
        return DUET_AGAIN;
    long n = is_socket_kind(kind) ? (long)recvmsg(fd, &message, MSG_DONTWAIT)
                                  : (long)readv(fd, vector, (int)count);
    if (n < 0)
        return duet__os_result(errno);
    if (n == 0)
        return DUET_CLOSED;
    *got = (size_t)n;
    return DUET_OK;
}

/** write(), or send() with MSG_DONTWAIT, with SIGPIPE blocked in this thread, and removed when the
 * call raised it. */
static long
write_masked(int fd, int socket, const uint8_t *data, size_t size)
{
    sigset_t pipe_only, before, pending;
    int was_pending, reason, taken;

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    sigpending(&pending);
    was_pending = sigismember(&pending, SIGPIPE);
    long n = socket ? (long)send(fd, data, size, MSG_DONTWAIT) : (long)write(fd, data, size);
    reason = errno;
    if (n < 0 && reason == EPIPE && !was_pending) {
        sigpending(&pending);
        if (sigismember(&pending, SIGPIPE))
            sigwait(&pipe_only, &taken);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = reason;
    return n;
}

int
duet__os_write(int fd, enum duet__os_kind kind, const uint8_t *data, size_t size, size_t *put)
{
    long n;

    *put = 0;
    if (kind == DUET__OS_BLOCKING) {
        if (!is_ready(fd, POLLOUT))
            return DUET_AGAIN;
        /* When poll() reports room in a pipe, this much is sure to fit. */
        size = size < PIPE_BUF ? size : PIPE_BUF;
    }
#ifdef DUET__OS_MSG_NOSIGNAL
    if (is_socket_kind(kind))
        n = (long)send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    else
#endif
        n = write_masked(fd, is_socket_kind(kind), data, size);
    if (n < 0)
        return duet__os_result(errno);
    *put = (size_t)n;
    return n > 0 ? DUET_OK : DUET_AGAIN;
}

int
duet__os_wait(int rfd, int wfd, unsigned want, int timeout_ms)
{
    struct pollfd both[2] = {{.fd = -1}, {.fd = -1}};

    if (want & DUET__OS_READ) {
        both[0].fd = rfd;
        both[0].events = POLLIN;
    }
    if (want & DUET__OS_WRITE) {
        both[1].fd = wfd;
        both[1].events = POLLOUT;
    }
    int n = poll(both, 2, timeout_ms);
    if (n < 0)
        return errno == EINTR ? 0 : -1;
    if ((both[0].revents | both[1].revents) & POLLNVAL) {
        errno = EBADF;
        return -1;
    }
    return 0;
}

void
duet__os_reason(char *out, size_t cap, int reason)
{
    snprintf(out, cap, "%s", strerror(reason));
}
