/*
 * Moving bytes between the plain side and the channel.
 *
 * The loop's events only mark a connection as ready. Once the loop has polled, all that are ready
 * are served in small groups: what their plain sides have is read, sealed together and sent, and
 * what their peers sent is opened together and written; so neighbours are sealed and opened two by
 * two while they are in the processor's cache. A descriptor is written at once and polled only when
 * it does not take all, and each direction stops reading while its bytes wait: at most one buffer
 * is under way in each.
 */
#include "connection.h"

#include "log.h"
#include "record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { GROUP = 4 };    /* connections served together */
enum { TURN = 8 };     /* that a turn serves at least, one of them again if there are fewer */
enum { SOON_MS = 50 }; /* after a lack of memory */

/* ---- Readiness ---- */

static void
keep_going(uv_idle_t *idle)
{
    (void)idle; /* only so that the loop does not sleep */
}

static void
make_ready(struct connection *c)
{
    if (c->is_ready)
        return;
    c->is_ready = 1;
    TAILQ_INSERT_TAIL(&c->service->ready, c, ready);
    c->service->ready_count++;
    uv_idle_start(&c->service->more_work, keep_going);
}

static void
plain_event(struct connection *c, int events)
{
    if (events & UV_READABLE)
        c->can |= CAN_READ_PLAIN;
    if (events & ENDPOINT_BROKEN)
        c->broken = 1;
    if (events & UV_PRIORITIZED)
        c->hung_up = 1;
    make_ready(c);
}

static void
duet_event(struct connection *c, int events)
{
    if (events & UV_READABLE)
        c->can |= CAN_READ_DUET;
    if (events & UV_WRITABLE)
        c->can |= CAN_WRITE_DUET;
    if ((events & UV_READABLE) && c->in.ended)
        c->gone = 1; /* what comes after a peer's CLOSE is the end of its process */
    make_ready(c);
}

/* ---- Plain side to peer ---- */

static int
wants_plain(const struct connection *c)
{
    return c->out.buffer == NULL && !c->out.ended && !c->flushing && !c->lost && !c->starved;
}

static void
lose_plain(struct connection *c, const char *what)
{
    if (c->lost)
        return;
    c->lost = 1;
    snprintf(c->service->reason, sizeof c->service->reason, "the plain side %s: %s", what,
             errno_text());
}

/** Give a flow's buffer back. */
static void
return_buffer(struct connection *c, struct flow *flow)
{
    buffers_return(&c->service->buffers, flow->buffer);
    flow->buffer = NULL;
}

/** Wake those that found no memory. */
static void
feed_starved(uv_timer_t *timer)
{
    struct service *service = timer->data;
    struct connection *c;

    TAILQ_FOREACH (c, &service->connections, entry)
        if (c->starved) {
            c->starved = 0;
            make_ready(c);
        }
}

/** Lend a flow a buffer. Returns 0, or -1: no memory, and it is tried again soon. */
static int
lend_buffer(struct connection *c, struct flow *flow)
{
    flow->at = flow->size = 0;
    flow->buffer = buffers_lend(&c->service->buffers);
    if (flow->buffer != NULL)
        return 0;
    c->starved = 1;
    uv_timer_start(&c->service->starving, feed_starved, SOON_MS, 0);
    return -1;
}

static void
read_plain(struct connection *c)
{
    struct flow *out = &c->out;

    if (!(c->can & CAN_READ_PLAIN) || !wants_plain(c) || lend_buffer(c, out) != 0)
        return;
    ssize_t n = recv(c->plain->fd, out->buffer, RELAY_FRAME, MSG_DONTWAIT);
    if (n < RELAY_FRAME)
        c->can &= (uint8_t)~CAN_READ_PLAIN; /* there is no more now */
    if (n > 0) {
        out->size = (uint32_t)n;
        return;
    }
    return_buffer(c, out);
    if (n == 0)
        out->ended = 1;
    else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        lose_plain(c, "was cut");
}

/** What a sending call came to. */
static void
note_sent(struct connection *c, int result)
{
    c->flushing = result == DUET_AGAIN;
    if (result != DUET_OK && result != DUET_AGAIN)
        c->result = (int8_t)result;
}

static void
take_sent(struct connection *c, const duet_send_job *job)
{
    struct flow *out = &c->out;

    out->at += (uint32_t)job->sent;
    out->bytes += job->sent;
    c->tunnel->counters->bytes_out += job->sent;
    note_sent(c, job->result);
    if (job->sent > 0)
        c->moved_ms = uv_now(&c->service->loop);
    if (out->at == out->size)
        return_buffer(c, out);
}

