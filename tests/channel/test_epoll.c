/*
 * A program that follows its channel's state and epoll alone never stalls: it makes one call, and
 * the next one when the state has AGAIN_NOW or HAS_DATA, or an event has come. By level and by
 * edge, for each kind of call, however the stream is cut.
 */
#include "channel/ends.h"
#include "support/between.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef __linux__
#include <sys/epoll.h>

enum {
    LITTLE = 3000,
    MUCH = 1 << 20,
    MESSAGE = 700, /* bytes of a message */
    FRAME = 1900   /* bytes of one large frame */
};

/** How the bytes go. */
enum plan { STREAM, ALL_AT_ONCE, MESSAGES, BATCH, FRAMES, EXCHANGE, MANY, MIXED, PLANS };

struct party {
    duet_channel *channel;
    int fd, epoll, by_edge;
    enum plan plan;
    uint8_t *out, *in;
    size_t size, sent, got; /* bytes, each way */
    size_t part;            /* bytes of the message or frame that are sent */
    int initiated, closed, ended;
    int takes_message; /* MIXED: the last result was DUET_E_CODE */
};

static void
party_new(struct party *party, duet_channel *channel, int fd, enum plan plan, int by_edge)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};

    *party = (struct party){.channel = channel, .fd = fd, .plan = plan, .by_edge = by_edge};
    party->out = malloc(MUCH);
    party->in = malloc(MUCH);
    assert_true(party->out != NULL && party->in != NULL);
    party->epoll = epoll_create1(0);
    assert_true(party->epoll >= 0);
    if (!by_edge)
        event.events = 0;
    assert_int_equal(epoll_ctl(party->epoll, EPOLL_CTL_ADD, fd, &event), 0);
}

static void
party_free(struct party *party)
{
    close(party->epoll);
    free(party->out);
    free(party->in);
}

static int
has_event(const struct party *party, unsigned state)
{
    struct epoll_event event = {0};

    if (!party->by_edge) {
        if (state & DUET_WANT_READ)
            event.events |= EPOLLIN;
        if (state & DUET_WANT_WRITE)
            event.events |= EPOLLOUT;
        assert_int_equal(epoll_ctl(party->epoll, EPOLL_CTL_MOD, party->fd, &event), 0);
        if (event.events == 0)
            return 0;
    }
    return epoll_wait(party->epoll, &event, 1, 0) > 0;
}

/** What the state and epoll say: is there a call to make? */
static int
may_go(const struct party *party)
{
    unsigned state = duet_channel_state(party->channel);

    if (state & (DUET_STATE_HAS_DATA | DUET_STATE_AGAIN_NOW))
        return 1;
    return has_event(party, state);
}

static int
is_done(const struct party *party)
{
    return party->closed && party->ended && !(duet_channel_state(party->channel) & DUET_WANT_WRITE);
}

/* ---- One sending call ---- */

static int
send_message(struct party *party, size_t whole, int frame)
{
    size_t n, left = party->size - party->sent + party->part;
    size_t size = (left < whole ? left : whole) - party->part;
    const uint8_t *at = party->out + party->sent;

    int result = frame ? duet_channel_send_frame(party->channel, 0, at, size, &n, 0)
                       : duet_channel_send_message(party->channel, 9, at, size, &n, 0);
    party->sent += n;
    party->part = result == DUET_OK ? 0 : party->part + n;
    return result;
}

static int
send_batch(struct party *party)
{
    duet_message messages[3];
    size_t count = 0, at = party->sent, n;

    while (count < 3 && at < party->size) {
        size_t size = party->size - at < MESSAGE / 7 ? party->size - at : MESSAGE / 7;
        messages[count++] = (duet_message){party->out + at, size, 9};
        at += size;
    }
    int result = duet_channel_send_messages(party->channel, messages, count, &n, 0);
    for (size_t i = 0; i < n; i++)
        party->sent += messages[i].size;
    return result;
}

