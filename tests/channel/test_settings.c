/*
 * The settings that say how a channel sends and receives have their effect on every kind of
 * channel: with the standard handshake, with one of the application's own, preset and raw; on
 * descriptors and on a stream of functions.
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_size),
        cmocka_unit_test(buffered),
        cmocka_unit_test(max_payload),
    };
    ends_fill(data, sizeof data, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
