/*
 * Those who have not proven themselves (docs/protocol.md §4 "Probing").
 *
 * They are met as gate.h says. Half-open connections are counted apart from open ones, and the
 * oldest makes room, judged or not: else a prober who fills the table could see which of his
 * openings were.
 */
#include "connection.h"

#include "gate.h"
#include "log.h"
#include "record.h"

enum { STEP_MS = 20 };          /* after its time, for what is unread */
enum { SPOILT_MS = 2000 };      /* silence after a violation */
enum { EVICT_AFTER_MS = 1000 }; /* time in which an honest peer proves itself */

static void
drop(struct connection *c, int events)
{
    int ended;

    (void)events;
    silence_drop(c->duet->fd, &ended);
    if (ended)
        endpoint_watch(c->duet, 0);
}

/* ---- Half-open ---- */

static uint64_t
age(const struct connection *c)
{
    return uv_now(&c->service->loop) - c->since_ms;
}

/** Its time is over, or what was unread then. */
static void
is_over(struct connection *c)
{
    int ended;

    if (!silence_over(c->duet->fd, age(c), c->tunnel->drain_ms, &ended)) {
        connection_time(c, STEP_MS, is_over);
        return;
    }
    connection_end(c, END_STRANGER,
                   c->state == CONNECTION_STRANGER
                       ? "proved nothing until its time was over"
                       : "its opening stayed unfinished until its time was over");
}

void
stranger_judge(struct connection *c, const char *reason)
{
    connection_record(c, END_STRANGER, reason);
    duet_channel_free(c->channel);
    c->channel = NULL;
    c->state = CONNECTION_STRANGER;
    c->duet->event = drop;
    endpoint_watch(c->duet, UV_READABLE);
    drop(c, 0);
}

/** What comes while the target is dialled waits in the kernel. */
static void
not_yet(struct connection *c, int events)
{
    (void)events;
    endpoint_watch(c->duet, 0);
}

/** A reload came in between: is what the peer opens with withdrawn? Then it is a stranger. */
static int
is_withdrawn(struct connection *c)
{
    if (!renewal_refuses(c))
        return 0;
    stranger_judge(c, "a reload withdrew its secret, its identity or the tunnel");
    return 1;
}

/** The peer has proven itself, and is counted among the open ones if there is room. */
static void
let_in(struct connection *c)
{
    if (is_withdrawn(c))
        return;
    renewal_adopt(c);
    stranger_leave(c);
    c->tunnel->counters->handshakes++;
    c->tunnel->counters->open = ++c->tunnel->open_count;
    c->duet->event = not_yet;
    connection_time(c, -1, NULL);
    if (c->tunnel->open_count > c->settings->most_connections)
        connection_end(c, END_REFUSED, "there are as many connections as there may be");
    else
        dial_start(c);
}

static void
shake_hands(struct connection *c, int events)
{
    (void)events;
    c->spoke = 1;
    if (is_withdrawn(c))
        return;
    int result = duet_handshake(c->channel, 0);
    if (result == DUET_OK) {
        let_in(c);
    } else if (result == DUET_AGAIN) {
        unsigned state = duet_channel_state(c->channel);
        endpoint_watch(c->duet, UV_READABLE | (state & DUET_WANT_WRITE ? UV_WRITABLE : 0));
    } else {
        stranger_judge(c, result == DUET_E_UNTRUSTED ? "its identity is not trusted"
                                                     : channel_error(c->channel));
    }
}

/** Its PROXY header is read. */
static void
begin(struct connection *c)
{
    c->duet->event = shake_hands;
    shake_hands(c, 0);
}

void
stranger_meet(struct connection *c)
{
    static const struct proxy_header_ways ways = {begin, stranger_judge};
    struct tunnel *tunnel = c->tunnel;

    c->state = CONNECTION_HANDSHAKE;
    c->is_half_open = 1;
    TAILQ_INSERT_TAIL(&tunnel->half_open, c, half_open);
    tunnel->counters->half_open = ++tunnel->half_open_count;
    c->duet->event = shake_hands;
    endpoint_watch(c->duet, UV_READABLE);
    connection_time(c, (int)tunnel->drain_ms, is_over);
    if (c->header != NULL)
        proxy_header_await(c, &ways);
}

void
stranger_leave(struct connection *c)
{
    struct tunnel *tunnel = c->tunnel;

    c->is_half_open = 0;
    TAILQ_REMOVE(&tunnel->half_open, c, half_open);
    tunnel->counters->half_open = --tunnel->half_open_count;
}

int
stranger_evict(struct tunnel *tunnel)
{
    struct connection *c = TAILQ_FIRST(&tunnel->half_open);
    int ended;

    if (c == NULL || age(c) < EVICT_AFTER_MS)
        return -1;
    silence_drop(c->duet->fd, &ended);
    connection_end(c, END_STRANGER, "its opening stayed unfinished until its place was needed");
    return 0;
}

static void
service_ends(struct connection *c)
{
    int ended;

    silence_drop(c->duet->fd, &ended);
    connection_end(c, END_STRANGER, "its opening stayed unfinished when the service ended");
}

void
stranger_drain(struct tunnel *tunnel)
{
    struct connection *c;

    TAILQ_FOREACH (c, &tunnel->half_open, half_open)
        connection_time(c, EVICT_AFTER_MS, service_ends);
}

/* ---- After a violation ---- */

static void
spoilt_is_over(struct connection *c)
{
    connection_end(c, END_CUT, "a violation was met");
}

static void
drop_spoilt(struct connection *c, int events)
{
    int ended;

    (void)events;
    silence_drop(c->duet->fd, &ended);
    if (ended)
        spoilt_is_over(c);
}

void
stranger_spoil(struct connection *c, const char *reason)
{
    connection_record(c, END_CUT, reason);
    endpoint_close(c->plain, 1);
    c->plain = NULL;
    c->starved = 0; /* nothing is to wake it */
    c->state = CONNECTION_SPOILT;
    c->duet->event = drop_spoilt;
    endpoint_watch(c->duet, UV_READABLE);
    connection_time(c, SPOILT_MS, spoilt_is_over);
}
