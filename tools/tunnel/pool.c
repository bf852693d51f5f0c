/*
 * A server that dials (see reverse.c for the other end): a pool of authenticated connections at
 * each address of `dial`, each of which serves one client of the other end and is gone then.
 *
 * How many wait follows what is used: the number doubles when half of them are in use at once, and
 * shrinks by one whenever none was taken for a while. A pool that cannot dial tries again after a
 * pause that grows and is random. One that is cut off without an error finds out by PINGs, and then
 * begins one attempt after another, so that the first after the network's return succeeds.
 */
#include "connection.h"

#include "log.h"
#include "os/os.h"
#include "socks.h"

#include <stdlib.h>
#include <string.h>

enum {
    PING_EVERY_MS = 5000,
    SUSPECT_MS = 1000, /* an answer that is later than this may not come at all */
    DEAD_MS = 30000,
    ATTEMPT_EVERY_MS = 1000, /* while others are under way and do not get on */
    ATTEMPTS_MOST = 12,      /* under way at a time, of which the oldest makes room */
    TURN_MOST = 16,          /* begun at once */
    PAUSE_LEAST_MS = 100,
    PAUSE_MOST_MS = 1000,
    PAUSE_LONG_MS = 10000, /* once it has failed for so long: */
    FAILS_LONG_MS = 600000,
    SHRINK_MS = 10000,
    WAITS_LEAST_MS = 1000, /* a connection that ends sooner is of no use to anybody */
    LOST_MOST = 2          /* times as many of those as are wanted: they are dialled slowly */
};

/* ---- Its life ---- */

static void
pool_release(struct pool *pool)
{
    if (--pool->holders > 0)
        return;
    strlist_free(&pool->address);
    free(pool);
}

static void
pool_closed(uv_handle_t *handle)
{
    pool_release(handle->data);
}

void
pools_stop(struct tunnel *tunnel)
{
    while (!LIST_EMPTY(&tunnel->pools)) {
        struct pool *pool = LIST_FIRST(&tunnel->pools);
        LIST_REMOVE(pool, entry);
        pool->tunnel = NULL;
        uv_close((uv_handle_t *)&pool->timer, pool_closed);
    }
}

static void pool_tick(uv_timer_t *timer);

static void
pool_after(struct pool *pool, uint64_t ms)
{
    if (pool->tunnel != NULL)
        uv_timer_start(&pool->timer, pool_tick, ms, 0);
}

static struct pool *
pool_new(struct tunnel *tunnel, const char *address)
{
    struct pool *pool = calloc(1, sizeof *pool);

    if (pool == NULL || strlist_add(&pool->address, address) != 0) {
        free(pool);
        return NULL;
    }
    pool->tunnel = tunnel;
    pool->holders = 1;
    pool->wanted = tunnel->settings->pool_least;
    uv_timer_init(&tunnel->service->loop, &pool->timer);
    pool->timer.data = pool;
    LIST_INSERT_HEAD(&tunnel->pools, pool, entry);
    pool_after(pool, 0);
    return pool;
}

/** Let the connections of an earlier configuration that fit this address belong to the new pool. */
static void
pool_adopt(struct pool *pool)
{
    struct connection *c;

    TAILQ_FOREACH (c, &pool->tunnel->service->connections, entry) {
        if (c->tunnel != pool->tunnel || c->pool == NULL || c->pool->tunnel != NULL ||
            strcmp(c->pool->address.at[0], pool->address.at[0]) != 0)
            continue;
        pool->wanted = c->pool->wanted > pool->wanted ? c->pool->wanted : pool->wanted;
        pool_release(c->pool);
        c->pool = pool;
        if (c->target != NULL)
            c->target = pool->address.at[0]; /* it was the old pool's */
        pool->holders++;
    }
    if (pool->wanted > pool->tunnel->settings->pool_most)
        pool->wanted = pool->tunnel->settings->pool_most;
}

int
pools_renew(struct tunnel *tunnel)
{
    const struct strlist *dial = &tunnel->settings->dial;

    for (size_t i = 0; i < dial->count; i++) {
        struct pool *pool = pool_new(tunnel, dial->at[i]);
        if (pool == NULL)
            return -1;
        pool_adopt(pool);
    }
    return 0;
}

/* ---- What it has ---- */

/** How its connections stand. */
struct pool_state {
    unsigned waiting;         /* and answering */
    unsigned young, dialling; /* attempts under way: those that are not late; all */
    struct connection *first; /* the oldest attempt */
    struct connection *spare; /* the one that has waited longest */
};

static int
is_suspect(const struct connection *c, uint64_t now)
{
    return c->pinged && now >= c->pinged_ms + SUSPECT_MS;
}

