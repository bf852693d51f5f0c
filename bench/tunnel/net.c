/*
 * Non-blocking sockets, and the epoll loop (see load.h).
 *
 * An event of a descriptor that was closed earlier in the same turn is dropped: its owner has fd -1
 * by then.
 */
#include "bench/tunnel/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, BACKLOG = 4096 };

static int loop = -1;

static int
read_unix(struct load_address *address, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof at.sun_path)
        return -1;
    memcpy(at.sun_path, path, strlen(path));
    memcpy(&address->bytes, &at, sizeof at);
    address->size = sizeof at;
    return 0;
}

int
load_address(struct load_address *address, const char *text)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    const char *colon = strrchr(text, ':');
    char host[32] = "";
    char *end;

    memset(address, 0, sizeof *address);
    if (strncmp(text, "unix:", 5) == 0)
        return read_unix(address, text + 5);
    if (colon == NULL || (size_t)(colon - text) >= sizeof host)
        return -1;
    memcpy(host, text, (size_t)(colon - text));
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end != 0 || port == 0 || port > 65535 || inet_pton(AF_INET, host, &at.sin_addr) != 1)
        return -1;
    at.sin_port = htons((uint16_t)port);
    memcpy(&address->bytes, &at, sizeof at);
    address->size = sizeof at;
    return 0;
}

static int
make_socket(const struct load_address *address)
{
    int one = 1;
    int fd = socket(address->bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && address->bytes.ss_family == AF_INET)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

int
load_listen(const struct load_address *address)
{
    int one = 1;
    int fd = make_socket(address);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&address->bytes, address->size) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    close(fd);
    return -1;
}

int
load_connect(const struct load_address *address)
{
    int fd = make_socket(address);

    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address->bytes, address->size) == 0 ||
        errno == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

int
load_loop(void)
{
    loop = epoll_create1(EPOLL_CLOEXEC);
    return loop >= 0 ? 0 : -1;
}

int
load_watch(struct load_source *source, int reading, int writing)
{
    struct epoll_event event = {.events = (reading ? EPOLLIN : 0) | (writing ? EPOLLOUT : 0),
                                .data.ptr = source};

    if (epoll_ctl(loop, EPOLL_CTL_MOD, source->fd, &event) == 0)
        return 0;
    return errno == ENOENT ? epoll_ctl(loop, EPOLL_CTL_ADD, source->fd, &event) : -1;
}

void
load_close(struct load_source *source)
{
    if (source->fd < 0)
        return;
    close(source->fd);
    source->fd = -1;
}

int
load_turn(int ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(loop, events, EVENTS, ms);

    if (count < 0)
        return errno == EINTR ? 0 : -1;
    for (int i = 0; i < count; i++) {
        struct load_source *source = events[i].data.ptr;
        if (source->fd >= 0)
            source->ready(source);
    }
    return 0;
}

uint64_t
load_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