static int
send_bytes(struct party *party, size_t most)
{
    size_t n, left = party->size - party->sent;
    duet_job job = {.channel = party->channel, .data = party->out + party->sent, .size = left};

    if (party->plan == MANY) {
        duet_channel_many(&job, 1);
        party->sent += job.sent;
        return job.send_result;
    }
    int result = duet_channel_send(party->channel, job.data, left < most ? left : most, &n, 0);
    party->sent += n;
    return result;
}

static int
send_once(struct party *party)
{
    if (party->sent == party->size) {
        if (party->closed)
            return duet_channel_flush(party->channel, 0);
        int result = duet_channel_close(party->channel, 0);
        party->closed = result == DUET_OK || (duet_channel_state(party->channel) & DUET_WANT_WRITE);
        return result;
    }
    switch (party->plan) {
    case MESSAGES:
        return send_message(party, MESSAGE, 0);
    case FRAMES:
        return send_message(party, FRAME, 1);
    case BATCH:
        return send_batch(party);
    case MIXED:
        if (party->part > 0 || party->sent / MESSAGE % 2 == 1)
            return send_message(party, MESSAGE, 0);
        return send_bytes(party, MESSAGE - party->sent % MESSAGE);
    default:
        return send_bytes(party, SIZE_MAX);
    }
}

/* ---- One receiving call ---- */

static int
recv_batch(struct party *party)
{
    duet_message messages[2];
    duet_inbox inbox = {party->in + party->got, party->size - party->got, messages, 2, 0};

    int result = duet_channel_recv_messages(party->channel, &inbox, 0);
    for (size_t i = 0; i < inbox.count; i++)
        party->got += inbox.messages[i].size;
    return result;
}

static int
recv_message(struct party *party)
{
    size_t n;
    uint32_t code;

    int result = duet_channel_recv_message(party->channel, &code, party->in + party->got,
                                           party->size - party->got, &n, 0);
    party->got += n;
    party->takes_message = n > 0 && code == DUET_CODE_MORE;
    return result;
}

static int
recv_once(struct party *party)
{
    uint8_t *at = party->in + party->got, byte;
    size_t n, left = party->size - party->got;
    duet_job job = {.channel = party->channel, .buffer = at, .room = left};

    if (left == 0)
        return duet_channel_recv(party->channel, &byte, 1, &n, 1, 0);
    if (party->plan == BATCH)
        return recv_batch(party);
    if (party->plan == MESSAGES || party->takes_message)
        return recv_message(party);
    if (party->plan == MANY) {
        duet_channel_many(&job, 1);
        party->got += job.got;
        party->takes_message = job.recv_result == DUET_E_CODE;
        return job.recv_result;
    }
    int result =
        duet_channel_recv(party->channel, at, left, &n, party->plan == ALL_AT_ONCE ? left : 1, 0);
    party->got += n;
    party->takes_message = result == DUET_E_CODE;
    return result;
}

/* ---- Turns ---- */

static int
exchange_once(struct party *party)
{
    duet_exchange_io io = {party->out, party->size, party->sent,
                           party->in,  party->size, party->got};

    int result = duet_channel_exchange(party->channel, &io, 0);
    party->sent = io.sent;
    party->got = io.got;
    return result;
}

/** Send as long as all is accepted, and receive once. */
static void
turn(struct party *party)
{
    int result = DUET_OK;

    if (!party->initiated) {
        result = duet_channel_handshake(party->channel, 0);
        party->initiated = result == DUET_OK;
        assert_true(result == DUET_OK || result == DUET_AGAIN);
        return;
    }
    if (party->plan == EXCHANGE && (party->sent < party->size || party->got < party->size)) {
        result = exchange_once(party);
        assert_true(result == DUET_OK || result == DUET_AGAIN);
        if (result == DUET_AGAIN)
            return;
    }
    do
        result = send_once(party);
    while (result == DUET_OK && !party->closed);
    assert_true(result == DUET_OK || result == DUET_AGAIN);
    if (party->ended)
        return;
    result = recv_once(party);
    party->ended = result == DUET_CLOSED;
    assert_true(party->ended || result == DUET_OK || result == DUET_AGAIN || result == DUET_E_CODE);
}

