/*
 * Descriptors on the loop (see endpoint.h).
 */
#include "endpoint.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ALIVE_AFTER_S = 60, ALIVE_EVERY_S = 15, ALIVE_TRIES = 4 }; /* a dead machine is noticed */

static void
release(uv_handle_t *handle)
{
    free(handle->data);
}

static void
came(uv_poll_t *poll, int status, int events)
{
    struct endpoint *endpoint = poll->data;

    if (status < 0) {
        endpoint->watched = 0; /* libuv has stopped it */
        events = UV_READABLE | UV_WRITABLE | ENDPOINT_BROKEN;
    }
    if (endpoint->connection != NULL)
        endpoint->event(endpoint->connection, events);
}

void
endpoint_prepare(int fd, int is_far)
{
    const int one = 1, after = ALIVE_AFTER_S, every = ALIVE_EVERY_S, tries = ALIVE_TRIES;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 || !is_far)
        return; /* a Unix socket, or another process of a machine that lives */
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &after, sizeof after);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

struct endpoint *
endpoint_open(uv_loop_t *loop, struct connection *connection, int fd, endpoint_event *event)
{
    struct endpoint *endpoint = calloc(1, sizeof *endpoint);

    if (endpoint == NULL || uv_poll_init(loop, &endpoint->poll, fd) != 0) {
        free(endpoint);
        close(fd);
        return NULL;
    }
    endpoint->poll.data = endpoint;
    endpoint->connection = connection;
    endpoint->event = event;
    endpoint->fd = fd;
    return endpoint;
}

void
endpoint_watch(struct endpoint *endpoint, int events)
{
    if (events == endpoint->watched)
        return;
    endpoint->watched = events;
    if (events == 0)
        uv_poll_stop(&endpoint->poll);
    else
        uv_poll_start(&endpoint->poll, events, came);
}

/** Choose what closing sends: RST, or FIN behind all that was written. */
static void
reset_when_closed(const struct endpoint *endpoint, int reset)
{
    const struct linger at_once = {.l_onoff = reset, .l_linger = 0};

    (void)setsockopt(endpoint->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void
endpoint_is_plain(struct endpoint *endpoint)
{
    endpoint->plain = 1;
    reset_when_closed(endpoint, 1);
}

void
endpoint_close(struct endpoint *endpoint, int reset)
{
    if (endpoint == NULL)
        return;
    endpoint->connection = NULL;
    uv_close((uv_handle_t *)&endpoint->poll, release);
    if (endpoint->plain && !reset)
        reset_when_closed(endpoint, 0);
    close(endpoint->fd);
}
