/*
 * Descriptors on the loop (see endpoint.h). What an event means is lifecycle.c's matter.
 */
#include "endpoint.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Keep-alive: a dead machine is noticed after two minutes. */
enum { KEEPALIVE_AFTER_S = 60, KEEPALIVE_EVERY_S = 15, KEEPALIVE_TRIES = 4 };

static void
free_endpoint(uv_handle_t *handle)
{
    free((struct endpoint *)handle); /* its poll is first */
}

static void
endpoint_polled(uv_poll_t *poll, int status, int events)
{
    struct endpoint *endpoint = (struct endpoint *)poll;
    struct connection *connection = poll->data;

    if (status < 0) {
        endpoint->watched = 0; /* libuv has stopped it */
        events = UV_READABLE | UV_WRITABLE | ENDPOINT_ERROR;
    }
    if (connection != NULL)
        endpoint->on_event(connection, endpoint->is_plain, events);
}

void
endpoint_prepare(int fd, int is_far)
{
    const int one = 1;
    const int after = KEEPALIVE_AFTER_S, every = KEEPALIVE_EVERY_S, tries = KEEPALIVE_TRIES;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 || !is_far)
        return; /* a Unix socket, or a process of this machine */
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &after, sizeof after);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

/** Choose what closing sends: RST, or FIN after all that was written. */
static void
reset_when_closed(int fd, int reset)
{
    const struct linger at_once = {.l_onoff = reset, .l_linger = 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

struct endpoint *
endpoint_new(uv_loop_t *loop, struct connection *connection, int fd, int is_plain,
             endpoint_event *on_event)
{
    struct endpoint *endpoint = calloc(1, sizeof *endpoint);

    if (endpoint == NULL || uv_poll_init(loop, &endpoint->poll, fd) != 0) {
        free(endpoint);
        close(fd);
        return NULL;
    }
    endpoint->poll.data = connection;
    endpoint->on_event = on_event;
    endpoint->fd = fd;
    endpoint->is_plain = is_plain != 0;
    if (is_plain)
        reset_when_closed(fd, 1);
    return endpoint;
}

void
endpoint_give(struct endpoint *endpoint, struct connection *connection)
{
    endpoint->poll.data = connection;
}

void
endpoint_watch(struct endpoint *endpoint, int events)
{
    if (endpoint == NULL || events == endpoint->watched)
        return;
    endpoint->watched = (uint8_t)events;
    if (events == 0)
        uv_poll_stop(&endpoint->poll);
    else
        uv_poll_start(&endpoint->poll, events, endpoint_polled);
}

int
endpoint_detach(struct endpoint *endpoint)
{
    int fd = endpoint->fd;

    if (endpoint->is_plain)
        reset_when_closed(fd, 0);
    endpoint->poll.data = NULL;
    uv_close((uv_handle_t *)&endpoint->poll, free_endpoint);
    return fd;
}

void
endpoint_close(struct endpoint *endpoint, int reset)
{
    if (endpoint == NULL)
        return;
    endpoint->poll.data = NULL;
    uv_close((uv_handle_t *)&endpoint->poll, free_endpoint);
    if (endpoint->is_plain && !reset)
        reset_when_closed(endpoint->fd, 0);
    close(endpoint->fd);
}
