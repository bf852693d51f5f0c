/*
 * Polled mode, driven by duet_channel_state() alone: a party makes a call only when what its state
 * names has come up, and nothing ever stalls, however the stream is cut.
 */
#include "channel/ends.h"
#include "support/between.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { BYTES = 5000 };

/** One party: sends BYTES, receives as many, closes, waits for the peer's close. */
struct party {
    duet_channel *channel;
    int fd;
    uint8_t out[BYTES], in[BYTES];
    size_t sent, got;
    int closed, done;
};

static int
ready(const struct party *party)
{
    unsigned state = duet_channel_state(party->channel);
    struct pollfd one = {.fd = party->fd};
    if (state & DUET_WANT_READ)
        one.events |= POLLIN;
    if (state & DUET_WANT_WRITE)
        one.events |= POLLOUT;
    assert_true(one.events != 0);
    return poll(&one, 1, 0) > 0;
}

static int
step(struct party *party)
{
    size_t n;
    int result;

    if (party->sent < BYTES) {
        result =
            duet_channel_send(party->channel, party->out + party->sent, BYTES - party->sent, &n, 0);
        party->sent += n;
        if (result != DUET_OK && result != DUET_AGAIN)
            return result;
    }
    if (party->got < BYTES) {
        result =
            duet_channel_recv(party->channel, party->in + party->got, BYTES - party->got, &n, 1, 0);
        party->got += n;
        return result == DUET_OK ? step(party) : result;
    }
    if (!party->closed && party->sent == BYTES) {
        result = duet_channel_close(party->channel, 0);
        if (result != DUET_OK)
            return result;
        party->closed = 1;
    }
    result = duet_channel_recv(party->channel, party->in, 0, &n, 0, 0);
    party->done = result == DUET_CLOSED;
    return party->done ? DUET_OK : DUET_AGAIN;
}

/** Let the party go on as long as its state and poll() say so. */
static void
turn(struct party *party)
{
    for (int i = 0; i < 10000 && !party->done && ready(party); i++) {
        int result = step(party);
        assert_true(result == DUET_OK || result == DUET_AGAIN);
    }
}

static void
drive(struct ends *ends, size_t grain)
{
    static struct party top, bottom;

    memset(&top, 0, sizeof top);
    memset(&bottom, 0, sizeof bottom);
    top.channel = ends->top;
    top.fd = ends->top_fd;
    bottom.channel = ends->bottom;
    bottom.fd = ends->bottom_fd;
    ends_fill(top.out, BYTES, 21);
    ends_fill(bottom.out, BYTES, 22);
    /* The first call tells the state what the application is about. */
    step(&top);
    step(&bottom);
    for (int i = 0; i < 100000 && (!top.done || !bottom.done); i++) {
        size_t there = ends_carry(ends->top_far, ends->bottom_far, grain);
        turn(&bottom);
        size_t back = ends_carry(ends->bottom_far, ends->top_far, grain);
        turn(&top);
        /* No byte moves, and nobody may go on: that would be a stall. */
        assert_true(there + back > 0 || ends_waiting(ends->top_far) > 0 ||
                    ends_waiting(ends->bottom_far) > 0 || (top.done && bottom.done));
    }
    assert_true(top.done && bottom.done);
    assert_memory_equal(top.in, bottom.out, BYTES);
    assert_memory_equal(bottom.in, top.out, BYTES);
}

static void
every_segmentation(void **state)
{
    static const size_t grains[] = {1,  2,  3,   7,   8,    15,   16,    17,
                                    24, 31, 100, 511, 1024, 4999, 100000};
    static const unsigned frames[] = {1000, 16384, 57};

    (void)state;
    for (size_t i = 0; i < sizeof grains / sizeof grains[0]; i++) {
        for (size_t k = 0; k < 2 * sizeof frames / sizeof frames[0]; k++) {
            struct ends ends;
            duet_config *config = ends_config();
            assert_int_equal(duet_config_set(config, DUET_SET_READ_AHEAD, k % 2), DUET_OK);
            assert_int_equal(duet_config_set(config, DUET_SET_FRAME_SIZE, frames[k / 2]), DUET_OK);
            ends_open_with(&ends, config, 0);
            drive(&ends, grains[i]);
            ends_close(&ends);
        }
    }
}

