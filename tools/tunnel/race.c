/*
 * Racing the addresses of a target (see race.h).
 *
 * Each address under way has an endpoint of its own; all report to race_event(). Beside the first
 * they take descriptors from those of connections, and where there are none, one follows the other.
 */
#include "race.h"

#include "connection.h"
#include "dial.h"
#include "log.h"
#include "network.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t
racer_hash(const struct racer *racer)
{
    return failures_hash(0, &racer->at, racer->size);
}

/** The number of addresses in a state. */
static unsigned
count_racers(const struct dial *dial, enum racer_state state)
{
    unsigned count = 0;

    for (unsigned i = 0; i < dial->racer_count; i++)
        count += dial->racers[i].state == state;
    return count;
}

static void
remember_cause(struct connection *c, const char *why)
{
    snprintf(c->dial->cause, sizeof c->dial->cause, "%s: %s",
             printable(connection_targets(c)->at[c->dial->target]), why);
}

/* ---- Which addresses, in which order ---- */

static void
add_racer(struct dial *dial, const struct sockaddr *at, socklen_t size)
{
    struct racer *racer = &dial->racers[dial->racer_count];

    if (size > sizeof racer->at)
        return;
    memcpy(&racer->at, at, size);
    racer->size = size;
    dial->racer_count++;
}

static int
make_racers(struct connection *c, unsigned count)
{
    race_free(c);
    c->dial->racers = calloc(count > 0 ? count : 1, sizeof *c->dial->racers);
    return c->dial->racers != NULL ? 0 : -1;
}

int
race_prepare(struct connection *c, const struct addrinfo *list)
{
    const struct addrinfo *order[DIAL_ADDRESSES_MOST];
    unsigned count = dial_order(order, list);
    uint64_t now = uv_now(&c->service->loop);

    if (make_racers(c, count) != 0)
        return -1;
    for (int failed = 0; failed <= 1; failed++)
        for (unsigned i = 0; i < count; i++) {
            uint64_t hash = failures_hash(0, order[i]->ai_addr, order[i]->ai_addrlen);
            if (failures_has(&c->service->failures, hash, now) == failed)
                add_racer(c->dial, order[i]->ai_addr, order[i]->ai_addrlen);
        }
    return 0;
}

int
race_prepare_one(struct connection *c, const struct sockaddr *at, socklen_t size)
{
    if (make_racers(c, 1) != 0)
        return -1;
    add_racer(c->dial, at, size);
    return 0;
}

/* ---- One address ---- */

/** Close a racer's endpoint, and return its share of descriptors. */
static void
racer_close(struct connection *c, struct racer *racer)
{
    if (racer->endpoint == NULL)
        return;
    endpoint_close(racer->endpoint, 0);
    racer->endpoint = NULL;
    c->service->descriptors--;
}

/** error: as errno; why: the same in words. */
static void
racer_failed(struct connection *c, struct racer *racer, int error, const char *why)
{
    c->dial->error = error;
    c->tunnel->counters->dial_failures++;
    racer_close(c, racer);
    racer->state = RACER_FAILED;
    failures_add(&c->service->failures, racer_hash(racer), uv_now(&c->service->loop));
    remember_cause(c, why);
}

/** An address has answered: it is the connection's, and the others are let go. */
static enum race_result
racer_won(struct connection *c, struct racer *racer)
{
    struct dial *dial = c->dial;
    uint64_t now = uv_now(&c->service->loop);

    *connection_dialled(c) = racer->endpoint;
    racer->endpoint->on_event = c->service->hooks->on_event;
    endpoint_watch(racer->endpoint, 0);
    racer->endpoint = NULL;
    c->service->descriptors--;
    racer->state = RACER_FAILED; /* it is not tried twice */
    dial->won = racer_hash(racer);
    failures_forget(&c->service->failures, dial->won);
    for (unsigned i = 0; i < dial->racer_count; i++) {
        struct racer *other = &dial->racers[i];
        if (other->state != RACER_TRYING)
            continue;
        failures_add(&c->service->failures, racer_hash(other), now); /* it was too slow */
        racer_close(c, other);
        other->state = RACER_READY;
    }
    return RACE_WON;
}

/** Something has happened at an address under way. */
static void
race_event(struct connection *c, int is_plain, int events)
{
    (void)is_plain;
    (void)events;
    c->dial->on_connect(c);
}

/** Why a server may not connect to an address; NULL: it may. A name's addresses are looked at here,
 * once it is resolved, so that a name cannot lead where it may not. */
