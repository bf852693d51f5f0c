/*
 * Reaching a target, or a client's peer, with failover: one target after another, each with its
 * share of the connect timeout, those that failed lately last.
 *
 * Names are resolved for each connection, off the loop; their addresses are raced (race.c). A
 * client that reached none tries all of them again after a pause that grows and is random, as long
 * as its time allows; a server tries them once, as its peer waits, unless the last is a Unix socket
 * whose queue is full, where TCP would have waited. The time of a handshake is its own: a peer that
 * accepts and stays silent takes nothing from the next target.
 */
#include "connection.h"

#include "address.h"
#include "log.h"
#include "os/os.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PAUSE_LEAST_MS = 25, PAUSE_MOST_MS = 2000, SHARE_LEAST_MS = 200 };

static uint64_t
now_of(const struct connection *c)
{
    return uv_now(&c->service->loop);
}

/** Milliseconds until a time; 0: it is over. */
static uint64_t
time_left(const struct connection *c, uint64_t end_ms)
{
    return end_ms > now_of(c) ? end_ms - now_of(c) : 0;
}

/* ---- Targets, in which order ---- */

static const char *
current_target(const struct connection *c)
{
    return connection_targets(c)->at[c->dial->target];
}

static uint64_t
target_hash(const struct connection *c, size_t target)
{
    return failures_target(c->settings->name, connection_targets(c)->at[target]);
}

/** How many connections a target has now, where that decides. */
static unsigned
target_load(const struct connection *c, size_t target)
{
    const char *address = connection_targets(c)->at[target];
    const struct connection *other;
    unsigned load = 0;

    if (c->settings->balance != BALANCE_LEAST)
        return 0;
    TAILQ_FOREACH (other, &c->service->connections, entry)
        load += other != c && other->tunnel == c->tunnel && other->target != NULL &&
                strcmp(other->target, address) == 0;
    return load;
}

/** The current target failed: it comes last for a while. */
static void
target_failed(struct connection *c)
{
    failures_add(&c->service->failures, target_hash(c, c->dial->target), now_of(c));
}

static enum race_result
attempt_failed(struct connection *c, const char *why)
{
    snprintf(c->dial->cause, sizeof c->dial->cause, "%s: %s", printable(current_target(c)), why);
    return RACE_FAILED;
}

/** Choose the next target of this round, and give it its share of the time. Returns 0, or -1: all
 * were tried. */
static int
choose_target(struct connection *c)
{
    struct dial *dial = c->dial;
    size_t count = connection_targets(c)->count, left = 0, chosen = count;
    unsigned chosen_load = 0;
    int chosen_failed = 0;

    for (size_t i = 0; i < count; i++) {
        if (dial->tried[i])
            continue;
        left++;
        int failed = failures_has(&c->service->failures, target_hash(c, i), now_of(c));
        unsigned load = target_load(c, i);
        if (chosen == count || failed < chosen_failed ||
            (failed == chosen_failed && load < chosen_load)) {
            chosen = i;
            chosen_load = load;
            chosen_failed = failed;
        }
    }
    if (left == 0)
        return -1;
    uint64_t share = time_left(c, dial->end_ms) / left;
    dial->target = chosen;
    dial->tried[chosen] = 1;
    dial->target_end_ms = now_of(c) + (share > SHARE_LEAST_MS ? share : SHARE_LEAST_MS);
    return 0;
}

/* ---- A target, and its name's addresses ---- */

static void connect_continue(struct connection *c, enum race_result result);

static void
target_resolved(void *context, const struct addrinfo *list, const char *why)
{
    struct connection *c = context;

    c->dial->lookup = NULL;
    c->dial->error = EHOSTUNREACH;
    if (list == NULL)
        attempt_failed(c, why);
    else if (race_prepare(c, list) != 0)
        attempt_failed(c, "no memory");
    connect_continue(c, race_step(c));
}

/** Where the current target is. Returns 0, or -1. */
static int
find_address(const struct connection *c, struct address *where)
{
    if (c->socks == NULL || !c->dials_plain)
        return address_parse_any(where, way_address(c, current_target(c)), 0) != EXIT_DONE ||
                       where->kind == ADDRESS_FD
                   ? -1
                   : 0;
    /* not from its text: a client may ask for a host that is called unix or fd */
    where->kind = ADDRESS_TCP;
    snprintf(where->host, sizeof where->host, "%s", c->socks->host);
    snprintf(where->port, sizeof where->port, "%u", c->socks->port);
    return 0;
}

