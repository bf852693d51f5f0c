/*
 * What a peer that holds the secret may and may not send: the order of codes, their payloads,
 * rotation, closing, messages, pings and limits (docs/protocol.md §1, §3).
 */
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

/** Seal any frame, as a peer that obeys no rule would. */
static void
raw(struct pair_end *from, uint32_t code, const void *payload, size_t n)
{
    uint8_t *frame = from->wire + from->wire_size;
    size_t put;

    assert_int_equal(duet__cipher_seal_begin(&from->session->tx, frame, code, (uint32_t)n),
                     DUET_OK);
    assert_int_equal(
        duet__cipher_seal_piece(&from->session->tx, frame + DUET_HEADER_SIZE, &put, payload, n),
        DUET_OK);
    from->wire_size += n + DUET_FRAME_OVERHEAD;
}

/** What the peer says to one such frame in an open session. */
static int
verdict(uint32_t code, const void *payload, size_t n)
{
    pair_ready(&pair, &plain);
    raw(top, code, payload, n);
    int result = pair_carry(top, bottom);
    assert_int_equal(duet_session_end(bottom->session),
                     result == DUET_OK ? DUET_E_TRUNCATED : result);
    assert_true(strlen(duet_session_detail(bottom->session)) > 0);
    pair_close(&pair);
    return result;
}

static void
order_of_codes(void **state)
{
    static const uint8_t bytes[40] = {9};

    (void)state;
    assert_int_equal(verdict(WIRE_HELLO, bytes, 20), DUET_E_PROTOCOL);
    assert_int_equal(verdict(WIRE_READY, bytes, 0), DUET_E_PROTOCOL);
    assert_int_equal(verdict(WIRE_CLOSE, bytes, 1), DUET_E_PROTOCOL);
    assert_int_equal(verdict(WIRE_ROTATE, bytes, 1), DUET_E_PROTOCOL);
    assert_int_equal(verdict(WIRE_PING, bytes, 7), DUET_E_PROTOCOL);
    assert_int_equal(verdict(WIRE_PING, bytes, 9), DUET_E_PROTOCOL);
    assert_int_equal(verdict(WIRE_PONG, bytes, 0), DUET_E_PROTOCOL);
    assert_int_equal(verdict(WIRE_REFRESH, bytes, 0), DUET_E_PROTOCOL);
    assert_int_equal(verdict(WIRE_REFRESH, bytes, 33), DUET_E_PROTOCOL);
    assert_int_equal(verdict(WIRE_RESERVED, bytes, 0), DUET_E_PROTOCOL);
    assert_int_equal(verdict(0xFFFFFF0Au, bytes, 0), DUET_E_PROTOCOL);
    assert_int_equal(verdict(0xFFFFFFFFu, bytes, 40), DUET_E_PROTOCOL);
    assert_int_equal(verdict(WIRE_PONG, bytes, 8), DUET_OK); /* that nobody asked for */
    assert_int_equal(verdict(WIRE_PAD, bytes, 40), DUET_OK);
    assert_int_equal(verdict(WIRE_PAD, bytes, 0), DUET_OK);
    assert_int_equal(verdict(WIRE_PING, bytes, 8), DUET_OK);
}

/** TOP up to where its READY would come, then another frame in its place. */
static int
instead_of_ready(enum duet_pattern pattern, uint32_t code, size_t n)
{
    static const uint8_t bytes[300];

    pair_open(&pair, &(struct pair_options){.pattern = pattern});
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(pair_carry(bottom, top), DUET_OK);
    raw(top, code, bytes, n);
    int result = pair_carry(top, bottom);
    assert_false(pair_info(bottom).ready);
    assert_int_equal(bottom->frames, 0);
    pair_close(&pair);
    return result;
}

static void
nothing_before_ready(void **state)
{
    (void)state;
    for (int p = 0; p < 2; p++) {
        enum duet_pattern pattern = (enum duet_pattern)p;
        assert_int_equal(instead_of_ready(pattern, 0, 3), DUET_E_UNAUTHENTICATED);
        assert_int_equal(instead_of_ready(pattern, WIRE_MORE, 3), DUET_E_UNAUTHENTICATED);
        assert_int_equal(instead_of_ready(pattern, WIRE_CLOSE, 0), DUET_E_UNAUTHENTICATED);
        assert_int_equal(instead_of_ready(pattern, WIRE_PAD, 300), DUET_E_UNAUTHENTICATED);
        assert_int_equal(instead_of_ready(pattern, WIRE_HELLO, 30), DUET_E_UNAUTHENTICATED);
        assert_int_equal(instead_of_ready(pattern, WIRE_READY, 1), DUET_E_UNAUTHENTICATED);
    }
}

