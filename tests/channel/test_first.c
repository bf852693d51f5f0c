/*
 * The first writes of channels with a dialect, as the wire carries them: each is filled, in every
 * pattern and by every sending call, what is carried stays whole, and the cost is bounded
 * (docs/protocol.md §6 "first").
 */
#include "channel/ends.h"
#include "support/between.h"

#include "channel/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 1 << 17, WRITES = 64, MESSAGES = 12 };

/** One direction: bytes on the way, and the sizes of the writes. */
struct wire {
    uint8_t bytes[ROOM];
    size_t size, taken;
    size_t writes[WRITES];
    size_t count;
};

/** One end's stream. */
struct stream_end {
    struct wire *out, *in;
};

static struct wire wires[2]; /* from TOP, from BOTTOM */

static int
take(void *context, uint8_t *buffer, size_t size, size_t *got)
{
    struct wire *wire = ((struct stream_end *)context)->in;

    *got = wire->size - wire->taken < size ? wire->size - wire->taken : size;
    memcpy(buffer, wire->bytes + wire->taken, *got);
    wire->taken += *got;
    return *got > 0 ? DUET_OK : DUET_AGAIN;
}

static int
put(void *context, const uint8_t *bytes, size_t size, size_t *sent)
{
    struct wire *wire = ((struct stream_end *)context)->out;

    assert_true(wire->size + size <= ROOM && wire->count < WRITES);
    memcpy(wire->bytes + wire->size, bytes, size);
    wire->size += size;
    wire->writes[wire->count++] = size;
    *sent = size;
    return DUET_OK;
}

static int
never_wait(void *context, unsigned want, int timeout_ms)
{
    (void)context;
    (void)want;
    (void)timeout_ms;
    return DUET_E_IO;
}

/** Send by one call or another. */
static void
send_some(duet_channel *channel, int way, const uint8_t *data, size_t size)
{
    duet_message message = {.data = data, .size = size, .code = 7};
    duet_job job = {.channel = channel, .data = data, .size = size};
    size_t sent;

    if (way == 0) {
        assert_int_equal(duet_channel_send(channel, data, size, &sent, 0), DUET_OK);
    } else if (way == 1) {
        assert_int_equal(duet_channel_send_message(channel, 7, data, size, &sent, 0), DUET_OK);
    } else if (way == 2) {
        assert_int_equal(duet_channel_send_messages(channel, &message, 1, &sent, 0), DUET_OK);
    } else {
        duet_channel_many(&job, 1);
        assert_int_equal(job.send_result, DUET_OK);
    }
}

static void
receive_some(duet_channel *channel, int way, const uint8_t *data, size_t size)
{
    uint8_t buffer[4096];
    uint32_t code = 0;
    size_t got = 0;

    if (way == 0 || way == 3)
        assert_int_equal(duet_channel_recv(channel, buffer, sizeof buffer, &got, 1, 0), DUET_OK);
    else
        assert_int_equal(duet_channel_recv_message(channel, &code, buffer, sizeof buffer, &got, 0),
                         DUET_OK);
    assert_int_equal(got, size);
    assert_memory_equal(buffer, data, size);
}

/** The sizes of what one end wrote after its first flight. */
static size_t
check_writes(const struct duet__dialect *dialect, enum duet_role role)
{
    const struct wire *wire = &wires[role];
    const struct duet__range range = dialect->first_size;
    size_t whole = wire->writes[0];

    for (size_t i = 1; i < wire->count; i++) {
        if (i <= dialect->first[role]) {
            assert_between(wire->writes[i], range.least, range.most + DUET_FRAME_OVERHEAD - 1);
            whole += wire->writes[i];
        } else {
            assert_true(wire->writes[i] < 500);
        }
    }
    assert_true(wire->count > dialect->first[role] + 2u);
    return whole;
}

static void
open_both(duet_channel *channels[2], duet_config *config, duet_replay *replay,
          struct stream_end ends[2])
{
    memset(wires, 0, sizeof wires);
    for (int i = 0; i < 2; i++) {
        ends[i] = (struct stream_end){&wires[i], &wires[1 - i]};
        duet_stream stream = {&ends[i], take, put, never_wait};
        assert_int_equal(duet_channel_open_stream(&channels[i], config, i == 1 ? replay : NULL,
                                                  (enum duet_role)i, &stream),
                         DUET_OK);
    }
    for (int i = 0; i < 6; i++)
        (void)!duet_channel_handshake(channels[i % 2], 0);
    assert_int_equal(duet_channel_handshake(channels[0], 0), DUET_OK);
    assert_int_equal(duet_channel_handshake(channels[1], 0), DUET_OK);
}

static void
first_writes(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        duet_config *config = ends_config();
        duet_replay *replay = duet_replay_new(8);
        struct stream_end ends[2];
        duet_channel *channels[2];
        uint8_t data[300];
        size_t whole = 0;

        assert_int_equal(duet_config_set(config, DUET_SET_DIALECT, 1), DUET_OK);
        open_both(channels, config, replay, ends);
        for (size_t i = 0; i < MESSAGES; i++) {
            ends_fill(data, sizeof data, (uint32_t)i);
            send_some(channels[i % 2], way, data, 1 + 20 * i);
            receive_some(channels[1 - i % 2], way, data, 1 + 20 * i);
        }
        for (int i = 0; i < 2; i++) {
            (void)!duet_channel_close(channels[i], 0);
            whole += check_writes(&config->psks[0].dialect, (enum duet_role)i);
        }
        assert_true(whole <= 40600);
        for (int i = 0; i < 2; i++)
            duet_channel_free(channels[i]);
        duet_replay_free(replay);
        duet_config_free(config);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(first_writes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
