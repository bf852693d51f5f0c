/*
 * Every setting of a configuration has its effect on every kind of channel, or is refused: with the
 * standard handshake, with one of the application's own, preset and raw; on descriptors and on a
 * stream of functions. For sessions without a channel see misuse/test_settings.c.
 */
#include "channel/couple.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint8_t data[1000], had[1000];

/** Open both ends with one setting, and do the handshake if there is one. */
static void
open_couple(struct couple *couple, int form, enum duet_setting setting, uint64_t value)
{
    couple_prepare(couple, (enum couple_kind)(form / 2), (enum couple_wire)(form % 2));
    for (int role = 0; role < 2; role++)
        assert_int_equal(duet_config_set(couple->config[role], setting, value), DUET_OK);
    couple_open(couple);
    for (int role = 0; role < 2; role++) /* frozen */
        assert_int_equal(duet_config_set(couple->config[role], setting, value), DUET_E_MISUSE);
    couple_handshake(couple);
}

/* ---- Settings, on each form: a kind, on descriptors or on a stream ---- */

static void
frame_size(void **state)
{
    static const size_t sizes[] = {100, 500, 1000};
    struct couple couple;
    size_t n;

    (void)state;
    for (int form = 0; form < 2 * COUPLE_KINDS; form++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            open_couple(&couple, form, DUET_SET_FRAME_SIZE, sizes[i]);
            assert_int_equal(duet_channel_send(couple.end[DUET_TOP], data, 1000, &n, 0), DUET_OK);
            assert_int_equal(ends_waiting(couple.fd[DUET_BOTTOM]),
                             1000 + 1000 / sizes[i] * DUET_FRAME_OVERHEAD);
            couple_close(&couple);
        }
}

static void
buffered(void **state)
{
    struct couple couple;
    size_t n;

    (void)state;
    for (int form = 0; form < 2 * COUPLE_KINDS; form++)
        for (unsigned on = 0; on < 2; on++) {
            open_couple(&couple, form, DUET_SET_BUFFERED, on);
            assert_int_equal(duet_channel_send(couple.end[DUET_TOP], data, 1000, &n, 0), DUET_OK);
            assert_int_equal(duet_channel_recv(couple.end[DUET_BOTTOM], had, 10, &n, 1, 0),
                             on ? DUET_OK : DUET_E_ROOM);
            assert_int_equal(n, on ? 10 : 0);
            assert_memory_equal(had, data, n);
            couple_close(&couple);
        }
}

/** What the receiver accepts bounds the sender; on raw directions the ciphers' limit does. */
static void
max_payload(void **state)
{
    struct couple couple;
    size_t n;

    (void)state;
    for (int form = 0; form < 2 * COUPLE_RAW; form++) {
        open_couple(&couple, form, DUET_SET_MAX_PAYLOAD, 300);
        assert_int_equal(duet_channel_send_frame(couple.end[DUET_TOP], 5, data, 301, &n, 0),
                         DUET_E_LENGTH);
        assert_int_equal(duet_channel_send_frame(couple.end[DUET_TOP], 5, data, 300, &n, 0),
                         DUET_OK);
        couple_close(&couple);
    }
}

/* ---- Settings of the handshake ---- */

/** Both ends with a setting each, as far as the handshake comes. Returns BOTTOM's result, DUET_OK
 * when both are ready. */
static int
shake_with(struct couple *couple, int form, enum duet_setting setting, const uint64_t value[2])
{
    int result[2] = {DUET_AGAIN, DUET_AGAIN};

    couple_prepare(couple, (enum couple_kind)(form / 2), (enum couple_wire)(form % 2));
    for (int role = 0; role < 2; role++)
        assert_int_equal(duet_config_set(couple->config[role], setting, value[role]), DUET_OK);
    couple_open(couple);
    for (int i = 0; i < 20; i++)
        for (int role = 0; role < 2; role++)
            if (result[role] == DUET_AGAIN)
                result[role] = duet_channel_handshake(couple->end[role], 0);
    assert_int_equal(result[DUET_TOP] == DUET_OK, result[DUET_BOTTOM] == DUET_OK);
    return result[DUET_BOTTOM];
}

