/*
 * The ledger of fuzz_many.c (see ledger.h): what was sealed, what was returned, and whether a
 * call's result is one of those that it may have.
 */
#include "ledger.h"
#include "fuzz.h"
#include "session/session.h"
#include "wires.h"

#include <string.h>

enum { UNTOUCHED = 0xee }; /* what a buffer holds before a call */

struct end ends[ENDS];
static uint8_t pool[ENDS][ROOM];

/* ---- What was sealed ---- */

/** Bytes that an end has sealed since its beginning. */
static size_t
sealed(unsigned n)
{
    const duet_channel *channel = ends[n].channel;

    return wires[n ^ 1].written +
           (channel->unsent != NULL ? channel->unsent_size - channel->unsent_at : 0);
}

void
note(unsigned n, uint32_t code, const uint8_t *data, size_t size)
{
    struct end *peer = &ends[n ^ 1];

    need(peer->count - peer->delivered < RECORDS);
    peer->records[peer->count++ % RECORDS] = (struct record){code, data, size, 0};
    if (code != WIRE_CLOSE)
        ends[n].bytes_out += size;
}

void
note_ends(unsigned n, size_t before)
{
    struct end *peer = &ends[n ^ 1];
    size_t at = sealed(n);
    duet_info info;

    for (size_t i = peer->count; i > before; i--) {
        struct record *record = &peer->records[(i - 1) % RECORDS];
        record->end = at;
        at -= record->size + DUET_FRAME_OVERHEAD;
    }
    duet_session_info(ends[n].channel->session, &info);
    need(info.tx_bytes == ends[n].bytes_out);
}

void
note_closes(void)
{
    for (unsigned n = 0; n < ENDS; n++) {
        duet_info info;
        duet_session_info(ends[n].channel->session, &info);
        if (!info.tx_closed || ends[n].closed || ends[n].dead)
            continue;
        need(ends[n].closing);
        ends[n].closed = 1;
        note(n, WIRE_CLOSE, NULL, 0);
        note_ends(n, ends[n ^ 1].count - 1);
    }
}

const struct record *
next_of(unsigned n)
{
    const struct end *end = &ends[n];

    return end->delivered < end->count ? &end->records[end->delivered % RECORDS] : NULL;
}

/** 1 when no byte up to a record's end was changed. */
static int
sound(unsigned n, const struct record *record)
{
    return record != NULL && record->end <= wires[n].damage;
}

int
whole(unsigned n)
{
    const struct record *next = next_of(n);

    return sound(n, next) && next->end <= wires[n].carried;
}

void
judge_wait(unsigned n)
{
    const struct end *end = &ends[n];
    size_t i = end->delivered;

    while (i < end->count && end->records[i % RECORDS].end <= wires[n].taken)
        i++; /* the call has these, and will deliver them */
    const struct record *next = i < end->count ? &end->records[i % RECORDS] : NULL;
    need(!sound(n, next) || next->end > wires[n].carried);
}

/* ---- What any call may say ---- */

/** The counters and the state agree with what was delivered; a call that could go on is woken. */
static void
check_state(unsigned n)
{
    const struct end *end = &ends[n];
    const duet_channel *channel = end->channel;
    unsigned state = duet_channel_state(channel);
    duet_info info;

    duet_session_info(channel->session, &info);
    need(!info.rx_closed || !(state & DUET_WANT_READ));
    need(!end->waits || (state & DUET_WANT_READ));
    need(!end->sends || !channel->established || (state & DUET_WANT_WRITE));
    need(info.rx_bytes - end->bytes_in ==
         (channel->recv_phase == DUET__RECV_VERIFIED ? channel->rx_length : 0));
}

/** A channel ends by what its own wire brought, or by the memory that it did not get; everything
 * that came before was delivered. */
static void
judge_end(unsigned n, int result)
{
    const struct wire *wire = &wires[n];

    /* Without memory for a part of a frame the call changes nothing. */
    if (result == DUET_E_MEMORY && ends[n].channel->result == DUET_OK) {
        need(wires_no_memory == 2);
        return;
    }
    ends[n].dead = result;
    if (wires_no_memory == 2 && (result == DUET_E_MEMORY || result == DUET_E_IO))
        return;
    need(!whole(n));
    need(wire->damage < wire->carried ||
         (wire->cut && (result == DUET_E_TRUNCATED || result == DUET_E_UNAUTHENTICATED)));
    need(duet_channel_detail(ends[n].channel)[0] != 0);
}

/* ---- Sending ---- */

void
judge_flush(unsigned n, int result)
{
    struct end *end = &ends[n];

    if (end->dead) {
        need(result == end->dead);
        return;
    }
    end->sends = result == DUET_AGAIN || result == DUET_SLOW;
    if (result != DUET_OK && !end->sends) {
        judge_end(n, result);
        return;
    }
    check_state(n);
    int waits = (end->sends && end->channel->established) || end->channel->unsent != NULL;
    need(waits == ((duet_channel_state(end->channel) & DUET_WANT_WRITE) != 0));
}

void
judge_send(unsigned n, int result, size_t done, size_t size)
{
    struct end *end = &ends[n];

    need(done <= size);
    if ((end->closing || end->message.left > 0) && !end->dead) {
        need(done == 0 && result == DUET_E_MISUSE);
        return;
    }
    need(done == 0 || !end->dead);
    need(done == size || result != DUET_OK);
    /* All was accepted: that is never "not yet". */
    need(done < size || size == 0 || (result != DUET_AGAIN && result != DUET_SLOW));
    judge_flush(n, result);
}