static void
go(struct party *party)
{
    for (int i = 0; !is_done(party) && may_go(party); i++) {
        assert_between(i, 0, 100000);
        turn(party);
    }
}

/** Let both go until they are done. grain: bytes that the test carries at a time; 0: there is
 * nothing between them. */
static void
drive(struct ends *ends, struct party both[2], size_t grain)
{
    for (int p = 0; p < 2; p++) {
        ends_fill(both[p].out, both[p].size, (uint32_t)p + 41);
        turn(&both[p]);
    }
    for (int idle = 0; idle < 5000 && !(is_done(&both[0]) && is_done(&both[1]));) {
        size_t before = both[0].got + both[1].got, moved = 0;
        if (grain > 0)
            moved += ends_carry(ends->top_far, ends->bottom_far, grain);
        go(&both[1]);
        if (grain > 0)
            moved += ends_carry(ends->bottom_far, ends->top_far, grain);
        go(&both[0]);
        moved += both[0].got + both[1].got - before;
        /* TCP may deliver a little later than its peer has written. */
        idle = moved > 0 ? 0 : idle + 1;
        if (moved == 0)
            usleep(200);
    }
    for (int p = 0; p < 2; p++) {
        assert_true(is_done(&both[p])); /* else it stalled */
        assert_int_equal(both[p].got, both[p].size);
        assert_memory_equal(both[p].in, both[1 - p].out, both[p].size);
    }
}

static void
run(enum ends_wire wire, enum plan plan, int by_edge, unsigned frame, size_t size, size_t grain)
{
    struct ends ends;
    struct party both[2];
    duet_config *config = ends_config();
    const int narrow = 1;

    assert_int_equal(duet_config_set(config, DUET_SET_FRAME_SIZE, frame), DUET_OK);
    ends_open_with(&ends, config, wire);
    if (grain == 0) {
        assert_int_equal(setsockopt(ends.top_fd, SOL_SOCKET, SO_SNDBUF, &narrow, sizeof narrow), 0);
        assert_int_equal(setsockopt(ends.bottom_fd, SOL_SOCKET, SO_SNDBUF, &narrow, sizeof narrow),
                         0);
    }
    party_new(&both[0], ends.top, ends.top_fd, plan, by_edge);
    party_new(&both[1], ends.bottom, ends.bottom_fd, plan, by_edge);
    both[0].size = both[1].size = size;
    drive(&ends, both, grain);
    party_free(&both[0]);
    party_free(&both[1]);
    ends_close(&ends);
}

/** Run each plan by edge and by level, on both kinds of wire. */
static void
every_plan(enum ends_wire local, enum ends_wire tcp, unsigned frame, size_t size, size_t grain)
{
    for (int i = 0; i < 2 * PLANS; i++) {
        enum plan plan = (enum plan)(i % PLANS);
        int by_edge = i / PLANS;
        /* A batch of MUCH takes long; one of its messages does not fit into a small frame. */
        size_t bytes = plan == BATCH && size == MUCH ? MUCH / 16 : size;
        unsigned most = plan == BATCH && frame < 100 ? 100 : frame;
        run(local, plan, by_edge, most, bytes, grain);
        run(tcp, plan, by_edge, most, bytes, grain);
    }
}

static void
every_segmentation(void **state)
{
    static const size_t grains[] = {1, 15, 24, 137, 1000, 100000};
    static const unsigned frames[] = {57, 16384};

    (void)state;
    for (size_t g = 0; g < sizeof grains / sizeof grains[0]; g++) {
        for (int f = 0; f < 2; f++)
            every_plan(ENDS_APART, ENDS_TCP_APART, frames[f], LITTLE, grains[g]);
    }
}

