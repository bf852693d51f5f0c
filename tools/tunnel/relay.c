/*
 * The relay: moving bytes between the plain side and the channel of open connections.
 *
 * The loop's events only mark a connection as ready. Once the loop has polled, all that are ready
 * are served in groups of four: what their plain sides have is read, sealed together and sent, and
 * what their peers sent is opened together and written, so that the library can seal and open two
 * at a time while the data is in the processor's cache. A descriptor is written at once and polled
 * only when it does not take everything.
 *
 * Backpressure: at most one buffer is in use in each direction, and a direction stops reading while
 * its bytes wait.
 */
#include "connection.h"

#include "dial.h"
#include "log.h"
#include "relay_send.h"
#include "udp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { GROUP = 4 };       /* connections served together */
enum { TURN_LEAST = 8 };  /* served in a turn, some of them twice if fewer are ready */
enum { STARVED_MS = 50 }; /* after a lack of memory */

/* Bytes read for a frame: with its overhead 45 segments of Ethernet, the most that Linux passes
 * through TCP as one, and one segment of loopback; more would take a second one each time. */
enum { READ_MOST = 45 * 1448 - (int)DUET_FRAME_OVERHEAD };

int
relay_configure(struct settings *settings)
{
    for (size_t i = 0; i < settings->tunnel_count; i++) {
        duet_config *config = settings->tunnels[i].config;
        int first = settings->tunnels[i].side == TUNNEL_CLIENT;
        /* A client may send right after its READY: its peer has authenticated by then. */
        if (duet_config_set(config, DUET_SET_FRAME_SIZE, RELAY_FRAME) != DUET_OK ||
            duet_config_set(config, DUET_SET_MAX_PAYLOAD, RELAY_FRAME) != DUET_OK ||
            duet_config_set(config, DUET_SET_READ_AHEAD, 1) != DUET_OK ||
            duet_config_set(config, DUET_SET_SPEAK_FIRST, (uint64_t)first) != DUET_OK)
            return log_error(EXIT_FAILED, "%s: the channel's limits could not be set",
                             settings->tunnels[i].name);
    }
    return EXIT_DONE;
}

static void
plain_event(struct connection *c, int events)
{
    if (events & UV_READABLE)
        c->can |= CAN_READ_PLAIN;
    if (events & ENDPOINT_ERROR)
        c->plain_error = 1;
    if (events & UV_PRIORITIZED)
        c->plain_hung_up = 1;
}

static void
peer_event(struct connection *c, int events)
{
    if (events & UV_READABLE)
        c->can |= CAN_READ_DUET;
    if (events & UV_WRITABLE)
        c->can |= CAN_WRITE_DUET;
    if (!(events & UV_READABLE) || !c->in.ended || c->peer_gone)
        return;
    c->peer_gone = 1; /* after a peer's CLOSE only the end of its process can come */
    c->heard_ms = uv_now(&c->service->loop);
}

void
relay_event(struct connection *c, int is_plain, int events)
{
    if (is_plain)
        plain_event(c, events);
    else
        peer_event(c, events);
    connection_make_ready(c);
}

/* ---- Plain side to peer ---- */

static int
relay_wants_plain(const struct connection *c)
{
    return c->out.buffer == NULL && !c->out.ended && !c->flushing && !c->plain_lost &&
           !c->starved && !c->peer_gone;
}

static void
relay_lose_plain(struct connection *c, const char *what)
{
    if (c->plain_lost)
        return;
    c->plain_lost = 1;
    snprintf(c->service->reason, sizeof c->service->reason, "the plain side %s: %s", what,
             errno_text());
}

/** Go on with those for which there was no memory. */
static void
relay_wake_starved(uv_timer_t *timer)
{
    struct service *service = timer->data;
    struct connection *c;

    TAILQ_FOREACH (c, &service->connections, entry)
        if (c->starved) {
            c->starved = 0;
            connection_make_ready(c);
        }
}

/** Lend a flow a buffer. Returns 0, or -1: no memory; it is tried again soon. */
static int
relay_lend(struct connection *c, struct flow *flow)
{
    flow->at = flow->size = 0;
    flow->buffer = buffers_lend(&c->service->buffers);
    if (flow->buffer != NULL)
        return 0;
    c->starved = 1;
    uv_timer_start(&c->service->starving, relay_wake_starved, STARVED_MS, 0);
    return -1;
}

static void
relay_read_plain(struct connection *c)
{
    struct flow *out = &c->out;

    if (!(c->can & CAN_READ_PLAIN) || !relay_wants_plain(c) || relay_lend(c, out) != 0)
        return;
    ssize_t n = recv(c->plain->fd, out->buffer, READ_MOST, MSG_DONTWAIT);
    if (n < READ_MOST)
        c->can &= (uint8_t)~CAN_READ_PLAIN; /* a short read: the socket is drained */
    if (n > 0) {
        out->size = (uint32_t)n;
        return;
    }
    buffers_return(&c->service->buffers, &out->buffer);
    if (n == 0)
        c->moved_ms = uv_now(&c->service->loop);
    if (n == 0)
        out->ended = 1;
    else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        relay_lose_plain(c, "was cut");
}