static const char *
find_rule_against(const struct connection *c, const struct racer *racer)
{
    uint8_t address[NETWORK_ADDRESS];

    if (c->socks != NULL)
        return network_address(address, (const struct sockaddr *)&racer->at) == 0 &&
                       socks_address_allowed(c->settings, c->socks, address)
                   ? NULL
                   : "it has an address that allow-target does not allow";
    return network_is_loopback(&racer->at) || c->settings->unsafe_target
               ? NULL
               : "it is beyond this machine, and unsafe-target is not given";
}

/** How an address is dialled: by the settings, which are of the dial between the ends. */
static struct dial_way
choose_way(const struct connection *c)
{
    const struct tunnel_settings *settings = c->settings;

    if (c->dials_plain)
        return (struct dial_way){.udp = settings_is_udp(settings)};
    return (struct dial_way){.source = settings->bind,
                             .mptcp = settings->mptcp && settings->route.kind == ROUTE_DIRECT};
}

/** Begin an address. */
static enum race_result
racer_begin(struct connection *c, struct racer *racer)
{
    int is_plain = c->dials_plain;
    int is_far = !network_is_loopback(&racer->at);
    int error;

    const char *forbidden = is_plain ? find_rule_against(c, racer) : NULL;
    if (forbidden != NULL) {
        racer_failed(c, racer, EACCES, forbidden);
        return RACE_FAILED;
    }
    const struct dial_way way = choose_way(c);
    int fd = dial_begin_by(&way, (const struct sockaddr *)&racer->at, racer->size, &error);
    if (fd >= 0) {
        endpoint_prepare(fd, is_far);
        racer->endpoint = endpoint_new(&c->service->loop, c, fd, is_plain, race_event);
        c->service->descriptors += racer->endpoint != NULL;
    }
    if (fd >= 0 && racer->endpoint == NULL)
        error = ENOMEM;
    racer->state = RACER_TRYING;
    if (error == 0)
        return racer_won(c, racer);
    if (error != EINPROGRESS) {
        racer_failed(c, racer, error, strerror(error));
        return RACE_FAILED;
    }
    endpoint_watch(racer->endpoint, UV_WRITABLE);
    return RACE_WAITS;
}

/* ---- All of them ---- */

/** 1 when one more may begin beside those under way. */
static int
may_begin(const struct connection *c)
{
    return count_racers(c->dial, RACER_TRYING) == 0 ||
           c->service->descriptors + 1 <= c->service->descriptors_most;
}

enum race_result
race_step(struct connection *c)
{
    struct dial *dial = c->dial;

    for (unsigned i = 0; i < dial->racer_count && may_begin(c); i++) {
        if (dial->racers[i].state != RACER_READY)
            continue;
        enum race_result result = racer_begin(c, &dial->racers[i]);
        if (result != RACE_FAILED)
            return result;
    }
    return count_racers(dial, RACER_TRYING) > 0 ? RACE_WAITS : RACE_FAILED;
}

enum race_result
race_look(struct connection *c)
{
    struct dial *dial = c->dial;
    unsigned failed = 0;

    for (unsigned i = 0; i < dial->racer_count; i++) {
        struct racer *racer = &dial->racers[i];
        if (racer->state != RACER_TRYING)
            continue;
        struct pollfd fd = {.fd = racer->endpoint->fd, .events = POLLOUT};
        if (poll(&fd, 1, 0) < 1)
            continue;
        int error = dial_error(fd.fd);
        if (error == 0)
            return racer_won(c, racer);
        racer_failed(c, racer, error, strerror(error));
        failed++;
    }
    return failed > 0 ? race_step(c) : RACE_WAITS;
}

int
race_next_ms(const struct connection *c, uint64_t left_ms)
{
    unsigned ready = count_racers(c->dial, RACER_READY);
    uint64_t share = left_ms / (ready + 1);

    if (ready == 0)
        return -1;
    return share < DIAL_NEXT_MS ? (int)share : DIAL_NEXT_MS;
}

void
race_give_up(struct connection *c)
{
    for (unsigned i = 0; i < c->dial->racer_count; i++)
        if (c->dial->racers[i].state != RACER_FAILED)
            racer_failed(c, &c->dial->racers[i], ETIMEDOUT, "it does not answer");
}

void
race_lost(struct connection *c)
{
    struct endpoint **side = connection_dialled(c);

    c->tunnel->counters->dial_failures++;
    failures_add(&c->service->failures, c->dial->won, uv_now(&c->service->loop));
    endpoint_close(*side, 0);
    *side = NULL;
}

void
race_free(struct connection *c)
{
    struct dial *dial = c->dial;

    for (unsigned i = 0; i < dial->racer_count; i++)
        racer_close(c, &dial->racers[i]);
    free(dial->racers);
    dial->racers = NULL;
    dial->racer_count = 0;
}