void
note_stream(unsigned n, const uint8_t *data, size_t sent)
{
    size_t before = ends[n ^ 1].count, most = ends[n].channel->frame_size;

    for (size_t at = 0; at < sent; at += most)
        note(n, 0, data + at, sent - at < most ? sent - at : most);
    note_ends(n, before);
}

/** Bytes of a message were accepted: parts of it, and its end when it is over. */
static void
note_message(unsigned n, const struct message *message, size_t sent, int over)
{
    size_t before = ends[n ^ 1].count, most = ends[n].channel->frame_size, at = 0;

    while (at < sent || (over && at == 0)) {
        size_t part = sent - at < most ? sent - at : most;
        int last = over && at + part == sent;
        note(n, last ? message->code : WIRE_MORE, message->data + at, part);
        at += part;
        if (part == 0)
            break;
    }
    note_ends(n, before);
}

void
judge_message(unsigned n, const struct message *message, int result, size_t sent)
{
    struct end *end = &ends[n];
    const struct message goes_on = end->message;
    int over = message->left > 0 ? sent == message->left : result == DUET_OK;

    if ((message->code == 0 || (end->closing && goes_on.left == 0)) && !end->dead) {
        need(sent == 0 && result == DUET_E_MISUSE);
        return;
    }
    end->message.left = 0;
    judge_send(n, result, sent, message->left);
    note_message(n, message, sent, over);
    if (sent > 0 || goes_on.left > 0)
        end->message = (struct message){message->code, message->data + sent, message->left - sent};
}

int
batch_stops(unsigned n, const duet_message *message, int result)
{
    if (ends[n].dead || ends[n].closing || ends[n].message.left > 0)
        return 0;
    ends[n].sends = 0;
    return (result == DUET_E_LENGTH && message->size > ends[n].channel->frame_size) ||
           (result == DUET_E_MISUSE && message->code == 0);
}

/* ---- Receiving ---- */

uint8_t *
lend(unsigned slot)
{
    memset(pool[slot % ENDS], UNTOUCHED, ROOM);
    return pool[slot % ENDS];
}

void
check_rest(const uint8_t *buffer, size_t got, size_t size)
{
    static uint8_t untouched[ROOM];

    if (untouched[0] != UNTOUCHED)
        memset(untouched, UNTOUCHED, ROOM);
    if (memcmp(buffer + got, untouched, ROOM - got) == 0)
        return;
    for (size_t i = got; i < ROOM; i++)
        need(buffer[i] == UNTOUCHED || (buffer[i] == 0 && i < size));
}

void
delivered_frame(unsigned n, uint32_t code, const uint8_t *bytes, size_t size)
{
    const struct record *next = next_of(n);

    need(next != NULL && next->code == code && next->size == size && sound(n, next));
    need(next->end <= wires[n].carried);
    need(size == 0 || memcmp(bytes, next->data, size) == 0);
    ends[n].delivered++;
    ends[n].bytes_in += size;
}

int
delivered_stream(unsigned n, const uint8_t *bytes, size_t got)
{
    for (size_t at = 0; at < got;) {
        const struct record *next = next_of(n);
        need(next != NULL && next->size <= got - at && next->size > 0);
        size_t size = next->size;
        delivered_frame(n, 0, bytes + at, size);
        at += size;
    }
    return got > 0;
}

int
delivered_message(unsigned n, uint32_t code, const uint8_t *bytes, size_t got, int result)
{
    uint32_t last = WIRE_MORE;
    size_t at = 0;

    while (at < got || (result == DUET_OK && got == 0)) {
        const struct record *next = next_of(n);
        need(last == WIRE_MORE && next != NULL && next->size <= got - at);
        last = next->code;
        size_t size = next->size;
        delivered_frame(n, last, bytes + at, size);
        at += size;
        if (got == 0)
            break;
    }
    need(last == code && (result == DUET_OK || code == WIRE_MORE));
    return result == DUET_OK;
}

/** 1 when the peer may have sealed its CLOSE in the very call in which it died of what it received:
 * that call's CLOSE was not noted. */
static int
died_closing(const struct end *peer)
{
    return peer->dead && peer->closing && !peer->closed;
}

void
judge_recv(unsigned n, int result, int some, size_t size)
{
    const struct record *next = next_of(n);
    struct end *end = &ends[n];

    if (end->dead) {
        need(!some && result == end->dead);
        return;
    }
    end->waits = result == DUET_AGAIN || result == DUET_SLOW;
    switch (result) {
    case DUET_OK:
        need(some || size == 0);
        break;
    case DUET_AGAIN:
    case DUET_SLOW:
        need(!some && !whole(n));
        break;
    case DUET_CLOSED:
        need(!some &&
             (next != NULL ? whole(n) && next->code == WIRE_CLOSE : died_closing(&ends[n ^ 1])));
        break;
    case DUET_E_CODE:
        need(!some && whole(n) && next->code != 0 && next->code != WIRE_CLOSE);
        break;
    case DUET_E_ROOM:
        need(!some && (next == NULL || !sound(n, next) || next->size > size));
        break;
    default:
        judge_end(n, result);
        return;
    }
    check_state(n);
}
