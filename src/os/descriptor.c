/*
 * Reads and writes descriptors so that no call blocks and none raises SIGPIPE, in whatever mode
 * they are: their flags are shared with other processes, so they are neither changed nor relied on.
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
#ifdef DUET__OS_NOWAIT
#include <linux/magic.h>
#include <sys/vfs.h>
#endif
#include <unistd.h>

/** 1 when fd is an unnamed pipe: beside sockets the only file that is known to obey RWF_NOWAIT. */
static int
is_unnamed_pipe(int fd)
{
#ifdef DUET__OS_NOWAIT
    struct statfs system;
    return fstatfs(fd, &system) == 0 && system.f_type == PIPEFS_MAGIC;
#else
    (void)fd;
    return 0;
#endif
}

int
duet__os_kind(enum duet__os_kind *kind, int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return -1;
    *kind = DUET__OS_OTHER;
    if (S_ISSOCK(status.st_mode))
        *kind = duet__os_is_tcp(fd) ? DUET__OS_TCP : DUET__OS_SOCKET;
    else if (S_ISFIFO(status.st_mode) && is_unnamed_pipe(fd))
        *kind = DUET__OS_PIPE;
    else if (S_ISCHR(status.st_mode) && isatty(fd))
        *kind = DUET__OS_TTY;
    return 0;
}

static int
has_socket_option(int fd, int name, int wanted)
{
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 && value == wanted;
}

int
duet__os_carries_stream(int fd, int write, int file)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fstat(fd, &status) != 0)
        return 0;
    if ((flags & O_ACCMODE) == (write ? O_RDONLY : O_WRONLY))
        return 0;
    if (S_ISSOCK(status.st_mode))
        return has_socket_option(fd, SO_TYPE, SOCK_STREAM) &&
               !has_socket_option(fd, SO_ACCEPTCONN, 1);
    return S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode) || (file && S_ISREG(status.st_mode));
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

#ifdef DUET__OS_NOWAIT
static _Atomic int lacks_nowait; /* 1: this kernel refuses RWF_NOWAIT on pipes */

/** 1 when a failed call has to be made in the other way. */
static int
refused_nowait(void)
{
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return 0;
    lacks_nowait = 1;
    return 1;
}
#endif

/** readv() that does not block. Fails with EAGAIN where it would. */
static long
read_vector(int fd, enum duet__os_kind kind, const struct iovec *vector, int count)
{
#ifdef DUET__OS_NOWAIT
    if (kind == DUET__OS_PIPE && !lacks_nowait) {
        long n = (long)preadv2(fd, vector, count, -1, RWF_NOWAIT);
        if (n >= 0 || !refused_nowait())
            return n;
    }
#endif
    (void)kind;
    errno = EAGAIN;
    return is_ready(fd, POLLIN) ? (long)readv(fd, vector, count) : -1;
}

int
duet__os_read(int fd, enum duet__os_kind kind, const struct duet__os_piece *pieces, unsigned count,
              size_t *got)
{
    struct iovec vector[DUET__OS_PIECES];
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = (uint8_t)count};
    long n;

    *got = 0;
    for (unsigned i = 0; i < count; i++) {
        vector[i].iov_base = pieces[i].at;
        vector[i].iov_len = pieces[i].size;
    }
    do
        n = is_socket_kind(kind) ? (long)recvmsg(fd, &message, MSG_DONTWAIT)
                                 : read_vector(fd, kind, vector, (int)count);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EIO && kind == DUET__OS_TTY)
        return DUET_CLOSED; /* the other side of the terminal is closed */
    if (n < 0)
        return duet__os_result(errno);
    if (n == 0)
        return DUET_CLOSED;
    *got = (size_t)n;
    return DUET_OK;
}

/** write() in pieces that fit once poll() reports room. Returns as write(). */
static long
write_polled(int fd, enum duet__os_kind kind, const uint8_t *data, size_t size)
{
    /* This much fits into a pipe; of a terminal no more is known. */
    size_t most = kind == DUET__OS_TTY ? 1 : PIPE_BUF;
    size_t put = 0;

    /* A terminal is slow by single bytes. One in non-blocking mode is written at once; that another
     * process changes its mode just now is not caught. */
    if (kind == DUET__OS_TTY && (fcntl(fd, F_GETFL) & O_NONBLOCK))
        return (long)write(fd, data, size);
    while (put < size) {
        size_t left = size - put;
        errno = EAGAIN;
        long n =
            is_ready(fd, POLLOUT) ? (long)write(fd, data + put, left < most ? left : most) : -1;
        if (n <= 0)
            return put > 0 ? (long)put : n;
        put += (size_t)n;
    }
    return (long)put;
}

/** write() that does not block. Fails with EAGAIN where it would. */
static long
write_bytes(int fd, enum duet__os_kind kind, const uint8_t *data, size_t size)
{
#ifdef DUET__OS_NOWAIT
    if (kind == DUET__OS_PIPE && !lacks_nowait) {
        union {
            const uint8_t *in;
            void *out;
        } base = {.in = data}; /* an iovec is not const, whatever it is used for */
        const struct iovec piece = {base.out, size};
        long n = (long)pwritev2(fd, &piece, 1, -1, RWF_NOWAIT);
        if (n >= 0 || !refused_nowait())
            return n;
    }
#endif
    return write_polled(fd, kind, data, size);
}

/** write_bytes(), or send() with MSG_DONTWAIT, with SIGPIPE blocked in this thread, and removed
 * when the call raised it. */
static long
write_masked(int fd, enum duet__os_kind kind, const uint8_t *data, size_t size)
{
    sigset_t pipe_only, before, pending;
    int was_pending, reason, taken;

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    sigpending(&pending);
    was_pending = sigismember(&pending, SIGPIPE);
    long n = is_socket_kind(kind) ? (long)send(fd, data, size, MSG_DONTWAIT)
                                  : write_bytes(fd, kind, data, size);
    reason = errno;
    /* Of several writes in one call only the last fails: the count is short then. */
    if (n < (long)size && !was_pending) {
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
    do {
#ifdef DUET__OS_MSG_NOSIGNAL
        if (is_socket_kind(kind))
            n = (long)send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        else
#endif
            n = write_masked(fd, kind, data, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EIO && kind == DUET__OS_TTY)
        return DUET_E_TRUNCATED; /* the other side of the terminal is closed */
    if (n < 0)
        return duet__os_result(errno);
    *put = (size_t)n;
    return n > 0 ? DUET_OK : DUET_AGAIN;
}

void
duet__os_reason(char *out, size_t cap, int reason)
{
    snprintf(out, cap, "%s", strerror(reason));
}
