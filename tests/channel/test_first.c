/*
 * The first writes of channels with a dialect, as the wire carries them: each is filled, in every
 * pattern and by every sending call, what is carried stays whole, and the cost is bounded
 * (docs/protocol.md §6 "first"). Without a dialect no write is a READY, REFRESH or CLOSE alone, in
 * any pattern, also where what was to follow did not (§4).
 */
#include "channel/ends.h"
#include "support/between.h"

#include "channel/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 1 << 17, WRITES = 64, MESSAGES = 12, LONE_LEAST = 76, LONE_MOST = 1176 };

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
            assert_true(i == wire->count - 1 || wire->writes[i] < 500); /* the last is CLOSE */
        }
    }
    assert_true(wire->count > dialect->first[role] + 2u);
    return whole;
}

static void
open_both(duet_channel *channels[2], duet_config *const configs[2], duet_replay *replay,
          struct stream_end ends[2])
{
    memset(wires, 0, sizeof wires);
    for (int i = 0; i < 2; i++) {
        ends[i] = (struct stream_end){&wires[i], &wires[1 - i]};
        duet_stream stream = {&ends[i], take, put, never_wait};
        assert_int_equal(duet_channel_open_stream(&channels[i], configs[i], i == 1 ? replay : NULL,
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
        open_both(channels, (duet_config *[]){config, config}, replay, ends);
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

/** The last write of one end has a frame whose size would tell it: its payload is `size`. Returns the
 * bytes that are beside it. */
static size_t
check_lone(enum duet_role role, size_t writes, size_t size)
{
    const struct wire *wire = &wires[role];

    assert_int_equal(wire->count, writes);
    size_t beside = wire->writes[writes - 1] - size - DUET_FRAME_OVERHEAD;
    assert_between(beside, LONE_LEAST, LONE_MOST);
    return beside;
}

/** Bytes of REFRESH 0x01, 0x02 and 0x03 (§5). */
static size_t
refresh_size(duet_channel *channel, int step)
{
    static const size_t plain[] = {1 + WIRE_KEY, 1 + WIRE_KEY, 1};
    static const size_t hybrid[] = {DUET__MLKEM_KEY, DUET__MLKEM_TEXT, 0};
    duet_info info;

    duet_channel_info(channel, &info);
    return plain[step] + (info.hybrid ? hybrid[step] : 0);
}

/** A handshake, a message and its answer, a refresh, and the close; their sizes are added up. */
static void
lone_writes_of(duet_config *const configs[2], int is_identity, size_t sums[4])
{
    struct stream_end ends[2];
    duet_channel *channels[2];
    duet_replay *replay = duet_replay_new(8);
    uint8_t data[300] = {0};
    size_t top = is_identity ? 2 : 1, bottom = 1;

    open_both(channels, configs, replay, ends);
    if (is_identity) /* TOP's READY goes with its second HELLO, BOTTOM's alone */
        sums[0] += check_lone(DUET_BOTTOM, ++bottom, 0);
    else
        sums[0] += check_lone(DUET_TOP, ++top, 0);
    for (int i = 0; i < 2; i++) { /* frames of the application are as they are */
        send_some(channels[i], 0, data, 10);
        receive_some(channels[1 - i], 0, data, 10);
        assert_int_equal(wires[i].writes[i == 0 ? top : bottom], 10 + DUET_FRAME_OVERHEAD);
    }
    assert_int_equal(duet_channel_refresh(channels[0]), DUET_OK);
    top++;
    bottom++;
    for (int i = 0; i < 3; i++) { /* each writes what is due, and takes what has come */
        size_t got;
        assert_int_equal(duet_channel_recv(channels[i % 2], data, 1, &got, 1, 0), DUET_AGAIN);
        sums[1 + (i == 1)] += check_lone((enum duet_role)(i % 2), i % 2 == 0 ? ++top : ++bottom,
                                         refresh_size(channels[0], i));
    }
    (void)!duet_channel_close(channels[0], 0);
    (void)!duet_channel_close(channels[1], 0);
    sums[3] += check_lone(DUET_TOP, top + 1, 0) + check_lone(DUET_BOTTOM, bottom + 1, 0);
    assert_int_equal(duet_channel_close(channels[0], 0), DUET_OK);
    for (int i = 0; i < 2; i++)
        duet_channel_free(channels[i]);
    duet_replay_free(replay);
}

/** A configuration that accepts and offers one pattern. */
static duet_config *
config_of(enum duet_pattern pattern)
{
    duet_config *config = ends_config();
    duet_key *identity;

    if (pattern == DUET_PATTERN_IDENTITY) {
        assert_int_equal(duet_key_new(&identity, DUET_KIND_IDENTITY, NULL, 0, 0), DUET_OK);
        assert_int_equal(duet_config_add(config, identity), DUET_OK);
        duet_key_free(identity);
    }
    assert_int_equal(duet_config_set(config, DUET_SET_PATTERNS, 1u << pattern), DUET_OK);
    return config;
}

static void
lone_writes(void **state)
{
    enum { TIMES = 40 };

    (void)state;
    for (int i = 0; i < DUET_PATTERN_COUNT; i++) {
        duet_config *configs[2] = {config_of((enum duet_pattern)i),
                                   config_of((enum duet_pattern)i)};
        size_t sums[4] = {0};

        for (int time = 0; time < TIMES; time++)
            lone_writes_of(configs, i == DUET_PATTERN_IDENTITY, sums);
        /* Drawn evenly: a mean of 40 is within six standard deviations, of 50, of the middle. */
        for (int j = 0; j < 4; j++)
            assert_between(sums[j] / TIMES / (j % 2 == 1 ? 2 : 1), 626 - 300, 626 + 300);
        duet_config_free(configs[0]);
        duet_config_free(configs[1]);
    }
}

/** Two ends of pattern 1 with this size of frames. */
static void
open_pair(duet_channel *channels[2], struct stream_end ends[2], uint64_t frame_size, int dialect)
{
    duet_config *config = config_of(DUET_PATTERN_EPHEMERAL);
    duet_replay *replay = duet_replay_new(8);

    assert_int_equal(duet_config_set(config, DUET_SET_FRAME_SIZE, frame_size), DUET_OK);
    assert_int_equal(duet_config_set(config, DUET_SET_DIALECT, (uint64_t)dialect), DUET_OK);
    open_both(channels, (duet_config *[]){config, config}, replay, ends);
    duet_config_free(config);
    duet_replay_free(replay);
}

static void
free_pair(duet_channel *channels[2])
{
    duet_channel_free(channels[0]);
    duet_channel_free(channels[1]);
}

/** ROTATE and REFRESH are due, and the next frame has no room beside them, or cannot be sent. */
static void
lone_before_others(void **state)
{
    static const uint8_t data[65536];
    const duet_message wrong = {.data = data, .size = 1, .code = 0};
    struct stream_end ends[2];
    duet_channel *channels[2];
    size_t sent;

    (void)state;
    open_pair(channels, ends, sizeof data, 0);
    for (int i = 0; i < 2; i++) {
        size_t lone = DUET_FRAME_OVERHEAD + refresh_size(channels[0], 0), writes = wires[0].count;
        assert_int_equal(duet_session_rekey(duet_channel_session(channels[0])), DUET_OK);
        if (i == 0)
            assert_int_equal(duet_channel_refresh(channels[0]), DUET_OK);
        if (i == 0) {
            assert_int_equal(duet_channel_send(channels[0], data, sizeof data, &sent, 0), DUET_OK);
            assert_int_equal(wires[0].writes[writes + 1], sizeof data + DUET_FRAME_OVERHEAD);
            wires[0].count--;
            (void)check_lone(DUET_TOP, writes + 1, lone);
        } else {
            assert_int_equal(duet_channel_send_messages(channels[0], &wrong, 1, &sent, 0),
                             DUET_E_MISUSE);
            (void)check_lone(DUET_TOP, writes + 1, 0);
        }
    }
    free_pair(channels);
}

/** A write that is filled is counted once, also where the application sends nothing with it. */
static void
counted_once(void **state)
{
    struct stream_end ends[2];
    duet_channel *channels[2];
    size_t sent;

    (void)state;
    open_pair(channels, ends, 16384, 1);
    duet_session *session = duet_channel_session(channels[0]);
    int left = session->first_left;
    assert_true(left > 1);
    assert_int_equal(duet_session_rekey(session), DUET_OK);
    assert_int_equal(duet_channel_send(channels[0], "", 0, &sent, 0), DUET_OK);
    assert_int_equal(session->first_left, left - 1);
    free_pair(channels);
}

/** The sizes do not come again, however many there were. */
static void
drawn_anew(void **state)
{
    enum { TIMES = 600, PERIOD = 256 };
    static size_t sizes[TIMES];
    struct stream_end ends[2];
    duet_channel *channels[2];
    size_t same = 0;

    (void)state;
    open_pair(channels, ends, 16384, 0);
    for (size_t i = 0; i < TIMES; i++) {
        memset(&wires[0], 0, sizeof wires[0]);
        assert_int_equal(duet_session_rekey(duet_channel_session(channels[0])), DUET_OK);
        assert_int_equal(duet_channel_flush(channels[0], 0), DUET_OK);
        sizes[i] = wires[0].writes[0];
        same += i >= PERIOD && sizes[i] == sizes[i - PERIOD];
    }
    assert_true(same < 20); /* chance: 0.3 */
    free_pair(channels);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_writes),       cmocka_unit_test(lone_writes),
        cmocka_unit_test(lone_before_others), cmocka_unit_test(counted_once),
        cmocka_unit_test(drawn_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
