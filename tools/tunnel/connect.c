/*
 * Reaching a target, or a client's peer, with failover: the addresses of all targets in turn, each
 * with its share of the connect timeout.
 *
 * Names are resolved for each connection, off the loop. A client that reached none tries all of
 * them again after a pause that grows and is random, as long as its time allows; a server tries
 * them once, as its peer waits.
 */
#include "connection.h"

#include "address.h"
#include "dial.h"
#include "log.h"
#include "network.h"
#include "os/os.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAUSE_LEAST_MS = 25, PAUSE_MOST_MS = 2000, SHARE_LEAST_MS = 200 };

/** What an attempt came to. */
enum attempt { ATTEMPT_FAILED, ATTEMPT_WAITS, ATTEMPT_REACHED };

static uint64_t
connect_left(const struct connection *c)
{
    uint64_t now = uv_now(&c->service->loop);

    return c->dial->end_ms > now ? c->dial->end_ms - now : 0;
}

static const char *
current_target(const struct connection *c)
{
    return connection_targets(c)->at[c->dial->target - 1];
}

static enum attempt
attempt_failed(struct connection *c, const char *why)
{
    snprintf(c->dial->cause, sizeof c->dial->cause, "%s: %s", printable(current_target(c)), why);
    return ATTEMPT_FAILED;
}

/* ---- One address ---- */

/** Close what was dialled in vain, and remember why. */
static enum attempt
address_failed(struct connection *c, const char *why)
{
    struct endpoint **side = connection_dialled(c);

    c->tunnel->counters->dial_failures++;
    endpoint_close(*side, 0);
    *side = NULL;
    return attempt_failed(c, why);
}

/** An address's share of the time that is left. */
static int
address_share(const struct connection *c)
{
    uint64_t others = connection_targets(c)->count - c->dial->target + dial_count(c->dial->next);
    uint64_t share = connect_left(c) / (others + 1);

    return share < SHARE_LEAST_MS ? SHARE_LEAST_MS : (int)share;
}

static enum attempt
try_address(struct connection *c, const struct sockaddr *where, socklen_t size)
{
    struct sockaddr_storage at = {0};
    int is_plain = c->dials_plain;
    int error;

    memcpy(&at, where, size < sizeof at ? size : sizeof at);
    int is_far = !network_is_loopback(&at);
    if (is_plain && is_far && !c->settings->unsafe_target)
        return address_failed(c, "it is beyond this machine, and --unsafe-target is not given");
    int fd = dial_begin(where, size, &error);
    if (fd < 0)
        return address_failed(c, strerror(error));
    endpoint_prepare(fd, is_far);
    if (connection_attach(c, fd, is_plain) != 0)
        return address_failed(c, "no memory");
    if (error == 0)
        return ATTEMPT_REACHED;
    if (error != EINPROGRESS)
        return address_failed(c, strerror(error));
    endpoint_watch(*connection_dialled(c), UV_WRITABLE);
    connection_enter(c, CONNECTION_CONNECTING, address_share(c));
    return ATTEMPT_WAITS;
}

/* ---- A target, and its name's addresses ---- */

static void connect_continue(struct connection *c);

static void
target_resolved(void *context, int status, struct addrinfo *list)
{
    struct connection *c = context;

    c->dial->lookup = NULL;
    c->dial->list = list;
    c->dial->next = list;
    if (list == NULL)
        attempt_failed(c, uv_strerror(status));
    connect_continue(c);
}

