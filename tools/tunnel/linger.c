/*
 * Sockets of a client whose peer did not authenticate (docs/protocol.md §4 "Probing"): the
 * connection goes on with another address at once, and the socket is read and dropped in silence
 * until a time that was drawn when the handshake began. So what came in the server's place does not
 * show in the time of the close. The peer's own close ends it.
 *
 * They are bounded in number; the oldest makes room.
 */
#include "connection.h"

#include "gate.h"

#include <stdlib.h>
#include <unistd.h>

enum { LINGERING_MOST = 256 };

struct lingering {
    struct service *service;
    uv_poll_t poll;
    uv_timer_t timer;
    int fd;
    unsigned handles; /* that the loop still knows */
    TAILQ_ENTRY(lingering) entry;
};

static void
handle_closed(uv_handle_t *handle)
{
    struct lingering *lingering = handle->data;

    if (--lingering->handles == 0)
        free(lingering);
}

static void
lingering_end(struct lingering *lingering)
{
    struct service *service = lingering->service;
    int ended;

    TAILQ_REMOVE(&service->lingering, lingering, entry);
    service->lingering_count--;
    service->descriptors--;
    gate_drop(lingering->fd, &ended); /* for a FIN, not an RST */
    uv_close((uv_handle_t *)&lingering->poll, handle_closed);
    uv_close((uv_handle_t *)&lingering->timer, handle_closed);
    close(lingering->fd);
}

static void
lingering_polled(uv_poll_t *poll, int status, int events)
{
    struct lingering *lingering = poll->data;
    int ended;

    (void)events;
    gate_drop(lingering->fd, &ended);
    if (ended || status < 0)
        lingering_end(lingering);
}

static void
lingering_over(uv_timer_t *timer)
{
    lingering_end(timer->data);
}

void
linger_start(struct service *service, int fd, uint64_t ms)
{
    struct lingering *lingering = ms > 0 ? calloc(1, sizeof *lingering) : NULL;

    if (lingering == NULL || uv_poll_init(&service->loop, &lingering->poll, fd) != 0) {
        free(lingering);
        close(fd);
        return;
    }
    if (service->lingering_count == LINGERING_MOST)
        lingering_end(TAILQ_FIRST(&service->lingering));
    lingering->service = service;
    lingering->fd = fd;
    lingering->handles = 2;
    lingering->poll.data = lingering->timer.data = lingering;
    uv_timer_init(&service->loop, &lingering->timer);
    uv_timer_start(&lingering->timer, lingering_over, ms, 0);
    uv_poll_start(&lingering->poll, UV_READABLE, lingering_polled);
    TAILQ_INSERT_TAIL(&service->lingering, lingering, entry);
    service->lingering_count++;
    service->descriptors++;
}

void
linger_end_all(struct service *service)
{
    while (!TAILQ_EMPTY(&service->lingering))
        lingering_end(TAILQ_FIRST(&service->lingering));
}