static struct pool_state
pool_look(const struct pool *pool)
{
    struct service *service = pool->tunnel->service;
    uint64_t now = uv_now(&service->loop);
    struct pool_state state = {0};
    struct connection *c;

    TAILQ_FOREACH (c, &service->connections, entry) {
        if (c->pool != pool)
            continue;
        if (c->state == CONNECTION_WAITING && c->is_confirmed) {
            state.waiting += !is_suspect(c, now);
            state.spare = state.spare != NULL ? state.spare : c;
            continue;
        }
        state.dialling++;
        state.young += now < c->since_ms + ATTEMPT_EVERY_MS;
        state.first = state.first != NULL ? state.first : c;
    }
    return state;
}

/* ---- Dialling ---- */

static void
pool_dial(struct pool *pool)
{
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    struct service *service = pool->tunnel->service;
    struct connection *c =
        service->descriptors + CONNECTION_DESCRIPTORS <= service->descriptors_most
            ? connection_new(pool->tunnel, CONNECTION_DIALS_PEER, &nowhere)
            : NULL;

    if (c == NULL)
        return; /* the timer tries again */
    c->is_pooled = 1;
    c->tunnel->pooled_count++;
    c->pool = pool;
    pool->holders++;
    connect_start(c);
}

/** A random time between half of this and all. */
static uint64_t
jitter(unsigned ms)
{
    uint32_t number = 0;

    (void)duet__os_random((uint8_t *)&number, sizeof number);
    return ms / 2 + number % (ms / 2 + 1);
}

static void
pool_shrink(struct pool *pool, const struct pool_state *state, uint64_t now)
{
    unsigned least = pool->tunnel->settings->pool_least;

    if (pool->wanted > least && now >= pool->used_ms + SHRINK_MS) {
        pool->wanted--;
        pool->used_ms = now;
    }
    if (state->waiting > pool->wanted) {
        int closed = duet_channel_close(state->spare->channel, 0);
        (void)closed; /* else the peer sees a cut, which is as good */
        connection_end(state->spare, END_DONE, "");
    }
}

static void
pool_tick(uv_timer_t *timer)
{
    struct pool *pool = timer->data;
    uint64_t now = uv_now(&pool->tunnel->service->loop);
    struct pool_state state = pool_look(pool);
    unsigned has = state.waiting + state.young;
    unsigned missing = pool->wanted > has ? pool->wanted - has : 0;

    if (now < pool->next_ms) {
        pool_after(pool, pool->next_ms - now);
        return;
    }
    if (missing > 0 && state.dialling >= ATTEMPTS_MOST + pool->wanted)
        connection_end(state.first, END_UNREACHED, "it does not answer");
    if (pool->pause_ms > 0 || state.dialling > state.young)
        missing = missing > 0; /* one after another until one succeeds */
    for (unsigned i = 0; i < missing && i < TURN_MOST; i++)
        pool_dial(pool);
    pool_shrink(pool, &state, now);
    if (state.waiting < pool->wanted)
        pool_after(pool, jitter(ATTEMPT_EVERY_MS));
    else if (pool->wanted > pool->tunnel->settings->pool_least || state.waiting > pool->wanted)
        pool_after(pool, SHRINK_MS / 2);
}

/** Have another dialled for one that waited and was lost: at once, unless all end as soon as they
 * wait. */
static void
pool_replace(struct pool *pool, const struct connection *c, const char *reason, uint64_t now)
{
    unsigned most = LOST_MOST * pool->wanted;

    pool->lost = now < c->since_ms + WAITS_LEAST_MS ? pool->lost + 1 : 0;
    if (pool->lost > most)
        pool->next_ms = now + jitter(PAUSE_MOST_MS);
    if (pool->lost == most + 1 && pool->tunnel != NULL)
        record_note(RECORD_WARNING,
                    "%s: %s: its connections end as soon as they wait, the last one because: %s; "
                    "they are dialled more slowly",
                    c->settings->name, printable(pool->address.at[0]), reason);
    pool_after(pool, pool->lost > most ? pool->next_ms - now : 0);
}

void
pool_lost(struct connection *c, const char *reason)
{
    struct pool *pool = c->pool;
    uint64_t now = uv_now(&c->service->loop);
    int was_waiting = c->state == CONNECTION_WAITING && c->is_confirmed;

    c->pool = NULL;
    if (pool->tunnel == NULL)
        c->target = NULL; /* a pool of an earlier configuration may go with its last connection */
    if (was_waiting) {
        c->tunnel->counters->waiting--;
        pool_replace(pool, c, reason, now);
    } else if (pool->tunnel != NULL) {
        if (pool->pause_ms == 0) {
            pool->failing_ms = now;
            record_note(RECORD_WARNING, "%s: %s: %s; it is tried again", c->settings->name,
                        printable(pool->address.at[0]), reason);
        }
        unsigned most =
            now >= pool->failing_ms + FAILS_LONG_MS ? PAUSE_LONG_MS : (unsigned)PAUSE_MOST_MS;
        pool->pause_ms = pool->pause_ms == 0 ? (unsigned)PAUSE_LEAST_MS : 2 * pool->pause_ms;
        pool->pause_ms = pool->pause_ms < most ? pool->pause_ms : most;
        pool->next_ms = now + jitter(pool->pause_ms);
        pool_after(pool, pool->next_ms - now);
    }
    pool_release(pool);
}