static void
relay_take_sent(struct connection *c, const duet_job *job)
{
    struct flow *out = &c->out;

    out->at += (uint32_t)job->sent;
    out->bytes += job->sent;
    c->tunnel->counters->bytes_out += job->sent;
    relay_note_result(c, job->send_result);
    if (job->sent > 0)
        c->moved_ms = uv_now(&c->service->loop);
    if (out->at == out->size)
        buffers_return(&c->service->buffers, &out->buffer);
}

static void
relay_send_group(struct connection **group, size_t count)
{
    duet_job jobs[GROUP];
    struct connection *of[GROUP];
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        struct connection *c = group[i];
        relay_read_plain(c);
        if (c->out.buffer == NULL || !relay_may_send(c))
            continue;
        of[n] = c;
        jobs[n++] = (duet_job){.channel = c->channel,
                               .data = c->out.buffer + c->out.at,
                               .size = c->out.size - c->out.at};
    }
    duet_channel_many(jobs, n);
    for (size_t i = 0; i < n; i++)
        relay_take_sent(of[i], &jobs[i]);
    for (size_t i = 0; i < count; i++) {
        if (group[i]->out.buffer == NULL && !group[i]->plain_lost)
            relay_finish_sending(group[i]);
        group[i]->can &= (uint8_t)~CAN_WRITE_DUET;
    }
}

/* ---- Peer to plain side ---- */

static int
relay_wants_peer(const struct connection *c)
{
    return c->in.buffer == NULL && !c->in.ended && c->result == DUET_OK && !c->starved;
}

static void
relay_take_received(struct connection *c, const duet_job *job)
{
    struct flow *in = &c->in;

    in->size = (uint32_t)job->got;
    c->heard_ms = uv_now(&c->service->loop);
    if (job->got > 0 || job->recv_result == DUET_CLOSED)
        c->moved_ms = c->written_ms = c->heard_ms;
    if (job->recv_result == DUET_CLOSED)
        in->ended = 1;
    else if (job->recv_result != DUET_OK && job->recv_result != DUET_AGAIN)
        c->result = (int8_t)job->recv_result;
    /* What is in the kernel the loop reports again; what the channel holds it does not. */
    if (!(duet_channel_state(c->channel) & DUET_STATE_HAS_DATA))
        c->can &= (uint8_t)~CAN_READ_DUET;
    if (job->got == 0)
        buffers_return(&c->service->buffers, &in->buffer);
}

static void
relay_write_plain(struct connection *c)
{
    struct flow *in = &c->in;

    if (in->buffer == NULL || c->plain_lost)
        return;
    ssize_t n = send(c->plain->fd, in->buffer + in->at, in->size - in->at, MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        relay_lose_plain(c, "takes nothing more");
        return;
    }
    if (n <= 0)
        return;
    c->moved_ms = c->written_ms = uv_now(&c->service->loop);
    in->at += (uint32_t)n;
    in->bytes += (uint64_t)n;
    c->tunnel->counters->bytes_in += (uint64_t)n;
    if (in->at == in->size)
        buffers_return(&c->service->buffers, &in->buffer);
}

/** Pass the peer's end on, once everything before it was written. */
static void
relay_finish_writing(struct connection *c)
{
    if (!c->in.ended || c->in.end_passed || c->in.buffer != NULL || c->plain_lost)
        return;
    (void)shutdown(c->plain->fd, SHUT_WR); /* half-close: the other direction goes on */
    c->in.end_passed = 1;
}

static void
relay_receive_group(struct connection **group, size_t count)
{
    duet_job jobs[GROUP];
    struct connection *of[GROUP];
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        struct connection *c = group[i];
        if (!(c->can & CAN_READ_DUET) || !relay_wants_peer(c) || relay_lend(c, &c->in) != 0)
            continue;
        of[n] = c;
        jobs[n++] = (duet_job){.channel = c->channel, .buffer = c->in.buffer, .room = BUFFER_SIZE};
    }
    duet_channel_many(jobs, n);
    for (size_t i = 0; i < n; i++)
        relay_take_received(of[i], &jobs[i]);
    for (size_t i = 0; i < count; i++) {
        relay_write_plain(group[i]);
        relay_finish_writing(group[i]);
    }
}

/* ---- After a turn ---- */

static int
relay_plain_events(const struct connection *c)
{
    int events =
        (relay_wants_plain(c) ? UV_READABLE : 0) | (c->in.buffer != NULL ? UV_WRITABLE : 0);

    /* After its end only an error can come, and libuv reports errors of what is watched only. */
    if (events == 0 && c->out.ended && !c->in.end_passed && !c->plain_hung_up)
        return UV_PRIORITIZED;
    return events;
}

static int
relay_peer_events(const struct connection *c)
{
    int writes = c->flushing || duet_channel_state(c->channel) & DUET_WANT_WRITE;

    return (relay_wants_peer(c) || c->in.ended ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0);
}