/** Both send more than the sockets hold, so that each has to read for the other to go on. */
static void
both_send_much(void **state)
{
    (void)state;
    every_plan(ENDS_DIRECT, ENDS_TCP, 16384, MUCH, 0);
}

/** Carry cut bytes of two messages to BOTTOM, and the end of the stream with them. Returns what
 * BOTTOM's last call returns. */
static int
receive_the_end(enum ends_wire wire, enum plan plan, size_t cut)
{
    struct ends ends;
    struct party bottom;
    size_t n;
    int result = DUET_AGAIN;

    ends_open_with(&ends, ends_config(), wire);
    ends_handshake(&ends);
    party_new(&bottom, ends.bottom, ends.bottom_fd, plan, 1);
    bottom.size = LITTLE;
    (void)recv_once(&bottom);
    (void)has_event(&bottom, 0); /* that it can be written */
    for (int i = 0; i < 2; i++)
        assert_int_equal(duet_channel_send_message(ends.top, 9, bottom.out, 40, &n, 0), DUET_OK);
    ends_carry(ends.top_far, ends.bottom_far, cut);
    assert_int_equal(shutdown(ends.bottom_far, SHUT_WR), 0);
    usleep(wire == ENDS_TCP_APART ? 300 : 0);
    for (int i = 0; i < 100 && may_go(&bottom); i++)
        result = plan == EXCHANGE ? exchange_once(&bottom) : recv_once(&bottom);
    party_free(&bottom);
    ends_close(&ends);
    return result;
}

/** The end of the stream comes together with its last bytes: by edge there is one event for both.
 */
static void
an_end_with_the_last_bytes(void **state)
{
    static const enum ends_wire wires[2] = {ENDS_APART, ENDS_TCP_APART};

    (void)state;
    for (size_t cut = 0; cut < 130; cut += 3) {
        for (int i = 0; i < 2 * PLANS; i++) {
            enum plan plan = (enum plan)(i / 2);
            int result = receive_the_end(wires[i % 2], plan, cut);
            if (plan == EXCHANGE && cut >= 64)
                assert_true(result == DUET_E_TRUNCATED || result == DUET_E_CODE);
            else
                assert_int_equal(result, DUET_E_TRUNCATED);
        }
    }
}

/** A close that was read, but not reported, is in the state. */
static void
an_unreported_close(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        struct ends ends;
        struct party bottom;
        ends_open_with(&ends, ends_config(), tcp ? ENDS_TCP_APART : ENDS_APART);
        ends_handshake(&ends);
        party_new(&bottom, ends.bottom, ends.bottom_fd, BATCH, 0);
        bottom.size = LITTLE;
        struct party top = bottom;
        top.channel = ends.top;
        top.size = 200;
        assert_int_equal(send_once(&top), DUET_OK);
        assert_int_equal(duet_channel_close(ends.top, 0), DUET_OK);
        ends_carry_all(&ends);
        duet_message messages[3];
        duet_inbox inbox = {bottom.in, LITTLE, messages, 3, 0};
        assert_int_equal(duet_channel_recv_messages(ends.bottom, &inbox, 0), DUET_OK);
        assert_int_equal(inbox.count, 2);
        assert_false(ends_readable(ends.bottom_fd));
        assert_true(duet_channel_state(ends.bottom) & DUET_STATE_HAS_DATA);
        assert_int_equal(recv_once(&bottom), DUET_CLOSED);
        assert_int_equal(duet_channel_state(ends.bottom), 0);
        party_free(&bottom);
        ends_close(&ends);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_segmentation),
        cmocka_unit_test(both_send_much),
        cmocka_unit_test(an_end_with_the_last_bytes),
        cmocka_unit_test(an_unreported_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int
main(void)
{
    return 77; /* there is no epoll */
}

#endif