/** The same where the sockets themselves take little. */
static void
narrow_sockets(void **state)
{
    struct ends ends;
    int size = 1;

    (void)state;
    ends_open(&ends);
    assert_int_equal(setsockopt(ends.top_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_int_equal(setsockopt(ends.bottom_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    drive(&ends, 300);
    ends_close(&ends);
}

/** What a call waits for, and nothing else: a program that only sends is not woken by what it can
 * read. */
static void
states(void **state)
{
    struct ends ends;
    static uint8_t much[1 << 20];
    size_t n;

    (void)state;
    ends_open(&ends);
    assert_int_equal(duet_channel_state(ends.bottom), DUET_WANT_READ);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_state(ends.top), DUET_WANT_READ | DUET_STATE_AGAIN_NOW);
    assert_int_equal(duet_channel_send(ends.top, much, sizeof much, &n, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_state(ends.top),
                     DUET_STATE_SEND | DUET_WANT_WRITE | DUET_STATE_AGAIN_NOW);
    assert_int_equal(duet_channel_recv(ends.top, much, 1, &n, 1, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_state(ends.top),
                     DUET_STATE_SEND | DUET_WANT_WRITE | DUET_WANT_READ);
    ends_close(&ends);

    ends_open(&ends);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_send(ends.top, much, 100, &n, 0), DUET_OK);
    assert_int_equal(duet_channel_state(ends.top), DUET_WANT_READ | DUET_STATE_AGAIN_NOW);
    ends_carry(ends.top_far, ends.bottom_far, 10);
    assert_int_equal(duet_channel_recv(ends.bottom, much, 100, &n, 1, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_state(ends.bottom), DUET_STATE_RECV | DUET_WANT_READ);
    ends_close(&ends);
}

/** A message comes to a program that reads the stream: it is verified and lies in the library, the
 * kernel is empty, and the state reports it until it is received. */
static void
verified_data_is_in_the_state(void **state)
{
    struct ends ends;
    uint8_t bytes[100];
    uint32_t code;
    size_t n;

    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        ends_open_with(&ends, ends_config(), tcp ? ENDS_TCP_APART : ENDS_APART);
        ends_handshake(&ends);
        assert_int_equal(duet_channel_send_message(ends.top, 7, "hello", 5, &n, 0), DUET_OK);
        ends_carry_all(&ends);
        assert_int_equal(duet_channel_state(ends.bottom), DUET_WANT_READ | DUET_STATE_AGAIN_NOW);
        assert_int_equal(duet_channel_recv(ends.bottom, bytes, sizeof bytes, &n, 1, 0),
                         DUET_E_CODE);
        assert_false(ends_readable(ends.bottom_fd));
        assert_true(duet_channel_state(ends.bottom) & DUET_STATE_HAS_DATA);
        assert_int_equal(duet_channel_recv_message(ends.bottom, &code, bytes, 4, &n, 0),
                         DUET_E_ROOM);
        assert_true(duet_channel_state(ends.bottom) & DUET_STATE_HAS_DATA);
        assert_int_equal(duet_channel_recv_message(ends.bottom, &code, bytes, 5, &n, 0), DUET_OK);
        assert_int_equal(duet_channel_state(ends.bottom), DUET_WANT_READ | DUET_STATE_AGAIN_NOW);
        assert_int_equal(duet_channel_recv(ends.bottom, bytes, 5, &n, 1, 0), DUET_AGAIN);
        assert_int_equal(duet_channel_state(ends.bottom), DUET_WANT_READ);
        ends_close(&ends);
    }
}

/** A receive call completes the handshake: state and poll() then let a pending send go on. */
static void
initiation_wakes_who_sends(void **state)
{
    struct ends ends;
    uint8_t byte;
    size_t n;

    (void)state;
    ends_open(&ends);
    assert_int_equal(duet_channel_send(ends.top, "bytes", 6, &n, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_state(ends.top), DUET_WANT_READ);
    ends_carry_all(&ends);
    assert_int_equal(duet_channel_handshake(ends.bottom, 0), DUET_AGAIN);
    ends_carry_all(&ends);
    assert_int_equal(duet_channel_recv(ends.top, &byte, 1, &n, 1, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_state(ends.top), DUET_WANT_READ | DUET_WANT_WRITE);
    assert_int_equal(duet_channel_send(ends.top, "bytes", 6, &n, 0), DUET_OK);
    assert_int_equal(duet_channel_state(ends.top), DUET_WANT_READ);
    ends_close(&ends);
}

/** What waited to be written when a call received has gone since: nobody waits for room. */
static void
flushed_is_not_waited_for(void **state)
{
    static uint8_t much[1 << 20];
    struct ends ends;
    size_t n;

    (void)state;
    ends_open(&ends);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_send(ends.top, much, sizeof much, &n, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_recv(ends.top, much, 1, &n, 1, 0), DUET_AGAIN);
    while (duet_channel_flush(ends.top, 0) == DUET_AGAIN)
        assert_true(recv(ends.top_far, much, sizeof much, 0) > 0);
    assert_int_equal(duet_channel_state(ends.top), DUET_WANT_READ);
    ends_close(&ends);
}

/* ---- A stream that takes all, and gives nothing or PAD without end ---- */

struct source {
    duet_session *pads; /* NULL: it gives nothing */
    uint8_t frame[DUET_FRAME_OVERHEAD];
    size_t left; /* bytes of the frame that are not read yet */
    unsigned frames, waits;
};

static int
source_read(void *context, uint8_t *buffer, size_t size, size_t *got)
{
    struct source *source = context;

    *got = 0;
    if (source->pads == NULL)
        return DUET_AGAIN;
    if (source->left == 0) {
        assert_int_equal(duet_session_pad(source->pads, source->frame, 0), DUET_OK);
        source->left = sizeof source->frame;
        source->frames++;
    }
    *got = size < source->left ? size : source->left;
    memcpy(buffer, source->frame + sizeof source->frame - source->left, *got);
    source->left -= *got;
    return DUET_OK;
}

static int
source_write(void *context, const uint8_t *buffer, size_t size, size_t *put)
{
    (void)context;
    (void)buffer;
    *put = size;
    return DUET_OK;
}

static int
source_wait(void *context, unsigned want, int timeout_ms)
{
    struct source *source = context;
    (void)want;
    (void)timeout_ms;
    source->waits++;
    return DUET_OK;
}

static duet_session *
preset(duet_config *config, enum duet_role role)
{
    static const uint8_t salt[16] = {1};
    duet_session *session;

    assert_int_equal(duet_session_new_preset(&session, config, role, salt, sizeof salt), DUET_OK);
    return session;
}

/** DUET_AGAIN means that the wire would block: what is taken without end is sent in one call. */
static void
a_sink_takes_all_in_one_call(void **state)
{
    struct source sink = {0};
    const duet_stream stream = {&sink, source_read, source_write, source_wait};
    static uint8_t much[3 << 20], byte;
    duet_config *config = ends_config();
    duet_channel *channel;
    size_t n;

    (void)state;
    assert_int_equal(duet_channel_open_preset(&channel, preset(config, DUET_TOP), &stream, -1, -1),
                     DUET_OK);
    assert_int_equal(duet_channel_send(channel, much, sizeof much, &n, 0), DUET_OK);
    assert_int_equal(n, sizeof much);
    assert_int_equal(duet_channel_state(channel), DUET_WANT_READ);
    duet_exchange_io io = {.data = much, .size = sizeof much, .buffer = &byte, .room = 1};
    assert_int_equal(duet_channel_exchange(channel, &io, 0), DUET_AGAIN);
    assert_int_equal(io.sent, sizeof much);
    assert_int_equal(duet_channel_state(channel), DUET_WANT_READ);
    duet_channel_free(channel);
    duet_config_free(config);
}

/** A peer that sends PAD without end bounds no polled call: it returns, and the state says that no
 * event need follow. A call with a time-out keeps it. The stream never has to be waited for. */
static void
endless_padding(void **state)
{
    static uint8_t much[3 << 20];
    duet_config *config = ends_config();
    struct source source = {.pads = preset(config, DUET_TOP)};
    const duet_stream stream = {&source, source_read, source_write, source_wait};
    duet_channel *channel;
    uint8_t byte;
    size_t n;

    (void)state;
    assert_int_equal(
        duet_channel_open_preset(&channel, preset(config, DUET_BOTTOM), &stream, -1, -1), DUET_OK);
    for (unsigned i = 1; i < 4; i++) {
        unsigned before = source.frames;
        assert_int_equal(duet_channel_recv(channel, &byte, 1, &n, 1, 0), DUET_AGAIN);
        assert_between(source.frames - before, 2000, 100000);
        assert_int_equal(duet_channel_state(channel) & ~(unsigned)DUET_STATE_RECV,
                         DUET_WANT_READ | DUET_STATE_AGAIN_NOW);
    }
    duet_exchange_io io = {.data = much, .size = sizeof much, .buffer = &byte, .room = 1};
    assert_int_equal(duet_channel_exchange(channel, &io, 0), DUET_AGAIN);
    assert_int_equal(io.sent, sizeof much);
    assert_true(duet_channel_state(channel) & DUET_STATE_AGAIN_NOW);
    assert_int_equal(duet_channel_recv(channel, &byte, 1, &n, 1, 20), DUET_SLOW);
    io.sent = 0;
    assert_int_equal(duet_channel_exchange(channel, &io, 20), DUET_SLOW);
    assert_true(io.sent > 0);
    assert_int_equal(source.waits, 0);
    duet_channel_free(channel);
    duet_session_free(source.pads);
    duet_config_free(config);
}

/** The peer's PING is answered by whatever call comes by; after DUET_AGAIN none is left. */
static void
pings(void **state)
{
    struct ends ends;
    uint8_t byte;
    size_t n;
    const uint8_t echo[] = "12345678";
    int size = 1 << 20;

    (void)state;
    ends_open_direct(&ends);
    ends_handshake(&ends);
    assert_int_equal(setsockopt(ends.top_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_int_equal(setsockopt(ends.bottom_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(duet_session_ping(duet_channel_session(ends.top), echo), DUET_OK);
        assert_true(duet_channel_state(ends.top) & DUET_WANT_WRITE);
        assert_int_equal(duet_channel_flush(ends.top, 0), DUET_OK);
    }
    assert_int_equal(ends_waiting(ends.bottom_fd), 300 * (DUET_FRAME_OVERHEAD + DUET_PING_SIZE));
    assert_int_equal(duet_channel_recv(ends.bottom, &byte, 1, &n, 1, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_state(ends.bottom), DUET_WANT_READ);
    assert_int_equal(ends_waiting(ends.bottom_fd), 0);
    assert_true(ends_waiting(ends.top_fd) > 0);
    assert_int_equal(duet_channel_recv(ends.top, &byte, 1, &n, 1, 0), DUET_AGAIN);
    assert_int_equal(ends_waiting(ends.top_fd), 0);
    ends_close(&ends);
}

/** A refresh asked for by one end is carried through by ordinary calls of both. */
static void
refresh(void **state)
{
    struct ends ends;
    uint8_t byte;
    size_t n;
    duet_info top, bottom;
    uint8_t fresh[DUET_FRESH_SIZE];

    (void)state;
    ends_open(&ends);
    ends_handshake(&ends);
    ends_fill(fresh, sizeof fresh, 31);
    assert_int_equal(duet_session_refresh(duet_channel_session(ends.top), fresh), DUET_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(duet_channel_recv(ends.top, &byte, 1, &n, 1, 0), DUET_AGAIN);
        ends_carry_all(&ends);
        assert_int_equal(duet_channel_recv(ends.bottom, &byte, 1, &n, 1, 0), DUET_AGAIN);
        ends_carry_all(&ends);
    }
    duet_session_info(duet_channel_session(ends.top), &top);
    duet_session_info(duet_channel_session(ends.bottom), &bottom);
    assert_false(top.refreshing || bottom.refreshing);
    assert_true(top.tx_epoch == 1 && top.rx_epoch == 1);
    assert_true(bottom.tx_epoch == 1 && bottom.rx_epoch == 1);
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_segmentation),
        cmocka_unit_test(narrow_sockets),
        cmocka_unit_test(states),
        cmocka_unit_test(verified_data_is_in_the_state),
        cmocka_unit_test(initiation_wakes_who_sends),
        cmocka_unit_test(flushed_is_not_waited_for),
        cmocka_unit_test(a_sink_takes_all_in_one_call),
        cmocka_unit_test(endless_padding),
        cmocka_unit_test(pings),
        cmocka_unit_test(refresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
