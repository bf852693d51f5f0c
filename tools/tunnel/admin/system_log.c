/*
 * A socket to the system's log daemon (see system_log.h), in the format of syslog(3), RFC 3164.
 *
 * A daemon that was restarted has a new socket under the same path: a line that fails is sent once
 * more over a new connection. A full queue is no such failure; its line is dropped.
 */
#include "system_log.h"

#include "os/socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MOST = 8192 };

static struct {
    const char *path; /* NULL: the system's */
    int fd;           /* 0: not connected */
    int is_stream;    /* 1: a daemon that takes a stream, with a NUL after each line */
    pid_t pid;        /* of the process that connected: a worker has a socket of its own */
} state;

static void
disconnect(void)
{
    if (state.fd > 0)
        close(state.fd);
    state.fd = 0;
}

void
system_log_use(const char *path)
{
    disconnect();
    state.path = path;
}

static int
connect_as(const struct sockaddr_un *un, int type)
{
    int fd = duet__os_socket(AF_UNIX, type, DUET__OS_NO_WAITS);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)un, sizeof *un) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    return fd;
}

/** Returns 0, or -1. */
static int
connect_daemon(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    snprintf(un.sun_path, sizeof un.sun_path, "%s", state.path != NULL ? state.path : _PATH_LOG);
    int fd = connect_as(&un, SOCK_DGRAM);
    state.is_stream = fd < 0 && errno == EPROTOTYPE;
    if (state.is_stream)
        fd = connect_as(&un, SOCK_STREAM);
    if (fd < 0)
        return -1;
    state.fd = fd;
    state.pid = getpid();
    return 0;
}

/** Send a line of size bytes and a NUL. Returns 0, or -1 with errno. */
static int
send_line(const char *line, size_t size)
{
    size += state.is_stream ? 1 : 0;
    ssize_t n = send(state.fd, line, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0 && (size_t)n < size)
        disconnect(); /* a part of a line: what follows must not be taken for its rest */
    return n == (ssize_t)size ? 0 : -1;
}

static size_t
format_line(char line[LINE_MOST], int priority, const char *text)
{
    time_t now = time(NULL);
    struct tm tm = {0};
    char when[32] = "";

    if (localtime_r(&now, &tm) != NULL)
        strftime(when, sizeof when, "%b %e %H:%M:%S", &tm);
    int n = snprintf(line, LINE_MOST, "<%d>%s duet[%d]: %s", LOG_DAEMON | priority, when,
                     (int)getpid(), text);
    if (n < 0)
        return 0;
    return n < LINE_MOST ? (size_t)n : LINE_MOST - 1;
}

int
system_log_write(int priority, const char *text)
{
    char line[LINE_MOST];
    size_t size = format_line(line, priority, text);

    if (state.fd > 0 && state.pid != getpid())
        disconnect();
    if (state.fd > 0) {
        if (send_line(line, size) == 0)
            return 0;
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
            return -1;
        disconnect();
    }
    return connect_daemon() == 0 ? send_line(line, size) : -1;
}
