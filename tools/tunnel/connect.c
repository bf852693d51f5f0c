/*
 * Reaching a target, or a client's peer: its addresses in turn, each with its share of the time.
 *
 * Names are resolved for each connection, off the loop. A client that reached nobody tries all of
 * them again after a pause that grows and is drawn, as long as its time allows; a server has one
 * go, for its peer waits.
 */
#include "connection.h"

#include "address.h"
#include "log.h"
#include "loopback.h"
#include "os/os.h"
#include "os/socket.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAUSE_LEAST_MS = 25, PAUSE_MOST_MS = 2000, SHARE_LEAST_MS = 200 };

struct dial {
    uv_getaddrinfo_t request;
    struct connection *connection; /* NULL: nobody waits any more */
    struct addrinfo *list;         /* of the target that is tried; NULL: not of TCP, or done */
    const struct addrinfo *next;   /* in it */
    size_t target;                 /* the one that is tried */
    unsigned rounds;               /* how often all were tried */
    uint64_t end_ms;
    int resolving;
    char cause[256]; /* why the last one was not reached */
};

static void try_next_address(struct connection *c);
static void try_target(struct connection *c);

/* ---- Parts ---- */

static uint64_t
now_ms(const struct connection *c)
{
    return uv_now(&c->service->loop);
}

/** The side that is dialled. */
static struct endpoint **
dialled(struct connection *c)
{
    return c->settings->side == TUNNEL_CLIENT ? &c->duet : &c->plain;
}

static const char *
target_of(const struct connection *c)
{
    return c->settings->targets.at[c->dial->target];
}

static void
note_cause(struct connection *c, const char *why)
{
    snprintf(c->dial->cause, sizeof c->dial->cause, "%s: %s", printable(target_of(c)), why);
}

static void
drop_list(struct dial *dial)
{
    uv_freeaddrinfo(dial->list);
    dial->list = NULL;
    dial->next = NULL;
}

void
dial_free(struct dial *dial)
{
    if (dial == NULL)
        return;
    dial->connection = NULL;
    if (dial->resolving) {
        (void)uv_cancel((uv_req_t *)&dial->request); /* its callback releases */
        return;
    }
    uv_freeaddrinfo(dial->list);
    free(dial);
}

/* ---- One address ---- */

static void
address_failed(struct connection *c, const char *why)
{
    note_cause(c, why);
    c->tunnel->counters->dial_failures++;
    endpoint_close(*dialled(c), 0);
    *dialled(c) = NULL;
    try_next_address(c);
}

static void
address_is_late(struct connection *c)
{
    address_failed(c, "it does not answer");
}

static void
reached(struct connection *c)
{
    connection_time(c, -1, NULL);
    c->target = target_of(c);
    if (c->settings->side == TUNNEL_SERVER) {
        dial_free(c->dial);
        c->dial = NULL;
    }
    connection_dialled(c);
}

static void
connected(struct connection *c, int events)
{
    int error = 0;
    socklen_t size = sizeof error;

    (void)events;
    if (getsockopt((*dialled(c))->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error == 0)
        reached(c);
    else
        address_failed(c, strerror(error));
}

/** An address's share of the time that is left: the others are to have theirs. */
static int
share(const struct connection *c)
{
    const struct dial *dial = c->dial;
    uint64_t now = now_ms(c);
    uint64_t left = dial->end_ms > now ? dial->end_ms - now : 0;
    uint64_t others = c->settings->targets.count - dial->target;

    for (const struct addrinfo *a = dial->next; a != NULL; a = a->ai_next)
        others++;
    left /= others;
    return left < SHARE_LEAST_MS ? SHARE_LEAST_MS : (int)left;
}

static int
is_far(const struct sockaddr *where, socklen_t size)
{
    struct sockaddr_storage at = {0};

    memcpy(&at, where, size < sizeof at ? size : sizeof at);
    return !is_local(&at);
}

/** A server's target is plain: what is sent there leaves this machine only if that is meant. */
static int
may_dial(const struct connection *c, const struct sockaddr *where, socklen_t size)
{
    return c->settings->side == TUNNEL_CLIENT || c->settings->unsafe_target || !is_far(where, size);
}

static void
try_address(struct connection *c, const struct sockaddr *where, socklen_t size)
{
    if (!may_dial(c, where, size)) {
        address_failed(c, "it is beyond this machine, and --unsafe-target was not said");
        return;
    }
    int fd = duet__os_socket(where->sa_family, SOCK_STREAM, DUET__OS_NO_WAITS);
    if (fd < 0) {
        address_failed(c, strerror(errno));
        return;
    }
    endpoint_prepare(fd, is_far(where, size));
    int result = connect(fd, where, size);
    int error = errno;
    *dialled(c) = endpoint_open(&c->service->loop, c, fd, connected);
    if (*dialled(c) == NULL) {
        address_failed(c, "no memory");
    } else if (result == 0) {
        reached(c);
    } else if (error != EINPROGRESS) {
        address_failed(c, strerror(error));
    } else {
        endpoint_watch(*dialled(c), UV_WRITABLE);
        connection_time(c, share(c), address_is_late);
    }
}

/* ---- A target: its name's addresses ---- */

static void
resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct dial *dial = request->data;
    struct connection *c = dial->connection;

    dial->resolving = 0;
    if (status != 0)
        list = NULL;
    dial->list = list;
    dial->next = list;
    if (c == NULL) {
        dial_free(dial);
        return;
    }
    if (list == NULL)
        note_cause(c, uv_strerror(status));
    try_next_address(c);
}

