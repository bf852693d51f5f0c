/*
 * Health checks of a server's targets: each is connected to at an interval and left at once. One
 * that does not answer is remembered as failed (failures.h), so that it is tried last, before a
 * connection has met it; one that answers again is forgotten there.
 *
 * An attempt tries all addresses of a name, each a moment after the one before or at once when that
 * has failed, and is given up at the end of its interval. Changes are logged, not each check.
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

/** One address of a target. */
struct candidate {
    struct sockaddr_storage at;
    socklen_t size;
    int fd; /* being connected; -1: none */
};

/** The check of one target. */
struct check {
    struct tunnel *tunnel;
    size_t target; /* its number in the settings */
    uv_timer_t timer;
    struct lookup *lookup;
    uint64_t begun_ms;
    struct candidate candidates[DIAL_ADDRESSES_MOST];
    unsigned count, tried; /* candidates of this attempt, and how many of them were begun */
    const char *why;       /* the last one that failed did */
    int is_down, is_up;    /* neither before the first answer */
    LIST_ENTRY(check) entry;
};

static const char *
check_address(const struct check *check)
{
    return check->tunnel->settings->targets.at[check->target];
}

static void
candidate_close(struct candidate *candidate)
{
    if (candidate->fd >= 0)
        close(candidate->fd);
    candidate->fd = -1;
}

/** How many candidates are being connected. */
static unsigned
count_dialled(const struct check *check)
{
    unsigned count = 0;

    for (unsigned i = 0; i < check->tried; i++)
        count += check->candidates[i].fd >= 0;
    return count;
}

/** The attempt under way is over. */
static void
attempt_end(struct check *check)
{
    lookup_cancel(check->lookup);
    check->lookup = NULL;
    for (unsigned i = 0; i < check->tried; i++)
        candidate_close(&check->candidates[i]);
    check->count = check->tried = 0;
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
    if (check->is_up == is_down)
        check->tunnel->counters->targets_up += is_down ? (uint64_t)-1 : 1;
    check->is_up = !is_down;
    check->is_down = is_down;
}

/** Begin one address. Returns 0: it answers; EINPROGRESS; another number: it failed, see why. */
static int
candidate_begin(struct check *check, struct candidate *candidate)
{
    int error;

    if (!network_is_loopback(&candidate->at) && !check->tunnel->settings->unsafe_target) {
        check->why = "it is beyond this machine, and unsafe-target is not given";
        return EPERM;
    }
    candidate->fd = dial_begin((const struct sockaddr *)&candidate->at, candidate->size, &error);
    if (error == 0 || error == EINPROGRESS)
        return error;
    candidate_close(candidate);
    check->why = strerror(error);
    return error;
}

/** Begin the next address that does not fail at once; without one under way the attempt is over. */
static void
attempt_next(struct check *check)
{
    while (check->tried < check->count) {
        int error = candidate_begin(check, &check->candidates[check->tried++]);
        if (error == 0)
            attempt_judge(check, NULL);
        if (error == 0 || error == EINPROGRESS)
            return;
    }
    if (count_dialled(check) == 0)
        attempt_judge(check, check->why);
}

static void
add_candidate(struct check *check, const struct sockaddr *at, socklen_t size)
{
    struct candidate *candidate = &check->candidates[check->count];

    if (size > sizeof candidate->at)
        return;
    *candidate = (struct candidate){.size = size, .fd = -1};
    memcpy(&candidate->at, at, size);
    check->count++;
}

static void
attempt_dial(struct check *check, const struct addrinfo *list)
{
    const struct addrinfo *order[DIAL_ADDRESSES_MOST];
    unsigned count = dial_order(order, list);

    for (unsigned i = 0; i < count; i++)
        add_candidate(check, order[i]->ai_addr, order[i]->ai_addrlen);
    attempt_next(check);
}

static void
attempt_resolved(void *context, const struct addrinfo *list, const char *why)
{
    struct check *check = context;

    check->lookup = NULL;
    if (list != NULL)
        attempt_dial(check, list);
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
    check->why = "it has no address";
    if (address_parse(&where, check_address(check), 0) != EXIT_DONE)
        return; /* settings_check() has looked at it */
    if (where.kind == ADDRESS_UNIX) {
        add_candidate(check, (const struct sockaddr *)&where.un, where.un_size);
        attempt_next(check);
    } else if (getaddrinfo(where.host, where.port, &digits, &list) == 0) {
        attempt_dial(check, list);
        freeaddrinfo(list);
    } else {
        const struct lookup_name name = {check->tunnel, LOOKUPS_OF_TARGETS, where.host, where.port,
                                         SOCK_STREAM};
        (void)lookup_start(&check->lookup, service->resolver, &name, attempt_resolved, check);
    }
}

/** Has an address answered? Those that have failed are closed. */
static int
attempt_has_answer(struct check *check)
{
    for (unsigned i = 0; i < check->tried; i++) {
        struct candidate *candidate = &check->candidates[i];
        struct sockaddr_storage at;
        socklen_t size = sizeof at;
        if (candidate->fd < 0)
            continue;
        if (getpeername(candidate->fd, (struct sockaddr *)&at, &size) == 0)
            return 1;
        int error = dial_error(candidate->fd);
        if (error == 0)
            continue;
        check->why = strerror(error);
        candidate_close(candidate);
    }
    return 0;
}

/** Has the attempt under way come to something? Otherwise the next address is begun. */
static void
attempt_look(struct check *check, int is_over)
{
    if (attempt_has_answer(check))
        attempt_judge(check, NULL);
    else if (is_over && check->lookup != NULL)
        attempt_judge(check, "its name is not resolved in time");
    else if (is_over)
        attempt_judge(check, count_dialled(check) > 0 ? "it does not answer" : check->why);
    else if (check->lookup == NULL)
        attempt_next(check);
}

static int
attempt_is_under_way(const struct check *check)
{
    return check->lookup != NULL || check->count > 0;
}

/** Milliseconds until an attempt that is under way is looked at, of those that are left. */
static uint64_t
look_ms(const struct check *check, uint64_t left_ms)
{
    uint64_t untried = check->count - check->tried;
    uint64_t share = left_ms / (untried + 1);

    return share < DIAL_NEXT_MS ? share : DIAL_NEXT_MS;
}

static void
check_tick(uv_timer_t *timer)
{
    struct check *check = timer->data;
    uint64_t interval = (uint64_t)check->tunnel->settings->health_ms;
    uint64_t now = uv_now(timer->loop);
    uint64_t end = check->begun_ms + interval;

    if (attempt_is_under_way(check))
        attempt_look(check, now >= end);
    if (now >= end) {
        attempt_begin(check);
        end = now + interval;
    }
    uint64_t left = end > now ? end - now : 1;
    if (attempt_is_under_way(check))
        left = look_ms(check, left);
    uv_timer_start(&check->timer, check_tick, left > 0 ? left : 1, 0);
}

static void
check_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void
health_stop(struct tunnel *tunnel)
{
    if (!LIST_EMPTY(&tunnel->checks)) /* else the row may be another's of the same name */
        tunnel->counters->targets_up = 0;
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
        uv_timer_init(&tunnel->service->loop, &check->timer);
        check->timer.data = check;
        uv_timer_start(&check->timer, check_tick, 1, 0);
        LIST_INSERT_HEAD(&tunnel->checks, check, entry);
    }
    return 0;
}