/* In pattern 2 the third message is a HELLO or nothing. */
static void
third_is_hello(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        pair_open(&pair, &(struct pair_options){.pattern = DUET_PATTERN_IDENTITY});
        assert_int_equal(pair_flush(top), DUET_OK);
        assert_int_equal(pair_carry(top, bottom), DUET_OK);
        assert_int_equal(pair_flush(bottom), DUET_OK);
        assert_int_equal(pair_carry(bottom, top), DUET_OK);
        raw(top, i == 0 ? WIRE_READY : WIRE_HELLO, "\2\0\1x", i == 0 ? 0 : 4);
        assert_int_equal(pair_carry(top, bottom), DUET_E_UNAUTHENTICATED);
        pair_close(&pair);
    }
}

/* ---- Rotation (§3) ---- */

static void
rotation(void **state)
{
    (void)state;
    pair_ready(&pair, &(struct pair_options){.pattern = DUET_PATTERN_SECRET, .rotate_frames = 1});
    for (unsigned i = 0; i < 301; i++) {
        assert_int_equal(pair_send(top, i, i % 3), DUET_OK);
        if (i % 7 == 0) {
            assert_int_equal(duet_session_rekey(top->session), DUET_OK);
            assert_int_equal(pair_flush(top), DUET_OK);
        }
        assert_int_equal(pair_carry(top, bottom), DUET_OK);
    }
    assert_int_equal(bottom->frames, 301);
    assert_int_equal(pair_info(bottom).rx_epoch, pair_info(top).tx_epoch);
    assert_true(pair_info(top).tx_epoch > 150);
    pair_close(&pair);
}

static void
sequence_wraps(void **state)
{
    (void)state;
    pair_ready(&pair, &plain);
    top->session->tx.seq = bottom->session->rx.seq = 0xFFFFFFFEu;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pair_send(top, 0, 5), DUET_OK);
        assert_int_equal(pair_carry(top, bottom), DUET_OK);
    }
    assert_int_equal(bottom->frames, 4);
    assert_int_equal(bottom->session->rx.seq, 2);
    pair_close(&pair);
}

/* ---- Closing ---- */