static void
patterns(void **state)
{
    static const struct {
        uint64_t set[2];
        int result;
        enum duet_pattern pattern;
    } rows[] = {
        {{1, 1}, DUET_OK, DUET_PATTERN_SECRET},
        {{1, 3}, DUET_OK, DUET_PATTERN_SECRET},
        {{3, 3}, DUET_OK, DUET_PATTERN_EPHEMERAL},
        {{1, 2}, DUET_E_UNAUTHENTICATED, DUET_PATTERN_NONE},
        {{2, 1}, DUET_E_UNAUTHENTICATED, DUET_PATTERN_NONE},
    };
    struct couple couple;
    duet_info info;

    (void)state;
    for (int on_stream = 0; on_stream < 2; on_stream++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            assert_int_equal(shake_with(&couple, on_stream, DUET_SET_PATTERNS, rows[i].set),
                             rows[i].result);
            duet_channel_info(couple.end[DUET_BOTTOM], &info);
            if (rows[i].result == DUET_OK)
                assert_int_equal(info.pattern, rows[i].pattern);
            couple_close(&couple);
        }
}

static void
hybrid(void **state)
{
    static const struct {
        uint64_t set[2];
        int result, hybrid;
    } rows[] = {
        {{DUET_HYBRID_OFF, DUET_HYBRID_OFFER}, DUET_OK, 0},
        {{DUET_HYBRID_OFFER, DUET_HYBRID_OFF}, DUET_OK, 0},
        {{DUET_HYBRID_OFFER, DUET_HYBRID_OFFER}, DUET_OK, 1},
        {{DUET_HYBRID_REQUIRE, DUET_HYBRID_OFFER}, DUET_OK, 1},
        {{DUET_HYBRID_OFF, DUET_HYBRID_REQUIRE}, DUET_E_UNAUTHENTICATED, 0},
    };
    struct couple couple;
    duet_info info;

    (void)state;
    if (!duet_has_hybrid()) {
        duet_config *config = ends_config();
        assert_int_equal(duet_config_set(config, DUET_SET_HYBRID, DUET_HYBRID_REQUIRE),
                         DUET_E_MISUSE);
        duet_config_free(config);
        return;
    }
    for (int on_stream = 0; on_stream < 2; on_stream++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            assert_int_equal(shake_with(&couple, on_stream, DUET_SET_HYBRID, rows[i].set),
                             rows[i].result);
            duet_channel_info(couple.end[DUET_BOTTOM], &info);
            assert_int_equal(info.hybrid, rows[i].hybrid);
            couple_close(&couple);
        }
}

/** Where clocks count, a flight from before the listener's program is refused. */
static void
max_skew(void **state)
{
    struct couple couple;

    (void)state;
    for (int form = 0; form < 4; form++) {
        int with_skew = form / 2;
        couple_prepare(&couple, COUPLE_STANDARD, (enum couple_wire)(form % 2));
        assert_int_equal(duet_config_set(couple.config[DUET_BOTTOM], DUET_SET_MAX_SKEW_MS,
                                         with_skew ? 600000 : 0),
                         DUET_OK);
        assert_int_equal(couple_open_end(&couple, DUET_TOP), DUET_OK);
        duet_replay_free(couple.replay);
        couple.replay = duet_replay_new(10);
        assert_int_equal(couple_open_end(&couple, DUET_BOTTOM), DUET_OK);
        assert_int_equal(duet_channel_handshake(couple.end[DUET_TOP], 0), DUET_AGAIN);
        assert_int_equal(duet_channel_handshake(couple.end[DUET_BOTTOM], 0),
                         with_skew ? DUET_E_UNAUTHENTICATED : DUET_AGAIN);
        couple_close(&couple);
    }
}

/** BOTTOM may send while it has nothing from TOP but the first flight. */
static void
speak_first(void **state)
{
    struct couple couple;
    size_t n;

    (void)state;
    for (int form = 0; form < 2 * COUPLE_PRESET; form++)
        for (unsigned on = 0; on < 2; on++) {
            couple_prepare(&couple, (enum couple_kind)(form / 2), (enum couple_wire)(form % 2));
            assert_int_equal(duet_config_set(couple.config[DUET_BOTTOM], DUET_SET_SPEAK_FIRST, on),
                             DUET_OK);
            couple_open(&couple);
            assert_int_equal(duet_channel_handshake(couple.end[DUET_TOP], 0), DUET_AGAIN);
            assert_int_equal(duet_channel_send(couple.end[DUET_BOTTOM], data, 10, &n, 0),
                             on ? DUET_OK : DUET_AGAIN);
            assert_int_equal(n, on ? 10 : 0);
            couple_close(&couple);
        }
}