/** Is there something to be sent that the channel may take? */
static int
may_send(const struct connection *c)
{
    return c->result == DUET_OK && (!c->flushing || (c->can & CAN_WRITE_DUET));
}

/** What is left to be flushed, and the end of the plain side's stream. */
static void
finish_sending(struct connection *c)
{
    if (!may_send(c) || c->out.buffer != NULL || c->lost)
        return;
    if (c->out.ended && !c->out.told) {
        note_sent(c, duet_close(c->channel, 0));
        c->out.told = 1;
    } else if (c->flushing || duet_channel_state(c->channel) & DUET_WANT_WRITE) {
        note_sent(c, duet_flush(c->channel, 0));
    }
}

static void
send_group(struct connection **group, size_t count)
{
    duet_send_job jobs[GROUP];
    struct connection *of[GROUP];
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        struct connection *c = group[i];
        read_plain(c);
        if (c->out.buffer == NULL || !may_send(c))
            continue;
        of[n] = c;
        jobs[n++] = (duet_send_job){.channel = c->channel,
                                    .data = c->out.buffer + c->out.at,
                                    .size = c->out.size - c->out.at};
    }
    duet_send_many(jobs, n);
    for (size_t i = 0; i < n; i++)
        take_sent(of[i], &jobs[i]);
    for (size_t i = 0; i < count; i++) {
        finish_sending(group[i]);
        group[i]->can &= (uint8_t)~CAN_WRITE_DUET;
    }
}

/* ---- Peer to plain side ---- */

static int
wants_duet(const struct connection *c)
{
    return c->in.buffer == NULL && !c->in.ended && c->result == DUET_OK && !c->starved;
}

static void
take_received(struct connection *c, const duet_recv_job *job)
{
    struct flow *in = &c->in;

    in->size = (uint32_t)job->got;
    if (job->got > 0)
        c->moved_ms = uv_now(&c->service->loop);
    c->heard_ms = uv_now(&c->service->loop);
    if (job->result == DUET_CLOSED)
        in->ended = 1;
    else if (job->result != DUET_OK && job->result != DUET_AGAIN)
        c->result = (int8_t)job->result;
    /* A call that was content may have taken more from the descriptor than it told. */
    if (job->result != DUET_OK)
        c->can &= (uint8_t)~CAN_READ_DUET;
    if (job->got == 0)
        return_buffer(c, in);
}

static void
write_plain(struct connection *c)
{
    struct flow *in = &c->in;

    if (in->buffer == NULL || c->lost)
        return;
    ssize_t n = send(c->plain->fd, in->buffer + in->at, in->size - in->at, MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        lose_plain(c, "takes nothing more");
        return;
    }
    if (n <= 0)
        return;
    c->moved_ms = uv_now(&c->service->loop);
    in->at += (uint32_t)n;
    in->bytes += (uint64_t)n;
    c->tunnel->counters->bytes_in += (uint64_t)n;
    if (in->at == in->size)
        return_buffer(c, in);
}

/** The peer's end, handed on once all before it is. */
static void
finish_writing(struct connection *c)
{
    if (!c->in.ended || c->in.told || c->in.buffer != NULL || c->lost)
        return;
    (void)shutdown(c->plain->fd, SHUT_WR);
    c->in.told = 1;
}

static void
receive_group(struct connection **group, size_t count)
{
    duet_recv_job jobs[GROUP];
    struct connection *of[GROUP];
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        struct connection *c = group[i];
        if (!(c->can & CAN_READ_DUET) || !wants_duet(c) || lend_buffer(c, &c->in) != 0)
            continue;
        of[n] = c;
        jobs[n++] =
            (duet_recv_job){.channel = c->channel, .buffer = c->in.buffer, .size = BUFFER_SIZE};
    }
    duet_recv_many(jobs, n);
    for (size_t i = 0; i < n; i++)
        take_received(of[i], &jobs[i]);
    for (size_t i = 0; i < count; i++) {
        write_plain(group[i]);
        finish_writing(group[i]);
    }
}

/* ---- After a turn ---- */

static int
is_violation(int result)
{
    return result != DUET_E_TRUNCATED && result != DUET_E_IO && result != DUET_E_FORKED &&
           result != DUET_E_MEMORY;
}

/** A client sees the same where its server's target is gone and where the line broke. */
static const char *
with_advice(struct connection *c, const char *why)
{
    struct service *service = c->service;

    if (c->settings->side != TUNNEL_CLIENT || c->result == DUET_E_MEMORY)
        return why;
    snprintf(service->reason, sizeof service->reason,
             "%s; the server's log tells why, unless the line broke", why);
    return service->reason;
}

