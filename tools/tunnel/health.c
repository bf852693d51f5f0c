/*
 * Health checks of a server's targets: each is connected to at an interval and left at once. One
 * that does not answer is remembered as failed (failures.h), so that it is tried last, before a
 * connection has met it; one that answers again is forgotten there.
 *
 * An attempt is begun, looked at after a moment, and given up at the end of its interval. Changes
 * are logged, not each check.
 */
#include "connection.h"

#include "address.h"
#include "dial.h"
#include "log.h"
#include "network.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOK_MS = 500 }; /* after the begin of an attempt, where its interval is longer */

/** The check of one target. */
struct check {
    struct tunnel *tunnel;
    size_t target; /* its number in the settings */
    uv_timer_t timer;
    struct lookup *lookup;
    uint64_t begun_ms;
    int fd; /* being connected; -1: none */
    int is_down;
    LIST_ENTRY(check) entry;
};

static const char *
check_address(const struct check *check)
{
    return check->tunnel->settings->targets.at[check->target];
}

/** The attempt under way is over. */
static void
attempt_end(struct check *check)
{
    lookup_cancel(check->lookup);
    check->lookup = NULL;
    if (check->fd >= 0)
        close(check->fd);
    check->fd = -1;
}

/** What an attempt came to; why: NULL: the target answers. */
static void
attempt_judge(struct check *check, const char *why)
{
    struct service *service = check->tunnel->service;
    const char *name = check->tunnel->settings->name, *address = check_address(check);
    uint64_t hash = failures_target(name, address);
    int is_down = why != NULL;

    attempt_end(check);
    if (is_down)
        failures_add(&service->failures, hash, uv_now(&service->loop));
    else if (check->is_down)
        failures_forget(&service->failures, hash);
    if (is_down && !check->is_down)
        record_note(RECORD_WARNING, "%s: target %s: %s; it is tried last", name, printable(address),
                    why);
    else if (!is_down && check->is_down)
        record_note(RECORD_INFO, "%s: target %s answers again", name, printable(address));
    check->is_down = is_down;
}

static void
attempt_dial(struct check *check, const struct sockaddr *where, socklen_t size)
{
    struct sockaddr_storage at = {0};
    int error;

    memcpy(&at, where, size < sizeof at ? size : sizeof at);
    if (!network_is_loopback(&at) && !check->tunnel->settings->unsafe_target) {
        attempt_judge(check, "it is beyond this machine, and --unsafe-target is not given");
        return;
    }
    check->fd = dial_begin(where, size, &error);
    if (error != EINPROGRESS)
        attempt_judge(check, error != 0 ? strerror(error) : NULL);
}

static void
attempt_resolved(void *context, const struct addrinfo *list, const char *why)
{
    struct check *check = context;

    check->lookup = NULL;
    if (list != NULL)
        attempt_dial(check, list->ai_addr, list->ai_addrlen);
    else
        attempt_judge(check, why);
}

static void
attempt_begin(struct check *check)
{
    const struct addrinfo digits = {.ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct service *service = check->tunnel->service;
    struct addrinfo *list = NULL;
    struct address where;

    check->begun_ms = uv_now(&service->loop);
    if (address_parse(&where, check_address(check), 0) != EXIT_DONE)
        return; /* settings_check() has looked at it */
    if (where.kind == ADDRESS_UNIX) {
        attempt_dial(check, (const struct sockaddr *)&where.un, where.un_size);
    } else if (getaddrinfo(where.host, where.port, &digits, &list) == 0) {
        attempt_dial(check, list->ai_addr, list->ai_addrlen);
        freeaddrinfo(list);
    } else {
        const struct lookup_name name = {check->tunnel, where.host, where.port};
        (void)lookup_start(&check->lookup, service->resolver, &name, attempt_resolved, check);
    }
}

/** Has the attempt under way come to something? */
static void
attempt_look(struct check *check, int is_over)
{
    struct sockaddr_storage at;
    socklen_t size = sizeof at;

    if (check->fd >= 0 && getpeername(check->fd, (struct sockaddr *)&at, &size) == 0) {
        attempt_judge(check, NULL);
        return;
    }
    int error = check->fd >= 0 ? dial_error(check->fd) : 0;
    if (error != 0)
        attempt_judge(check, strerror(error));
    else if (is_over)
        attempt_judge(check, check->lookup != NULL ? "its name is not resolved in time"
                                                   : "it does not answer");
}

static void
check_tick(uv_timer_t *timer)
{
    struct check *check = timer->data;
    uint64_t interval = (uint64_t)check->tunnel->settings->health_ms;
    uint64_t now = uv_now(timer->loop);
    uint64_t end = check->begun_ms + interval;

    if (check->fd >= 0 || check->lookup != NULL)
        attempt_look(check, now >= end);
    if (now >= end) {
        attempt_begin(check);
        end = now + interval;
        if (check->fd >= 0 && interval > LOOK_MS)
            end = now + LOOK_MS;
    }
    uv_timer_start(&check->timer, check_tick, end > now ? end - now : 1, 0);
}

static void
check_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void
health_stop(struct tunnel *tunnel)
{
    while (!LIST_EMPTY(&tunnel->checks)) {
        struct check *check = LIST_FIRST(&tunnel->checks);
        LIST_REMOVE(check, entry);
        attempt_end(check);
        uv_close((uv_handle_t *)&check->timer, check_closed);
    }
}

int
health_renew(struct tunnel *tunnel)
{
    const struct tunnel_settings *settings = tunnel->settings;

    for (size_t i = 0; settings->health_ms >= 0 && i < settings->targets.count; i++) {
        struct check *check = calloc(1, sizeof *check);
        if (check == NULL)
            return -1;
        check->tunnel = tunnel;
        check->target = i;
        check->fd = -1;
        uv_timer_init(&tunnel->service->loop, &check->timer);
        check->timer.data = check;
        uv_timer_start(&check->timer, check_tick, 1, 0);
        LIST_INSERT_HEAD(&tunnel->checks, check, entry);
    }
    return 0;
}