/** Is there work that no event will announce? */
static int
relay_has_more(const struct connection *c)
{
    return ((c->can & CAN_READ_PLAIN) && relay_wants_plain(c)) ||
           ((c->can & CAN_READ_DUET) && relay_wants_peer(c));
}

/** Find the error that the loop reported on the plain side. */
static void
relay_find_error(struct connection *c)
{
    int error = dial_error(c->plain->fd);

    c->plain_error = 0;
    if (error != 0) {
        errno = error;
        relay_lose_plain(c, "was cut");
    }
}

/** What the plain side has for a peer that is gone: 1: its end, 0: nothing yet, -1: more. */
static int
relay_peek_plain(const struct connection *c)
{
    uint8_t byte;
    ssize_t n = recv(c->plain->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n == 0)
        return 1;
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : -1;
}

/** The peer has closed in order, and then its process ended: nothing reaches it any more. It misses
 * nothing if it had taken all that was sent and the plain side soon ends without more. */
static void
relay_settle_alone(struct connection *c)
{
    int is_lost =
        c->out.buffer != NULL || c->flushing || c->out.ended || dial_error(c->duet->fd) != 0;
    int plain = is_lost ? -1 : relay_peek_plain(c);

    if (plain < 0) {
        connection_end(c, END_CUT, "the peer went away before this side had closed");
    } else if (plain > 0 && c->in.end_passed) {
        connection_end(c, END_DONE, "both sides closed");
    } else {
        endpoint_watch(c->duet, 0);
        endpoint_watch(c->plain,
                       (plain > 0 ? 0 : UV_READABLE) | (c->in.buffer != NULL ? UV_WRITABLE : 0));
        if (c->state == CONNECTION_UNCONFIRMED)
            timers_confirm(c);
        timers_alone(c);
    }
}

/** Watch what the connection waits for, or end it. */
static void
relay_settle(struct connection *c)
{
    if (c->plain_error)
        relay_find_error(c);
    if (c->result != DUET_OK) {
        violation_judge(c);
    } else if (c->plain_lost) {
        connection_end(c, END_CUT, c->service->reason);
    } else if (c->out.end_passed && c->in.end_passed && !c->flushing) {
        connection_end(c, END_DONE, "both sides closed");
    } else if (c->peer_gone) {
        relay_settle_alone(c);
    } else {
        if (c->state == CONNECTION_UNCONFIRMED)
            timers_confirm(c);
        endpoint_watch(c->plain, relay_plain_events(c));
        endpoint_watch(c->duet, relay_peer_events(c));
        if (relay_has_more(c))
            connection_make_ready(c);
    }
}

/* ---- The loop's hook ---- */

/** Take the next few that are ready; one that carries datagrams comes alone. */
static size_t
relay_take_group(struct service *service, struct connection **group)
{
    struct connection *c = TAILQ_FIRST(&service->ready);
    size_t count = 0;

    while (count < GROUP && c != NULL && (count == 0 || c->udp == NULL)) {
        connection_unready(c);
        group[count++] = c;
        if (c->udp != NULL)
            break;
        c = TAILQ_FIRST(&service->ready);
    }
    return count;
}

static void
relay_serve_group(struct connection **group, size_t count)
{
    if (count == 1 && group[0]->udp != NULL) {
        udp_relay_serve(group[0]);
        return;
    }
    relay_send_group(group, count);
    relay_receive_group(group, count);
    for (size_t i = 0; i < count; i++)
        relay_settle(group[i]);
}

void
relay_run(uv_check_t *check)
{
    struct service *service = check->data;
    struct connection *group[GROUP];
    size_t most = service->ready_count > TURN_LEAST ? service->ready_count : TURN_LEAST;

    /* All that are ready, and again those that still are where nobody else waits. */
    for (size_t served = 0; served < most && service->ready_count > 0;) {
        size_t count = relay_take_group(service, group);
        served += count;
        relay_serve_group(group, count);
    }
    if (TAILQ_EMPTY(&service->ready))
        uv_idle_stop(&service->more_work);
}

/** Let the stream that is handed on begin with a PROXY header. Returns 0, or -1: no memory. */
static int
relay_send_header(struct connection *c)
{
    struct flow *flow = c->settings->side == TUNNEL_CLIENT ? &c->out : &c->in;

    if (relay_lend(c, flow) != 0)
        return -1;
    flow->size = (uint32_t)proxy_header_make(flow->buffer, c);
    return 0;
}

void
relay_start(struct connection *c)
{
    connect_done(c);
    c->setup_ms = uv_now(&c->service->loop) - c->since_ms + 1;
    /* A client's first bytes may have come long ago, a peer's with the end of its handshake. */
    c->can = CAN_READ_PLAIN | CAN_READ_DUET;
    timers_start(c);
    if (settings_is_udp(c->settings) && udp_relay_start(c) != 0)
        connection_end(c, END_REFUSED, "no memory for its datagrams");
    else if ((c->settings->proxy & PROXY_OUT) && relay_send_header(c) != 0)
        connection_end(c, END_REFUSED, "no memory for its PROXY header");
    else
        connection_make_ready(c);
}