/** The channel is dead. What was verified before has been offered to the plain side. */
static void
end_fatal(struct connection *c)
{
    const char *why = channel_error(c->channel);

    if (*why == 0)
        why = duet_explain(c->result)->sentence;
    if (is_violation(c->result))
        stranger_spoil(c, why);
    else
        connection_end(c, END_CUT, with_advice(c, why));
}

static int
plain_mask(const struct connection *c)
{
    int mask = (wants_plain(c) ? UV_READABLE : 0) | (c->in.buffer != NULL ? UV_WRITABLE : 0);

    /* After its end nothing comes from it but an error, and libuv tells that of what is watched. */
    return mask == 0 && c->out.ended && !c->in.told && !c->hung_up ? UV_PRIORITIZED : mask;
}

static int
duet_mask(const struct connection *c)
{
    int writes = c->flushing || duet_channel_state(c->channel) & DUET_WANT_WRITE;

    return (wants_duet(c) || c->in.ended ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0);
}

/** Is there work that no event will tell of? */
static int
has_more(const struct connection *c)
{
    return ((c->can & CAN_READ_PLAIN) && wants_plain(c)) ||
           ((c->can & CAN_READ_DUET) && wants_duet(c));
}

/** The loop saw an error on the plain side that no call has met yet. */
static void
find_error(struct connection *c)
{
    int error = 0;
    socklen_t size = sizeof error;

    c->broken = 0;
    if (getsockopt(c->plain->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0) {
        errno = error;
        lose_plain(c, "was cut");
    }
}

/** Watch what the connection waits for, or end it. */
static void
settle(struct connection *c)
{
    if (c->broken)
        find_error(c);
    if (c->result != DUET_OK) {
        end_fatal(c);
    } else if (c->lost) {
        connection_end(c, END_CUT, c->service->reason);
    } else if (c->out.told && c->in.told && !c->flushing) {
        connection_end(c, END_DONE, "both sides closed");
    } else if (c->gone) {
        connection_end(c, END_CUT, "the peer went away before this side had closed");
    } else {
        if (c->unproven)
            alive_heard(c);
        endpoint_watch(c->plain, plain_mask(c));
        endpoint_watch(c->duet, duet_mask(c));
        if (has_more(c))
            make_ready(c);
    }
}

/* ---- The loop's hook ---- */

/** Take the next few that are ready. */
static size_t
take_group(struct service *service, struct connection **group)
{
    size_t count = 0;

    while (count < GROUP && !TAILQ_EMPTY(&service->ready)) {
        struct connection *c = TAILQ_FIRST(&service->ready);
        relay_forget(c);
        group[count++] = c;
    }
    return count;
}

void
relay_run(uv_check_t *check)
{
    struct service *service = check->data;
    struct connection *group[GROUP];
    size_t most = service->ready_count > TURN ? service->ready_count : TURN;

    /* All that are ready, and once more those that still are where that keeps nobody waiting. */
    for (size_t served = 0; served < most && service->ready_count > 0;) {
        size_t count = take_group(service, group);
        served += count;
        send_group(group, count);
        receive_group(group, count);
        for (size_t i = 0; i < count; i++)
            settle(group[i]);
    }
    if (TAILQ_EMPTY(&service->ready))
        uv_idle_stop(&service->more_work);
}

/** What is handed on begins with a PROXY header. Returns 0, or -1: no memory. */
static int
begin_with_header(struct connection *c)
{
    struct flow *flow = c->settings->side == TUNNEL_CLIENT ? &c->out : &c->in;

    if (lend_buffer(c, flow) != 0)
        return -1;
    flow->size = (uint32_t)proxy_header_make(flow->buffer, c);
    return 0;
}

void
relay_start(struct connection *c)
{
    dial_free(c->dial);
    c->dial = NULL;
    c->state = CONNECTION_OPEN;
    c->setup_ms = uv_now(&c->service->loop) - c->since_ms + 1;
    c->plain->event = plain_event;
    c->duet->event = duet_event;
    /* A client's first bytes lie there already, a peer's may have come with its proof. */
    c->can = CAN_READ_PLAIN | CAN_READ_DUET;
    alive_start(c);
    if ((c->settings->proxy & PROXY_OUT) && begin_with_header(c) != 0)
        connection_end(c, END_REFUSED, "no memory for its PROXY header");
    else
        make_ready(c);
}

void
relay_forget(struct connection *c)
{
    if (!c->is_ready)
        return;
    c->is_ready = 0;
    TAILQ_REMOVE(&c->service->ready, c, ready);
    c->service->ready_count--;
}

void
relay_flush(struct connection *c)
{
    c->can |= CAN_WRITE_DUET;
    make_ready(c);
}
