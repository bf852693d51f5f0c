/*
 * Refresh: one asks, both ask at once, a closed direction, and what a peer may not send
 * (docs/protocol.md §5).
 */
#include "session/config.h"
#include "support/pair.h"

#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct pair pair;
static struct pair_end *const top = &pair.end[DUET_TOP];
static struct pair_end *const bottom = &pair.end[DUET_BOTTOM];
static const struct pair_options plain = {.pattern = DUET_PATTERN_EPHEMERAL};
/* For frames made by hand; those of hybrid sessions are in vectors/test_hybrid.c. */
static const struct pair_options small = {.pattern = DUET_PATTERN_EPHEMERAL, .no_hybrid = 1};
static const uint8_t draw[DUET_FRESH_SIZE] = {7, 7, 7};

static int
ask(struct pair_end *end)
{
    return duet_session_refresh(end->session, draw);
}

static void
raw(struct pair_end *from, const void *payload, size_t n)
{
    uint8_t *frame = from->wire + from->wire_size;
    size_t put;

    assert_int_equal(duet__cipher_seal_begin(&from->session->tx, frame, WIRE_REFRESH, (uint32_t)n),
                     DUET_OK);
    assert_int_equal(
        duet__cipher_seal_piece(&from->session->tx, frame + DUET_HEADER_SIZE, &put, payload, n),
        DUET_OK);
    from->wire_size += n + DUET_FRAME_OVERHEAD;
}

static void
assert_talk(void)
{
    assert_int_equal(pair_send(top, 1, 100), DUET_OK);
    assert_int_equal(pair_send(bottom, 2, 100), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_false(pair_info(top).refreshing);
    assert_false(pair_info(bottom).refreshing);
}

static void
one_asks(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        pair_ready(&pair, &plain);
        struct pair_end *asker = &pair.end[who], *other = &pair.end[!who];
        assert_int_equal(ask(asker), DUET_OK);
        assert_int_equal(ask(asker), DUET_E_MISUSE);
        assert_int_equal(pair_settle(&pair), DUET_OK);
        assert_int_equal(pair_info(asker).tx_epoch, 1);
        assert_int_equal(pair_info(asker).rx_epoch, 1);
        assert_int_equal(pair_info(other).tx_epoch, 1);
        assert_int_equal(pair_info(other).rx_epoch, 1);
        assert_null(asker->session->refresh);
        assert_talk();
        assert_int_equal(ask(other), DUET_OK); /* and again, the other way round */
        assert_int_equal(pair_settle(&pair), DUET_OK);
        assert_talk();
        pair_close(&pair);
    }
}