/* ---- What has no effect is refused ---- */

enum { OWN = 1 << COUPLE_OWN, PRESET = 1 << COUPLE_PRESET, RAW = 1 << COUPLE_RAW };

/** A setting, and the kinds that refuse it. */
static const struct refusal {
    enum duet_setting setting;
    unsigned kinds;
    uint64_t value;
} refusals[] = {
    {DUET_SET_PATTERNS, OWN | PRESET | RAW, 2},
    {DUET_SET_MAX_PAYLOAD, RAW, 300},
    {DUET_SET_FRAME_SIZE, 0, 100},
    {DUET_SET_MAX_SKEW_MS, OWN | PRESET | RAW, 1000},
    {DUET_SET_MAX_SKEW_MS, 0, 0},
    {DUET_SET_SPEAK_FIRST, PRESET | RAW, 1},
    {DUET_SET_SPEAK_FIRST, 0, 0},
    {DUET_SET_BUFFERED, 0, 1},
    {DUET_SET_READ_AHEAD, 0, 1},
    {DUET_SET_HYBRID, OWN | PRESET | RAW, DUET_HYBRID_REQUIRE},
    {DUET_SET_HYBRID, 0, DUET_HYBRID_OFF},
    {DUET_SET_REFRESH_BYTES, RAW, 1000},
    {DUET_SET_REFRESH_BYTES, 0, 0},
    {DUET_SET_REFRESH_SECONDS, RAW, 5},
    {DUET_SET_REFRESH_SECONDS, 0, 0},
    {DUET_SET_DIALECT, OWN | PRESET | RAW, 1},
    {DUET_SET_DIALECT, 0, 0},
};

/** One end of each form with one setting: it is opened, or refused and the setting is not frozen. */
static void
refused(void **state)
{
    struct couple couple;

    (void)state;
    for (int form = 0; form < 4 * COUPLE_KINDS; form++)
        for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
            const struct refusal *row = &refusals[i];
            enum duet_role role = form % 4 < 2 ? DUET_TOP : DUET_BOTTOM;
            if (row->value == DUET_HYBRID_REQUIRE && row->setting == DUET_SET_HYBRID &&
                !duet_has_hybrid())
                continue;
            couple_prepare(&couple, (enum couple_kind)(form / 4), (enum couple_wire)(form % 2));
            duet_config *config = couple.config[role];
            assert_int_equal(duet_config_set(config, row->setting, row->value), DUET_OK);
            int is_refused = (row->kinds >> couple.kind & 1) != 0;
            assert_int_equal(couple_open_end(&couple, role), is_refused ? DUET_E_MISUSE : DUET_OK);
            assert_int_equal(duet_config_set(config, row->setting, row->value),
                             is_refused ? DUET_OK : DUET_E_MISUSE);
            couple_close(&couple);
        }
}

/** Whom to trust cannot be asked where nobody proves a key. */
static void
trusted_peers(void **state)
{
    static const char text[] = "[Peer x]\n"
                               "PublicKey = CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    duet_key *peers;
    duet_where where;
    struct couple couple;

    (void)state;
    assert_int_equal(duet_key_parse(&peers, DUET_KIND_PEERS, text, sizeof text - 1, &where),
                     DUET_OK);
    for (int kind = COUPLE_PRESET; kind <= COUPLE_RAW; kind++) {
        couple_prepare(&couple, (enum couple_kind)kind, COUPLE_UNIX);
        assert_int_equal(duet_config_add(couple.config[DUET_TOP], peers), DUET_OK);
        assert_int_equal(couple_open_end(&couple, DUET_TOP), DUET_E_MISUSE);
        couple_close(&couple);
    }
    duet_key_free(peers);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_size),  cmocka_unit_test(buffered), cmocka_unit_test(max_payload),
        cmocka_unit_test(patterns),    cmocka_unit_test(hybrid),   cmocka_unit_test(max_skew),
        cmocka_unit_test(speak_first), cmocka_unit_test(refused),  cmocka_unit_test(trusted_peers),
    };
    ends_fill(data, sizeof data, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
