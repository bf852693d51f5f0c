/*
 * A listener's silence (docs/protocol.md §4 "Probing"), and a channel's requests to its session.
 */
#include "channel/channel.h"
#include "channel/ends.h"
#include "channel/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/** A listener's channel whose peer has sent bytes that no secret opens. */
static void
refuse_probe(struct ends *ends)
{
    static const char noise[200] = "GET / HTTP/1.1";

    ends_open(ends);
    assert_int_equal(write(ends->bottom_far, noise, sizeof noise), sizeof noise);
    assert_int_equal(duet_channel_handshake(ends->bottom, ENDS_PATIENCE), DUET_E_UNAUTHENTICATED);
}

/** Its range is the usual one, or the dialect's, which differs from secret to secret. */
static void
times_of_a_dialect(void **state)
{
    duet_config *config = ends_config(), *other = duet_config_new();
    const uint8_t secret[64] = {1};

    (void)state;
    assert_int_equal(duet_config_time(config, DUET_TIME_LINGER_LEAST), 1000);
    assert_int_equal(duet_config_time(config, DUET_TIME_LINGER_MOST), 5000);
    assert_int_equal(duet_config_add_secret(other, secret, sizeof secret), DUET_OK);
    assert_int_equal(duet_config_set(config, DUET_SET_DIALECT, 1), DUET_OK);
    assert_int_equal(duet_config_set(other, DUET_SET_DIALECT, 1), DUET_OK);
    for (int which = 0; which < 4; which++) {
        uint32_t mine = duet_config_time(config, (enum duet_time)which);
        assert_true(mine != duet_config_time(other, (enum duet_time)which));
    }
    uint32_t least = duet_config_time(config, DUET_TIME_SILENCE_LEAST);
    uint32_t most = duet_config_time(config, DUET_TIME_SILENCE_MOST);
    assert_true(least >= 30000 && least <= 45000 && most >= least + 30000 && most <= 120000);
    for (size_t i = 0; i < 16; i++) {
        duet_replay *replay = duet_replay_new(4);
        assert_non_null(replay);
        uint32_t drawn = duet__replay_silence_ms(replay, config);
        assert_true(drawn >= least && drawn <= most);
        duet_replay_free(replay);
    }
    duet_config_free(config);
    duet_config_free(other);
}

static void
time_is_drawn_once(void **state)
{
    duet_config *config = ends_config();
    uint32_t drawn[16];
    int differ = 0;

    (void)state;
    for (size_t i = 0; i < 16; i++) {
        duet_replay *replay = duet_replay_new(4);
        assert_non_null(replay);
        drawn[i] = duet__replay_silence_ms(replay, config);
        assert_true(drawn[i] >= 30000 && drawn[i] <= 90000);
        assert_int_equal(duet__replay_silence_ms(replay, config), drawn[i]);
        differ += drawn[i] != drawn[0];
        duet_replay_free(replay);
    }
    assert_true(differ > 0);
    duet_config_free(config);
}

