/*
 * Moving the datagrams of an open flow: each is a message of its channel.
 *
 * Backpressure is another than in relay.c: the plain side is always read, and while the connection
 * to the peer takes nothing the queue drops its oldest. As little as possible waits in the kernel's
 * buffer of that connection, where nothing can be dropped (TCP_NOTSENT_LOWAT). What the plain side
 * does not take at once is dropped.
 */
#include "udp.h"

#include "relay_send.h"
#include "udp_flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum { UNSENT_MOST = 65536 }; /* bytes that the kernel holds and has not sent */

/* ---- Plain side to peer ---- */

/** Queue what has come to a server's socket. */
static void
relay_read_plain(struct connection *c)
{
    struct buffers *buffers = &c->service->buffers;
    uint8_t *buffer = NULL;

    if (c->plain == NULL || !(c->can & CAN_READ_PLAIN))
        return;
    buffer = buffers_lend(buffers);
    for (int i = 0; i < DATAGRAMS_MOST && buffer != NULL; i++) {
        ssize_t n = recv(c->plain->fd, buffer, BUFFER_SIZE, MSG_DONTWAIT);
        if (n > DATAGRAM_MOST) {
            udp_flow_lost(c, 1);
        } else if (n >= 0) {
            udp_flow_add(c, buffer, (size_t)n);
        } else if (errno == ECONNREFUSED) {
            c->tunnel->counters->datagrams_refused++; /* an earlier one, by ICMP */
        } else {
            c->can &= (uint8_t)~CAN_READ_PLAIN;
            break;
        }
    }
    buffers_return(buffers, &buffer);
}

/** Take off the queue what was accepted. */
static void
relay_take_sent(struct connection *c, size_t count)
{
    if (count > 0)
        c->moved_ms = uv_now(&c->service->loop);
    c->udp->sent += count;
    c->tunnel->counters->datagrams_out += count;
    for (; count > 0 && c->udp->out.first != NULL; count--) {
        size_t size = c->udp->out.first->size;
        c->out.bytes += size;
        c->tunnel->counters->bytes_out += size;
        udp_flow_shift(c);
    }
}

/** Send the queue by one call. */
static void
relay_send_queue(struct connection *c)
{
    duet_message messages[DATAGRAMS_MOST];
    size_t count = 0, sent = 0;

    for (const struct datagram *d = c->udp->out.first; d != NULL; d = d->next)
        messages[count++] = (duet_message){.data = d->bytes, .size = d->size, .code = UDP_CODE};
    int result = duet_channel_send_messages(c->channel, messages, count, &sent, 0);
    relay_take_sent(c, sent);
    if (result == DUET_E_LENGTH && sent < count) { /* the peer takes no frame of this size */
        udp_flow_shift(c);
        udp_flow_lost(c, 1);
        connection_make_ready(c);
    } else {
        relay_note_result(c, result);
    }
}

/** Send what waits, and then CLOSE where the flow is to end. */
static void
relay_send(struct connection *c)
{
    if (relay_may_send(c) && c->udp->out.count > 0)
        relay_send_queue(c);
    if (c->udp->out.count == 0)
        relay_finish_sending(c);
}

/* ---- Peer to plain side ---- */

static ssize_t
send_plain(const struct connection *c, const duet_message *message)
{
    if (c->plain == NULL)
        return duet__os_datagram_send(c->udp->fd, message->data, message->size, &c->udp->ends);
    return send(c->udp->fd, message->data, message->size, MSG_DONTWAIT);
}

/** Hand a datagram on. */
static void
relay_deliver(struct connection *c, const duet_message *message)
{
    ssize_t n = send_plain(c, message);

    c->udp->received++;
    if (n < 0 && errno == ECONNREFUSED) { /* an earlier one was refused, by ICMP */
        c->tunnel->counters->datagrams_refused++;
        n = send_plain(c, message);
    }
    if (n < 0) {
        udp_flow_lost(c, 1);
        return;
    }
    c->in.bytes += message->size;
    c->tunnel->counters->bytes_in += message->size;
    c->tunnel->counters->datagrams_in++;
}