static void
resolving_is_late(struct connection *c)
{
    connection_end(c, END_UNREACHED, "the target's name was not resolved in time");
}

/** Numbers need no resolver, and no thread. Returns 0, or -1. */
static int
resolve_numbers(struct dial *dial, const struct address *where)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};

    if (getaddrinfo(where->host, where->port, &hints, &dial->list) != 0)
        return -1;
    dial->next = dial->list;
    return 0;
}

static void
resolve_name(struct connection *c, const struct address *where)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct dial *dial = c->dial;
    uint64_t now = now_ms(c);

    dial->request.data = dial;
    int result = uv_getaddrinfo(&c->service->loop, &dial->request, resolved, where->host,
                                where->port, &hints);
    if (result != 0) {
        note_cause(c, uv_strerror(result));
        try_next_address(c);
        return;
    }
    dial->resolving = 1;
    connection_time(c, dial->end_ms > now ? (int)(dial->end_ms - now) : SHARE_LEAST_MS,
                    resolving_is_late);
}

static void
try_target(struct connection *c)
{
    struct address where;

    c->state = CONNECTION_DIALLING;
    if (address_parse(&where, target_of(c), 0) != EXIT_DONE || where.kind == ADDRESS_FD) {
        note_cause(c, "is no address that can be dialled");
        try_next_address(c);
    } else if (where.kind == ADDRESS_UNIX) {
        try_address(c, (const struct sockaddr *)&where.un, sizeof where.un);
    } else if (resolve_numbers(c->dial, &where) == 0) {
        try_next_address(c);
    } else {
        resolve_name(c, &where);
    }
}

/* ---- All of them ---- */

static void
try_again(struct connection *c)
{
    c->dial->target = 0;
    try_target(c);
}

/** The pause before the next round: doubled each time, and drawn between half of that and all, so
 * that many clients do not come back at once. */
static int
pause_ms(unsigned rounds)
{
    uint32_t number = 0;
    unsigned most = rounds < 7 ? (unsigned)PAUSE_LEAST_MS << rounds : (unsigned)PAUSE_MOST_MS;

    most = most < PAUSE_MOST_MS ? most : PAUSE_MOST_MS;
    (void)duet__os_random((uint8_t *)&number, sizeof number);
    return (int)(most / 2 + number % (most / 2 + 1));
}

static void
round_is_over(struct connection *c)
{
    struct dial *dial = c->dial;
    int pause = pause_ms(++dial->rounds);

    if (c->settings->side == TUNNEL_CLIENT && now_ms(c) + (uint64_t)pause < dial->end_ms) {
        connection_time(c, pause, try_again);
        return;
    }
    connection_end(c, END_UNREACHED, dial->cause);
}

/** The next address of the target, or the next target. */
static void
try_next_address(struct connection *c)
{
    struct dial *dial = c->dial;
    const struct addrinfo *a = dial->next;

    if (a != NULL) {
        dial->next = a->ai_next;
        try_address(c, a->ai_addr, a->ai_addrlen);
        return;
    }
    drop_list(dial);
    if (++dial->target < c->settings->targets.count)
        try_target(c);
    else
        round_is_over(c);
}

void
dial_failed(struct connection *c, const char *reason)
{
    char why[sizeof c->dial->cause];

    snprintf(why, sizeof why, "%s", reason); /* the channel's own */
    duet_channel_free(c->channel);
    c->channel = NULL;
    c->target = NULL;
    if (now_ms(c) >= c->dial->end_ms) {
        connection_end(c, END_UNREACHED, why);
        return;
    }
    address_failed(c, why);
}

void
dial_start(struct connection *c)
{
    c->dial = calloc(1, sizeof *c->dial);
    if (c->dial == NULL) {
        connection_end(c, END_REFUSED, "no memory to dial");
        return;
    }
    c->dial->connection = c;
    c->dial->end_ms = now_ms(c) + (uint64_t)c->settings->connect_ms;
    try_target(c);
}