static void
both_ask(void **state)
{
    (void)state;
    pair_ready(&pair, &plain);
    assert_int_equal(ask(top), DUET_OK);
    assert_int_equal(ask(bottom), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(pair_carry(bottom, top), DUET_OK); /* TOP ignores it */
    assert_int_equal(pair_info(top).pending, 0);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(pair_info(top).tx_epoch, 1);
    assert_int_equal(pair_info(bottom).tx_epoch, 1);
    assert_talk();
    pair_close(&pair);
}

/* Data, ROTATE and PING between the steps. */
static void
frames_between(void **state)
{
    (void)state;
    pair_ready(&pair,
               &(struct pair_options){.pattern = DUET_PATTERN_EPHEMERAL, .rotate_frames = 1});
    assert_int_equal(ask(top), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_send(top, 1, 3), DUET_OK);
    assert_int_equal(duet_session_rekey(top->session), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_send(bottom, 1, 3), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(pair_send(bottom, 1, 3), DUET_OK);
    assert_int_equal(pair_carry(bottom, top), DUET_OK);
    assert_int_equal(pair_send(top, 1, 3), DUET_OK); /* before its 0x03 */
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_talk();
    pair_close(&pair);
}

/* After its CLOSE a party neither answers nor sends 0x03; its receiving direction still turns. */
static void
closed_ends(void **state)
{
    (void)state;
    pair_ready(&pair, &plain);
    assert_int_equal(ask(top), DUET_OK);
    assert_int_equal(duet_session_close(top->session), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(pair_info(top).rx_epoch, 1);
    assert_int_equal(pair_send(bottom, 2, 100), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(top->got_size, 100);
    assert_int_equal(ask(bottom), DUET_E_MISUSE); /* nobody would answer */
    pair_close(&pair);

    pair_ready(&pair, &plain);
    assert_int_equal(ask(top), DUET_OK);
    assert_int_equal(duet_session_close(bottom->session), DUET_OK);
    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK); /* the 0x01 meets a closed direction */
    assert_int_equal(pair_send(top, 2, 100), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(bottom->got_size, 100);
    pair_close(&pair);
}

/** TOP's refresh frames in this order, each given as its first byte; what BOTTOM says. */
static int
verdict(const char *kinds, size_t count)
{
    uint8_t payload[33] = {0, 9, 9, 9};
    int result = DUET_OK;

    pair_ready(&pair, &small);
    for (size_t i = 0; i < count && result == DUET_OK; i++) {
        payload[0] = (uint8_t)kinds[i];
        raw(top, payload, kinds[i] == 3 ? 1 : sizeof payload);
        result = pair_carry(top, bottom);
    }
    pair_close(&pair);
    return result;
}

static void
out_of_turn(void **state)
{
    (void)state;
    assert_int_equal(verdict("\1", 1), DUET_OK);
    assert_int_equal(verdict("\2", 1), DUET_E_PROTOCOL);
    assert_int_equal(verdict("\3", 1), DUET_E_PROTOCOL);
    assert_int_equal(verdict("\4", 1), DUET_E_PROTOCOL);
    assert_int_equal(verdict("\0", 1), DUET_E_PROTOCOL);
    assert_int_equal(verdict("\1\1", 2), DUET_E_PROTOCOL);
    assert_int_equal(verdict("\1\2", 2), DUET_E_PROTOCOL);
    assert_int_equal(verdict("\1\3", 2), DUET_E_PROTOCOL); /* before 0x02 is sent */
}

/** A second 0x01 that crosses TOP's own is one too many. */
static void
ignored_once(void **state)
{
    uint8_t payload[33] = {1, 9, 9};

    (void)state;
    pair_ready(&pair, &small);
    assert_int_equal(ask(top), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    raw(bottom, payload, sizeof payload);
    assert_int_equal(pair_carry(bottom, top), DUET_OK);
    raw(bottom, payload, sizeof payload);
    assert_int_equal(pair_carry(bottom, top), DUET_E_PROTOCOL);
    pair_close(&pair);
}

/** After our CLOSE one 0x01 is ignored, which is then never finished: no other REFRESH follows. */
static void
ignored_after_close(void **state)
{
    uint8_t payload[33] = {1, 9, 9};

    (void)state;
    for (uint8_t second = 1; second <= 3; second++) {
        pair_ready(&pair, &small);
        assert_int_equal(duet_session_close(top->session), DUET_OK);
        assert_int_equal(pair_flush(top), DUET_OK);
        payload[0] = 1;
        raw(bottom, payload, sizeof payload);
        assert_int_equal(pair_carry(bottom, top), DUET_OK);
        assert_int_equal(pair_info(top).pending, 0);
        assert_int_equal(pair_info(top).rx_epoch, 0);
        payload[0] = second;
        raw(bottom, payload, second == 3 ? 1 : sizeof payload);
        assert_int_equal(pair_carry(bottom, top), DUET_E_PROTOCOL);
        pair_close(&pair);
    }
}

/** X25519 ignores a key's top bit; what both ends derive has the key as it came. */
static void
keys_in_another_form(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        pair_ready(&pair, &plain);
        struct pair_end *asker = &pair.end[who];
        assert_int_equal(ask(asker), DUET_OK);
        asker->session->refresh->asked[DUET_KEY_SIZE - 1] |= 0x80;
        assert_int_equal(pair_settle(&pair), DUET_OK);
        assert_int_equal(pair_info(asker).rx_epoch, 1);
        assert_talk();
        pair_close(&pair);
    }
}

/** Points of small order, in every form: 0, 1, 2^255 - 19, the next, and these with the top bit. */
static void
no_key_in_any_form(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        uint8_t payload[33] = {WIRE_REFRESH_ASK};
        if (i & 2) {
            memset(payload + 1, 0xff, 32);
            payload[1] = 0xed;
            payload[32] = 0x7f;
        }
        payload[1] = (uint8_t)(payload[1] + (i & 1));
        payload[32] = (uint8_t)(payload[32] | (i & 4 ? 0x80 : 0));
        pair_ready(&pair, &small);
        raw(top, payload, sizeof payload);
        assert_int_equal(pair_carry(top, bottom), DUET_E_PROTOCOL);
        pair_close(&pair);
    }
}

static void
other_sizes(void **state)
{
    uint8_t zeros[34] = {WIRE_REFRESH_ASK};

    (void)state;
    for (size_t n = 0; n <= 34; n++) {
        pair_ready(&pair, &small);
        zeros[1] = 9;
        raw(top, zeros, n);
        assert_int_equal(pair_carry(top, bottom), n == 33 ? DUET_OK : DUET_E_PROTOCOL);
        pair_close(&pair);
    }
}

static void
in_a_preset_session(void **state)
{
    static const uint8_t salt[16] = {1};

    (void)state;
    pair_open(&pair, &plain);
    pair_thaw(&pair);
    for (int i = 0; i < 2; i++) {
        pair.end[i].config->patterns = 0; /* there is no handshake */
        assert_int_equal(duet_session_new_preset(&pair.end[i].session, pair.end[i].config,
                                                 (enum duet_role)i, salt, sizeof salt),
                         DUET_OK);
    }
    assert_int_equal(ask(top), DUET_OK); /* from the first frame */
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_talk();
    assert_int_equal(duet_session_export(top->session, top->got, 32, NULL, 0), DUET_E_MISUSE);
    pair_close(&pair);
}

/** What is exported is bound to the handshake: a refresh does not change it (§4 "Exporter"). */
static void
exporter_stays(void **state)
{
    uint8_t before[32], after[2][32];

    (void)state;
    pair_ready(&pair, &plain);
    assert_int_equal(duet_session_export(top->session, before, 32, (const uint8_t *)"a", 1),
                     DUET_OK);
    assert_int_equal(ask(top), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(pair_info(top).tx_epoch, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            duet_session_export(pair.end[i].session, after[i], 32, (const uint8_t *)"a", 1),
            DUET_OK);
        assert_memory_equal(after[i], before, sizeof before);
    }
    pair_close(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_asks),
        cmocka_unit_test(both_ask),
        cmocka_unit_test(frames_between),
        cmocka_unit_test(closed_ends),
        cmocka_unit_test(out_of_turn),
        cmocka_unit_test(ignored_once),
        cmocka_unit_test(ignored_after_close),
        cmocka_unit_test(keys_in_another_form),
        cmocka_unit_test(no_key_in_any_form),
        cmocka_unit_test(other_sizes),
        cmocka_unit_test(in_a_preset_session),
        cmocka_unit_test(exporter_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