/* ---- Waiting ---- */

/** The peer has confirmed its keys: from now on it may be used. */
static void
pool_confirm(struct connection *c)
{
    struct pool *pool = c->pool;

    c->is_confirmed = 1;
    c->tunnel->counters->waiting++;
    connection_timer(c, PING_EVERY_MS);
    if (pool->pause_ms > 0)
        record_note(RECORD_INFO, "%s: %s is reached again", c->settings->name,
                    printable(pool->address.at[0]));
    pool->pause_ms = 0;
    pool->next_ms = 0;
    pool_after(pool, 0);
}

/** It was used: have others wait in its place. */
static void
pool_use(struct connection *c)
{
    struct pool *pool = c->pool;
    unsigned most = c->tunnel->settings->pool_most;

    c->pool = NULL;
    pool->lost = 0;
    c->is_pooled = 0;
    c->tunnel->pooled_count--;
    c->tunnel->counters->waiting--;
    if (pool->tunnel != NULL) {
        pool->used_ms = uv_now(&c->service->loop);
        if (pool_look(pool).waiting * 2 < pool->wanted)
            pool->wanted = pool->wanted * 2 < most ? pool->wanted * 2 : most;
        pool_after(pool, 0);
    }
    pool_release(pool);
}

/** A client of the other end came: reach the target for it. May end the connection. */
static void
pool_start(struct connection *c)
{
    struct tunnel *tunnel = c->tunnel;
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof from;

    pool_use(c);
    connection_adopt(c, 0);
    tunnel->counters->accepted++;
    tunnel->counters->open = ++tunnel->open_count;
    c->since_ms = uv_now(&c->service->loop);
    c->dials_plain = 1;
    c->target = NULL;
    c->pinged = 0;
    if (getpeername(c->duet->fd, (struct sockaddr *)&from, &size) != 0 ||
        source_limit_take(&tunnel->sources, (const struct sockaddr *)&from, 0) != 0)
        from.ss_family = AF_UNSPEC;
    source_address_set(&c->from, (const struct sockaddr *)&from);
    connection_enter(c, CONNECTION_RESOLVING, NO_TIMER);
    if (tunnel->open_count > c->settings->most_connections)
        connection_end(c, END_REFUSED, "max-connections is reached");
    else if (reverse_send_byte(c) != DUET_OK)
        connection_end(c, END_CUT, "the peer went away before it was answered");
    else
        socks_serve(c);
}

void
pool_wait(struct connection *c)
{
    connect_done(c);
    connection_enter(c, CONNECTION_WAITING, c->settings->handshake_ms);
    reverse_flush(c);
    reverse_watch(c);
    pool_event(c);
}

void
pool_event(struct connection *c)
{
    int result = reverse_recv_byte(c);
    duet_info info;

    if (result == DUET_OK) {
        if (!c->is_confirmed)
            pool_confirm(c);
        pool_start(c);
        return;
    }
    if (result != DUET_AGAIN) {
        reverse_fail(c, result);
        return;
    }
    duet_session_info(duet_channel_session(c->channel), &info);
    if (info.ready && !c->is_confirmed)
        pool_confirm(c);
    if (c->pinged && !info.pinging) {
        c->pinged = 0;
        connection_timer(c, PING_EVERY_MS);
    }
    reverse_watch(c);
}

void
pool_timeout(struct connection *c)
{
    uint64_t now = uv_now(&c->service->loop);

    if (!c->is_confirmed) {
        timers_unconfirmed(c);
        return;
    }
    if (c->pinged && now >= c->pinged_ms + DEAD_MS) {
        connection_end(c, END_CUT, "the peer stopped answering: it or the network is down");
        return;
    }
    if (!c->pinged && duet_channel_ping(c->channel) == DUET_OK) {
        c->pinged = 1;
        c->pinged_ms = now;
        reverse_flush(c);
        reverse_watch(c);
    } else {
        pool_after(c->pool, 0); /* it is suspect: others are needed */
    }
    connection_timer(c, SUSPECT_MS);
}

/** An attempt under way uses the old settings, which go, the proxy and its credentials too. */
static void
pool_dial_anew(struct connection *c)
{
    connection_adopt(c, 1);
    connection_free_dial(c);
    endpoint_close(c->duet, 0);
    c->duet = NULL;
    c->target = NULL;
    connect_start(c);
}

void
pool_reload(struct connection *c)
{
    if (c->pool == NULL || c->pool->tunnel == NULL ||
        (c->channel != NULL && connection_is_withdrawn(c)))
        connection_end(c, END_DONE, "a reload withdrew its key, its address or the tunnel");
    else if (c->channel == NULL)
        pool_dial_anew(c);
    else
        connection_adopt(c, 0);
}