static void
half_close(void **state)
{
    uint8_t mine[DUET_RECEIPT_SIZE], theirs[DUET_RECEIPT_SIZE];

    (void)state;
    pair_ready(&pair, &plain);
    assert_int_equal(duet_session_receipt(top->session, mine, DUET_TOP), DUET_E_MISUSE);
    assert_int_equal(duet_session_close(top->session), DUET_OK);
    assert_int_equal(pair_send(top, 0, 1), DUET_E_MISUSE);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_true(pair_info(bottom).rx_closed && pair_info(top).tx_closed);
    assert_int_equal(duet_session_close(top->session), DUET_E_MISUSE);
    assert_int_equal(duet_session_rekey(top->session), DUET_E_MISUSE);
    assert_int_equal(duet_session_end(bottom->session), DUET_CLOSED);

    assert_int_equal(pair_send(bottom, 3, 40), DUET_OK); /* the other direction goes on */
    assert_int_equal(pair_carry(bottom, top), DUET_OK);
    assert_int_equal(top->got_size, 40);
    assert_int_equal(duet_session_close(bottom->session), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    for (int role = 0; role < 2; role++) {
        assert_int_equal(duet_session_receipt(top->session, mine, (enum duet_role)role), DUET_OK);
        assert_int_equal(duet_session_receipt(bottom->session, theirs, (enum duet_role)role),
                         DUET_OK);
        assert_memory_equal(mine, theirs, sizeof mine);
    }
    assert_int_equal(pair_feed(top, mine, sizeof mine, 0), DUET_CLOSED); /* bytes behind CLOSE */
    pair_close(&pair);
}

static void
nothing_after_close(void **state)
{
    static const uint8_t bytes[8] = {1};

    (void)state;
    pair_ready(&pair, &plain);
    assert_int_equal(duet_session_close(top->session), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    raw(bottom, WIRE_PING, bytes, sizeof bytes);
    assert_int_equal(pair_carry(bottom, top), DUET_OK);
    assert_int_equal(pair_info(top).pending, 0);
    pair_close(&pair);
}

/** They are not looked at, whatever they are; the other direction goes on. */
static void
bytes_behind_close(void **state)
{
    (void)state;
    pair_ready(&pair, &plain);
    assert_int_equal(duet_session_close(top->session), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    memset(top->wire + top->wire_size, 0x5A, 100);
    top->wire_size += 100;
    assert_int_equal(pair_carry(top, bottom), DUET_CLOSED);
    assert_int_equal(duet_session_end(bottom->session), DUET_CLOSED);
    assert_int_equal(pair_send(bottom, 3, 40), DUET_OK);
    assert_int_equal(duet_session_close(bottom->session), DUET_OK);
    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(pair_carry(bottom, top), DUET_OK);
    assert_int_equal(top->got_size, 40);
    assert_true(pair_info(top).rx_closed);
    pair_close(&pair);
}

static void
close_within_a_message(void **state)
{
    uint8_t receipt[DUET_RECEIPT_SIZE];

    (void)state;
    pair_ready(&pair, &plain);
    assert_int_equal(pair_send(top, DUET_CODE_MORE, 4), DUET_OK);
    assert_int_equal(duet_session_close(top->session), DUET_E_MISUSE);
    raw(top, WIRE_CLOSE, NULL, 0);
    assert_int_equal(pair_carry(top, bottom), DUET_E_TRUNCATED);
    assert_int_equal(bottom->got_size, 4);
    assert_int_not_equal(duet_session_receipt(bottom->session, receipt, DUET_TOP), DUET_OK);
    pair_close(&pair);
}

static void
message_with_frames_between(void **state)
{
    (void)state;
    pair_ready(&pair, &plain);
    assert_int_equal(pair_send(top, DUET_CODE_MORE, 4), DUET_OK);
    assert_int_equal(duet_session_ping(top->session, (const uint8_t *)"12345678"), DUET_OK);
    assert_int_equal(duet_session_rekey(top->session), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(pair_send(top, DUET_CODE_MORE, 0), DUET_OK);
    assert_int_equal(pair_send(top, 5, 0), DUET_OK);
    assert_int_equal(duet_session_close(top->session), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(bottom->frames, 3);
    assert_int_equal(bottom->code, 5);
    assert_int_equal(top->pongs, 1);
    pair_close(&pair);
}

/* ---- Pings ---- */

static void
newest_ping_is_answered(void **state)
{
    (void)state;
    pair_ready(&pair, &plain);
    raw(top, WIRE_PING, "AAAAAAAA", 8);
    raw(top, WIRE_PING, "BBBBBBBB", 8);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    assert_int_equal(pair_info(bottom).pending, DUET_FRAME_OVERHEAD + DUET_PING_SIZE);
    memcpy(top->session->ping, "BBBBBBBB", 8);
    top->session->pinged = 1;
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(top->pongs, 1);
    pair_close(&pair);
}

/* ---- Limits ---- */

/** Until READY is verified a direction takes 64 KiB at most, whatever limit was announced. */
static void
long_ready(void **state)
{
    static uint8_t bytes[40000];
    struct pair_options options = {.pattern = DUET_PATTERN_EPHEMERAL};

    (void)state;
    pair_open(&pair, &options);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(pair_carry(bottom, top), DUET_OK);
    raw(top, WIRE_READY, bytes, sizeof bytes);
    assert_int_equal(pair_feed(bottom, top->wire, DUET_HEADER_SIZE, 0), DUET_E_UNAUTHENTICATED);
    pair_close(&pair);
}

static void
limits(void **state)
{
    static uint8_t bytes[70000];

    (void)state;
    pair_open(&pair, &plain);
    pair_thaw(&pair);
    assert_int_equal(duet_config_set(bottom->config, DUET_SET_MAX_PAYLOAD, 255), DUET_E_MISUSE);
    assert_int_equal(duet_config_set(bottom->config, DUET_SET_MAX_PAYLOAD, 300), DUET_OK);
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    pair_handshake(&pair);
    assert_int_equal(pair_info(top).tx_limit, 300);
    assert_int_equal(pair_info(bottom).tx_limit, 1 << 20);
    assert_int_equal(pair_send(top, 0, 301), DUET_E_LENGTH);
    assert_int_equal(pair_send(top, 0, 300), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    raw(top, WIRE_PAD, bytes, 301); /* library frames too */
    assert_int_equal(pair_carry(top, bottom), DUET_E_TOO_LONG);
    pair_close(&pair);
}

static void
codes_that_may_be_sent(void **state)
{
    (void)state;
    pair_ready(&pair, &plain);
    assert_int_equal(pair_send(top, DUET_CODE_APP_MAX, 1), DUET_OK);
    for (uint32_t code = WIRE_RESERVED; code != 0; code++)
        if (code == DUET_CODE_MORE || code == DUET_CODE_PAD)
            assert_int_equal(pair_send(top, code, 0), DUET_OK);
        else
            assert_int_equal(pair_send(top, code, 0), DUET_E_MISUSE);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    pair_close(&pair);
}

/** Without a payload PAD sends zeros; nothing else may leave its payload out. */
static void
padding(void **state)
{
    static uint8_t frame[64 + DUET_FRAME_OVERHEAD];

    (void)state;
    pair_ready(&pair, &plain);
    assert_int_equal(duet_session_send(top->session, frame, 7, NULL, 64), DUET_E_MISUSE);
    assert_int_equal(duet_session_send(top->session, frame, DUET_CODE_PAD, NULL, 64), DUET_OK);
    assert_int_equal(pair_feed(bottom, frame, sizeof frame, 0), DUET_OK);
    assert_int_equal(pair_info(bottom).rx_bytes, 0);
    assert_int_equal(pair_info(bottom).rx_frames, pair_info(top).tx_frames);
    pair_close(&pair);
}

/** A frame in pieces, larger than any buffer here, in constant memory. */
static void
pieces(void **state)
{
    static uint8_t bytes[1000];
    uint8_t out[1000 + DUET_MAC_SIZE];
    size_t put, total = 0;

    (void)state;
    pair_ready(&pair, &plain);
    assert_int_equal(duet_session_send_begin(top->session, out, 9, 900000), DUET_OK);
    assert_int_equal(pair_feed(bottom, out, DUET_HEADER_SIZE, 0), DUET_OK);
    assert_int_equal(duet_session_rekey(top->session), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_AGAIN); /* a frame is begun */
    assert_int_equal(pair_send(top, 0, 1), DUET_E_MISUSE);
    while (total < 900000) {
        assert_int_equal(duet_session_send_piece(top->session, out, &put, bytes, sizeof bytes),
                         DUET_OK);
        bottom->pending = 0;
        struct duet_step step = {.in = out, .in_size = put, .out = out, .out_size = sizeof bytes};
        assert_int_equal(duet_session_recv(bottom->session, &step), DUET_OK);
        assert_int_equal(step.used, put);
        assert_memory_equal(out, bytes, sizeof bytes);
        total += sizeof bytes;
        assert_int_equal(step.event, total < 900000 ? DUET_EVENT_NONE : DUET_EVENT_FRAME);
    }
    assert_int_equal(duet_session_send_piece(top->session, out, &put, bytes, 1), DUET_E_MISUSE);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    pair_close(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_of_codes),
        cmocka_unit_test(nothing_before_ready),
        cmocka_unit_test(third_is_hello),
        cmocka_unit_test(rotation),
        cmocka_unit_test(sequence_wraps),
        cmocka_unit_test(half_close),
        cmocka_unit_test(nothing_after_close),
        cmocka_unit_test(bytes_behind_close),
        cmocka_unit_test(close_within_a_message),
        cmocka_unit_test(message_with_frames_between),
        cmocka_unit_test(newest_ping_is_answered),
        cmocka_unit_test(long_ready),
        cmocka_unit_test(limits),
        cmocka_unit_test(codes_that_may_be_sent),
        cmocka_unit_test(padding),
        cmocka_unit_test(pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