/** Begin the current target. */
static enum race_result
try_target(struct connection *c)
{
    int type = c->dials_plain && settings_is_udp(c->settings) ? SOCK_DGRAM : SOCK_STREAM;
    const struct addrinfo digits = {.ai_socktype = type,
                                    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    struct address where;
    int result;

    race_free(c);
    if (way_is_command(c))
        return way_run_command(c) == 0 ? RACE_WON : attempt_failed(c, "the command cannot be run");
    if (find_address(c, &where) != 0)
        return attempt_failed(c, "is not an address that can be dialled");
    if (where.kind == ADDRESS_UNIX) {
        result = race_prepare_one(c, (const struct sockaddr *)&where.un, where.un_size);
    } else if (getaddrinfo(where.host, where.port, &digits, &list) == 0) {
        result = race_prepare(c, list);
        freeaddrinfo(list);
    } else {
        int is_asked_for = c->socks != NULL && c->dials_plain;
        unsigned most = is_asked_for ? LOOKUPS_OF_PROGRAMS : LOOKUPS_OF_TARGETS;
        const struct lookup_name name = {c->tunnel, most, where.host, where.port, type};
        result = lookup_start(&c->dial->lookup, c->service->resolver, &name, target_resolved, c);
        if (result == 0)
            return RACE_WAITS;
    }
    return result == 0 ? race_step(c) : attempt_failed(c, "no memory");
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

/** 1 when all targets may be tried again while there is time. */
static int
may_retry(const struct connection *c)
{
    return c->settings->side == TUNNEL_CLIENT || c->dial->error == EAGAIN;
}

static void
all_failed(struct connection *c)
{
    int pause = retry_pause(++c->dial->rounds);

    if (c->socks != NULL && c->dials_plain)
        c->socks->reply = socks_reply_of(c->dial->error);
    if (may_retry(c) && (uint64_t)pause < time_left(c, c->dial->last_ms))
        connection_enter(c, CONNECTION_RETRY_PAUSE, pause);
    else
        connection_end(c, END_UNREACHED, c->dial->cause);
}

/** Wait for the resolver, or for addresses under way: until the target's time is over, or until the
 * next address is to begin. */
static void
await_target(struct connection *c)
{
    uint64_t left = time_left(c, c->dial->target_end_ms);
    int next = c->dial->lookup == NULL ? race_next_ms(c, left) : -1;
    int ms = next >= 0 && (uint64_t)next < left ? next : (int)left;

    connection_enter(c, c->dial->lookup != NULL ? CONNECTION_RESOLVING : CONNECTION_CONNECTING, ms);
}

/** Go on after an attempt: try one target after another until one waits or is reached, or all have
 * failed. */
static void
connect_continue(struct connection *c, enum race_result result)
{
    while (result == RACE_FAILED) {
        target_failed(c);
        if (choose_target(c) != 0) {
            all_failed(c);
            return;
        }
        result = try_target(c);
    }
    if (result == RACE_WAITS) {
        await_target(c);
        return;
    }
    c->target = current_target(c);
    c->dial->handshake_ms = now_of(c);
    c->service->hooks->on_dialled(c);
}

static void
start_round(struct connection *c)
{
    memset(c->dial->tried, 0, connection_targets(c)->count);
    (void)choose_target(c); /* there is one at least */
    connect_continue(c, try_target(c));
}

static void
connect_finish(struct connection *c)
{
    connect_continue(c, race_look(c));
}

/** The current target's time is over, or its next address is to begin. */
static enum race_result
target_timeout(struct connection *c)
{
    if (time_left(c, c->dial->target_end_ms) > 0)
        return race_step(c);
    if (c->dial->lookup == NULL) {
        race_give_up(c);
        return RACE_FAILED;
    }
    lookup_cancel(c->dial->lookup);
    c->dial->lookup = NULL;
    c->dial->error = ETIMEDOUT;
    return attempt_failed(c, "the target's name was not resolved in time");
}

void
connect_timeout(struct connection *c)
{
    if (c->state == CONNECTION_RETRY_PAUSE)
        start_round(c);
    else
        connect_continue(c, target_timeout(c));
}

void
connect_leave(struct connection *c)
{
    duet_channel_free(c->channel);
    c->channel = NULL;
    linger_start(c->service, endpoint_detach(c->duet), time_left(c, c->dial->silence_ms));
    c->duet = NULL;
}

void
connect_next(struct connection *c, const char *reason)
{
    struct dial *dial = c->dial;
    uint64_t spent = now_of(c) - dial->handshake_ms;

    attempt_failed(c, reason); /* before the channel's own text goes with it */
    connect_leave(c);
    c->target = NULL;
    dial->end_ms += spent;
    dial->target_end_ms += spent;
    race_lost(c);
    connect_continue(c, race_step(c));
}

void
connect_done(struct connection *c)
{
    if (c->dial == NULL)
        return;
    failures_forget(&c->service->failures, target_hash(c, c->dial->target));
    connection_free_dial(c);
}

void
connect_start(struct connection *c)
{
    struct dial *dial = c->dial = calloc(1, sizeof *c->dial);

    if (dial != NULL)
        dial->tried = calloc(connection_targets(c)->count, 1);
    if (dial == NULL || dial->tried == NULL) {
        connection_end(c, END_REFUSED, "no memory to dial");
        return;
    }
    dial->on_connect = connect_finish;
    dial->last_ms = dial->end_ms = now_of(c) + (uint64_t)c->settings->connect_ms;
    start_round(c);
}