/** Neither bytes nor the end of the peer bring the time nearer; nothing is sent. */
static void
silence(void **state)
{
    static char flood[100000];
    struct ends ends;

    (void)state;
    refuse_probe(&ends);
    assert_int_equal(duet_channel_silence(ends.bottom, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_state(ends.bottom), DUET_WANT_READ);
    ssize_t sent = send(ends.bottom_far, flood, sizeof flood, MSG_DONTWAIT);
    assert_true(sent > 0);
    assert_int_equal(duet_channel_silence(ends.bottom, 30), DUET_SLOW);
    assert_int_equal(ends_waiting(ends.bottom_fd), 0);
    assert_int_equal(shutdown(ends.bottom_far, SHUT_WR), 0);
    assert_int_equal(duet_channel_silence(ends.bottom, 30), DUET_SLOW);
    assert_int_equal(duet_channel_state(ends.bottom), 0); /* poll() would return at once */
    assert_int_equal(duet_channel_silence(ends.bottom, 0), DUET_AGAIN);
    ends.bottom->begun_ms -= 90000;
    assert_int_equal(duet_channel_silence(ends.bottom, -1), DUET_OK);
    assert_int_equal(duet_channel_state(ends.bottom), 0);
    assert_int_equal(duet_channel_handshake(ends.bottom, 0), DUET_E_UNAUTHENTICATED);
    assert_int_equal(ends_waiting(ends.bottom_far), 0);
    ends_close(&ends);
}

static void
silence_is_stopped(void **state)
{
    struct ends ends;

    (void)state;
    refuse_probe(&ends);
    duet_channel_stop(ends.bottom);
    assert_int_equal(duet_channel_silence(ends.bottom, -1), DUET_AGAIN);
    ends_close(&ends);
}

/** TOP spoke first: there is nothing to hide. */
/** A handshake that is never finished ends like one that fails. */
static void
unfinished_handshake(void **state)
{
    struct ends ends;

    (void)state;
    ends_open(&ends);
    assert_int_equal(write(ends.bottom_far, "x", 1), 1);
    assert_int_equal(duet_channel_handshake(ends.bottom, 10), DUET_SLOW);
    assert_int_equal(duet_channel_silence(ends.bottom, 0), DUET_AGAIN);
    assert_string_equal(duet_channel_detail(ends.bottom), "the handshake was not finished in time");
    assert_int_equal(duet_channel_handshake(ends.bottom, 0), DUET_E_UNAUTHENTICATED);
    ends.bottom->begun_ms -= 90000;
    assert_int_equal(duet_channel_silence(ends.bottom, -1), DUET_OK);
    assert_int_equal(ends_waiting(ends.bottom_far), 0);
    ends_close(&ends);
}

static void
top_is_not_silent(void **state)
{
    struct ends ends;

    (void)state;
    ends_open(&ends);
    assert_int_equal(duet_channel_silence(ends.top, 0), DUET_E_MISUSE);
    assert_int_equal(shutdown(ends.top_far, SHUT_WR), 0);
    assert_int_equal(duet_channel_handshake(ends.top, ENDS_PATIENCE), DUET_E_UNAUTHENTICATED);
    assert_int_equal(duet_channel_silence(ends.top, -1), DUET_OK);
    ends_close(&ends);
}

/* ---- Requests ---- */

static void
take_in(struct ends *ends)
{
    duet_channel *channels[2] = {ends->top, ends->bottom};
    uint8_t byte;
    size_t got;

    for (int i = 0; i < 6; i++) {
        assert_int_equal(duet_channel_flush(channels[i % 2], ENDS_PATIENCE), DUET_OK);
        ends_carry_all(ends);
        assert_int_equal(duet_channel_recv(channels[1 - i % 2], &byte, 1, &got, 1, 0), DUET_AGAIN);
    }
}

static void
requests(void **state)
{
    struct ends ends;
    duet_info info;

    (void)state;
    ends_open(&ends);
    assert_int_equal(duet_channel_refresh(ends.top), DUET_E_MISUSE); /* not ready */
    ends_handshake(&ends);
    assert_int_equal(duet_channel_silence(ends.bottom, 0), DUET_E_MISUSE); /* authenticated */
    assert_int_equal(duet_channel_ping(ends.top), DUET_OK);
    assert_true(duet_channel_state(ends.top) & DUET_WANT_WRITE);
    duet_channel_info(ends.top, &info);
    assert_int_equal(info.pinging, 1);
    assert_int_equal(duet_channel_rekey(ends.top), DUET_OK);
    assert_int_equal(duet_channel_refresh(ends.bottom), DUET_OK);
    assert_int_equal(duet_channel_refresh(ends.bottom), DUET_E_MISUSE); /* one is under way */
    take_in(&ends);
    duet_channel_info(ends.top, &info);
    assert_int_equal(info.pinging, 0);
    assert_int_equal(info.tx_epoch, 2); /* by ROTATE, and by the refresh */
    assert_int_equal(info.rx_epoch, 1);
    ends_close(&ends);
}

/** A program that was built with a shorter duet_info gets no byte more. */
static void
info_sizes(void **state)
{
    struct ends ends;
    duet_info info, untouched;
    struct {
        duet_info info;
        uint8_t later[16];
    } longer;

    (void)state;
    ends_open(&ends);
    memset(&info, 0xa5, sizeof info);
    untouched = info;
    duet_channel_info_sized(ends.bottom, &info, sizeof info.role);
    assert_int_equal(info.role, DUET_BOTTOM);
    assert_memory_equal((uint8_t *)&info + sizeof info.role,
                        (uint8_t *)&untouched + sizeof info.role, sizeof info - sizeof info.role);
    memset(&longer, 0xa5, sizeof longer);
    duet_channel_info_sized(ends.bottom, &longer.info, sizeof longer);
    for (size_t i = 0; i < sizeof longer.later; i++)
        assert_int_equal(longer.later[i], 0);
    assert_int_equal(longer.info.pattern, DUET_PATTERN_NONE);
    ends_close(&ends);
}

static void
exports_and_receipts(void **state)
{
    static const uint8_t label[] = "tests";
    uint8_t one[32], other[32];
    struct ends ends;

    (void)state;
    ends_open(&ends);
    assert_int_equal(duet_channel_export(ends.top, one, 32, label, 5), DUET_E_MISUSE);
    ends_handshake(&ends);
    assert_int_equal(duet_channel_export(ends.top, one, 32, label, 5), DUET_OK);
    assert_int_equal(duet_channel_export(ends.bottom, other, 32, label, 5), DUET_OK);
    assert_memory_equal(one, other, sizeof one);
    assert_int_equal(duet_session_receipt(duet_channel_session(ends.top), one, DUET_TOP),
                     DUET_E_MISUSE);
    assert_int_equal(duet_channel_close(ends.top, ENDS_PATIENCE), DUET_OK);
    ends_carry_all(&ends);
    size_t got;
    assert_int_equal(duet_channel_recv(ends.bottom, other, 1, &got, 1, 0), DUET_CLOSED);
    assert_int_equal(duet_session_receipt(duet_channel_session(ends.top), one, DUET_TOP), DUET_OK);
    assert_int_equal(duet_session_receipt(duet_channel_session(ends.bottom), other, DUET_TOP),
                     DUET_OK);
    assert_memory_equal(one, other, sizeof one);
    assert_int_equal(duet_channel_ping(ends.top), DUET_E_MISUSE);
    assert_int_equal(duet_channel_rekey(ends.top), DUET_E_MISUSE);
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_is_drawn_once),
        cmocka_unit_test(times_of_a_dialect),
        cmocka_unit_test(silence),
        cmocka_unit_test(silence_is_stopped),
        cmocka_unit_test(unfinished_handshake),
        cmocka_unit_test(top_is_not_silent),
        cmocka_unit_test(requests),
        cmocka_unit_test(info_sizes),
        cmocka_unit_test(exports_and_receipts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