static void
relay_receive(struct connection *c)
{
    duet_message messages[DATAGRAMS_MOST];
    duet_inbox inbox = {.size = BUFFER_SIZE, .messages = messages, .room = DATAGRAMS_MOST};
    uint8_t *buffer = NULL;
    int result = DUET_E_MEMORY;

    if (!(c->can & CAN_READ_DUET) || c->in.ended || c->result != DUET_OK)
        return;
    inbox.buffer = buffer = buffers_lend(&c->service->buffers);
    if (buffer != NULL)
        result = duet_channel_recv_messages(c->channel, &inbox, 0);
    for (size_t i = 0; i < inbox.count; i++) {
        if (messages[i].code == UDP_CODE)
            relay_deliver(c, &messages[i]);
        else
            c->udp->is_mixed = 1;
    }
    buffers_return(&c->service->buffers, &buffer);
    c->heard_ms = uv_now(&c->service->loop);
    if (inbox.count > 0)
        c->moved_ms = c->heard_ms;
    if (result != DUET_OK)
        c->can &= (uint8_t)~CAN_READ_DUET;
    if (result == DUET_CLOSED)
        c->in.ended = 1;
    else if (result != DUET_OK && result != DUET_AGAIN)
        c->result = (int8_t)result;
}

/* ---- After a turn ---- */

/** Have as many replies come to a client as udp-replies expects? A server leaves the end to it, as
 * another datagram may be on its way. */
static int
relay_is_answered(const struct connection *c)
{
    uint64_t asked = c->udp->sent + c->udp->out.count;

    return c->settings->udp_replies > 0 && c->udp->received > 0 &&
           c->udp->received >= asked * c->settings->udp_replies;
}

static void
relay_watch(struct connection *c)
{
    int writes = c->flushing || duet_channel_state(c->channel) & DUET_WANT_WRITE;

    if (c->plain != NULL)
        endpoint_watch(c->plain, UV_READABLE);
    endpoint_watch(c->duet, (c->in.ended ? 0 : UV_READABLE) | (writes ? UV_WRITABLE : 0));
    if ((c->plain != NULL && (c->can & CAN_READ_PLAIN)) ||
        (!c->in.ended && (c->can & CAN_READ_DUET)))
        connection_make_ready(c);
}

static void
relay_settle(struct connection *c)
{
    if (c->result != DUET_OK) {
        violation_judge(c);
        return;
    }
    if (c->udp->is_mixed) {
        violation_start(c, "the peer carries a connection and this end datagrams: give both ends "
                           "of the tunnel udp: addresses, or neither");
        return;
    }
    if (c->out.end_passed && c->in.ended && !c->flushing) {
        connection_end(c, END_DONE, c->udp->why);
        return;
    }
    if (c->in.ended)
        timers_end_flow(c, "the peer ended the flow");
    else if (relay_is_answered(c))
        timers_end_flow(c, "its replies have come (udp-replies)");
    if (c->state == CONNECTION_UNCONFIRMED)
        timers_confirm(c);
    relay_watch(c);
}

void
udp_relay_serve(struct connection *c)
{
    c->plain_error = c->peer_gone = 0; /* errors show at the call that meets them */
    relay_read_plain(c);
    relay_send(c);
    c->can &= (uint8_t)~CAN_WRITE_DUET;
    relay_receive(c);
    relay_settle(c);
}

int
udp_relay_start(struct connection *c)
{
#ifdef TCP_NOTSENT_LOWAT
    const int most = UNSENT_MOST;

    (void)setsockopt(c->duet->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
#endif
    if (c->udp != NULL)
        return 0;
    duet__os_datagram_prepare(c->plain->fd);
    return udp_flow_new(c, NULL, c->plain->fd);
}
