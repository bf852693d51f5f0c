/*
 * Descriptors on the loop (see wire.h).
 */
#include "wire.h"

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
    struct wire *wire = poll->data;

    if (status < 0) {
        wire->watched = 0; /* libuv has stopped it */
        events = UV_READABLE | UV_WRITABLE | WIRE_BROKEN;
    }
    if (wire->connection != NULL)
        wire->event(wire->connection, events);
}

void
wire_prepare(int fd, int is_far)
{
    const int one = 1, after = ALIVE_AFTER_S, every = ALIVE_EVERY_S, tries = ALIVE_TRIES;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 || !is_far)
        return; /* a Unix socket, or another process of a machine that lives */
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &after, sizeof after);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

struct wire *
wire_open(uv_loop_t *loop, struct connection *connection, int fd, wire_event *event)
{
    struct wire *wire = calloc(1, sizeof *wire);

    if (wire == NULL || uv_poll_init(loop, &wire->poll, fd) != 0) {
        free(wire);
        close(fd);
        return NULL;
    }
    wire->poll.data = wire;
    wire->connection = connection;
    wire->event = event;
    wire->fd = fd;
    return wire;
}

void
wire_watch(struct wire *wire, int events)
{
    if (events == wire->watched)
        return;
    wire->watched = events;
    if (events == 0)
        uv_poll_stop(&wire->poll);
    else
        uv_poll_start(&wire->poll, events, came);
}

/** Choose what closing sends: RST, or FIN behind all that was written. */
static void
reset_when_closed(const struct wire *wire, int reset)
{
    const struct linger at_once = {.l_onoff = reset, .l_linger = 0};

    (void)setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void
wire_is_plain(struct wire *wire)
{
    wire->plain = 1;
    reset_when_closed(wire, 1);
}

void
wire_close(struct wire *wire, int reset)
{
    if (wire == NULL)
        return;
    wire->connection = NULL;
    uv_close((uv_handle_t *)&wire->poll, release);
    if (wire->plain && !reset)
        reset_when_closed(wire, 0);
    close(wire->fd);
}