/** Resolve the next target of the settings. */
static enum attempt
try_target(struct connection *c)
{
    const struct addrinfo digits = {.ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct dial *dial = c->dial;
    struct address where;

    dial->target++;
    connection_enter(c, CONNECTION_RESOLVING, NO_TIMER);
    if (address_parse(&where, current_target(c), 0) != EXIT_DONE || where.kind == ADDRESS_FD)
        return attempt_failed(c, "is not an address that can be dialled");
    if (where.kind == ADDRESS_UNIX)
        return try_address(c, (const struct sockaddr *)&where.un, sizeof where.un);
    if (getaddrinfo(where.host, where.port, &digits, &dial->list) == 0) {
        dial->next = dial->list;
        return ATTEMPT_FAILED; /* go on with its addresses */
    }
    int result =
        lookup_start(&dial->lookup, &c->service->loop, where.host, where.port, target_resolved, c);
    if (result != 0)
        return attempt_failed(c, uv_strerror(result));
    uint64_t left = connect_left(c);
    connection_timer(c, left > 0 ? (int)left : SHARE_LEAST_MS);
    return ATTEMPT_WAITS;
}

/* ---- All of them ---- */

/** The pause before the next round: doubled each time, and random between half of that and all, so
 * that many clients do not come back at once. */
static int
retry_pause(unsigned rounds)
{
    uint32_t number = 0;
    unsigned most = rounds < 7 ? (unsigned)PAUSE_LEAST_MS << rounds : (unsigned)PAUSE_MOST_MS;

    most = most < PAUSE_MOST_MS ? most : PAUSE_MOST_MS;
    (void)duet__os_random((uint8_t *)&number, sizeof number);
    return (int)(most / 2 + number % (most / 2 + 1));
}

static void
all_failed(struct connection *c)
{
    int pause = retry_pause(++c->dial->rounds);

    c->dial->target = 0;
    if (c->settings->side == TUNNEL_CLIENT && (uint64_t)pause < connect_left(c))
        connection_enter(c, CONNECTION_RETRY_PAUSE, pause);
    else
        connection_end(c, END_UNREACHED, c->dial->cause);
}

/** Try one address after another until one waits or is reached, or all have failed. */
static void
connect_continue(struct connection *c)
{
    struct dial *dial = c->dial;
    enum attempt attempt = ATTEMPT_FAILED;

    while (attempt == ATTEMPT_FAILED) {
        const struct addrinfo *a = dial->next;
        if (a != NULL) {
            dial->next = a->ai_next;
            attempt = try_address(c, a->ai_addr, a->ai_addrlen);
            continue;
        }
        uv_freeaddrinfo(dial->list);
        dial->list = NULL;
        if (dial->target == connection_targets(c)->count) {
            all_failed(c);
            return;
        }
        attempt = try_target(c);
    }
    if (attempt == ATTEMPT_REACHED) {
        c->target = current_target(c);
        c->service->hooks->on_dialled(c);
    }
}

void
connect_finish(struct connection *c)
{
    int error = dial_error((*connection_dialled(c))->fd);

    if (error == 0) {
        c->target = current_target(c);
        c->service->hooks->on_dialled(c);
    } else {
        address_failed(c, strerror(error));
        connect_continue(c);
    }
}

void
connect_timeout(struct connection *c)
{
    if (c->state == CONNECTION_RESOLVING) {
        connection_end(c, END_UNREACHED, "the target's name was not resolved in time");
        return;
    }
    if (c->state == CONNECTION_CONNECTING)
        address_failed(c, "it does not answer");
    connect_continue(c);
}

void
connect_leave(struct connection *c)
{
    uint64_t now = uv_now(&c->service->loop);

    duet_channel_free(c->channel);
    c->channel = NULL;
    linger_start(c->service, endpoint_detach(c->duet),
                 c->silence_ms > now ? c->silence_ms - now : 0);
    c->duet = NULL;
}

void
connect_next(struct connection *c, const char *reason)
{
    char why[200];

    snprintf(why, sizeof why, "%s", reason); /* the channel's own text */
    connect_leave(c);
    c->target = NULL;
    if (connect_left(c) == 0) {
        connection_end(c, END_UNREACHED, why);
        return;
    }
    address_failed(c, why);
    connect_continue(c);
}

void
connect_start(struct connection *c)
{
    c->dial = calloc(1, sizeof *c->dial);
    if (c->dial == NULL) {
        connection_end(c, END_REFUSED, "no memory to dial");
        return;
    }
    c->dial->end_ms = uv_now(&c->service->loop) + (uint64_t)c->settings->connect_ms;
    connect_continue(c);
}
