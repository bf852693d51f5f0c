/*
 * The upgrade of a process without workers: what upgrade.c does, on the loop. The supervisor's is
 * in workers.c.
 */
#include "connection.h"

#include "log.h"
#include "os/os.h"

#include <stdlib.h>

enum { QUEUE_MS = 10000, QUEUE_STEP_MS = 5 };

static void on_time(uv_timer_t *timer);

static void
free_poll(uv_handle_t *handle)
{
    free(handle);
}

/** The new process is not waited for any more. */
static void
stop_waiting(struct service *service)
{
    if (service->upgrade_poll == NULL)
        return;
    uv_timer_stop(&service->upgrade_timer);
    uv_close((uv_handle_t *)service->upgrade_poll, free_poll);
    service->upgrade_poll = NULL;
}

/** 1 when plain connections wait for a peer that dials: once two processes accept peers, theirs may
 * come to the other. */
static int
is_waited(const struct service *service)
{
    const struct tunnel *tunnel;

    TAILQ_FOREACH (tunnel, &service->tunnels, entry)
        if (!TAILQ_EMPTY(&tunnel->queued))
            return 1;
    return 0;
}

/** The new process answered, ended, or is late. Once it is ready, it waits for a moment in which no
 * plain connection does, but not long. */
static void
look(struct service *service)
{
    enum upgrade_state state = upgrade_look(&service->upgrade);
    uint64_t now = uv_now(&service->loop);

    if (state == UPGRADE_WAITS)
        return;
    if (state == UPGRADE_IS_READY && is_waited(service)) {
        if (service->upgrade_go_ms == 0)
            service->upgrade_go_ms = now + QUEUE_MS;
        uv_timer_start(&service->upgrade_timer, on_time, QUEUE_STEP_MS, QUEUE_STEP_MS);
        if (now < service->upgrade_go_ms)
            return;
    }
    stop_waiting(service);
    if (state == UPGRADE_FAILED)
        return;
    service->left(service);
    upgrade_go(&service->upgrade);
}

static void
on_answer(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    look(poll->data);
}

static void
on_time(uv_timer_t *timer)
{
    look(timer->data);
}

/** Watch for its answer. Returns 0, or -1. */
static int
watch(struct service *service)
{
    uv_poll_t *poll = malloc(sizeof *poll);

    if (poll == NULL || uv_poll_init(&service->loop, poll, service->upgrade.answer) != 0) {
        free(poll);
        return -1;
    }
    poll->data = service;
    service->upgrade_poll = poll;
    uv_poll_start(poll, UV_READABLE | UV_DISCONNECT, on_answer);
    uv_timer_start(&service->upgrade_timer, on_time, UPGRADE_MS + 1, 1000);
    return 0;
}

void
handover_start(struct service *service, void (*left)(struct service *service))
{
    const struct sockets *sets[] = {&service->sockets};
    const struct upgrade_parts parts = {sets, 1, service->replay_fd, service->replay_size};

    if (service->view.draining) {
        record_note(RECORD_ERROR, "not upgraded: this process is ending");
        return;
    }
    service->left = left;
    service->upgrade_go_ms = 0;
    if (upgrade_start(&service->upgrade, &parts) == EXIT_DONE && watch(service) != 0)
        upgrade_cancel(&service->upgrade, "no memory");
}

void
handover_cancel(struct service *service, const char *why)
{
    stop_waiting(service);
    upgrade_cancel(&service->upgrade, why);
}
