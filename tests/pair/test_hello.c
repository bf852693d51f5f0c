/*
 * HELLOs of any payload, sealed under the secret: how long they may be, and what is kept of those
 * that are not proven (docs/protocol.md §4 "HELLO").
 */
#include "support/pair.h"

#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pair pair;
static struct pair_end *const top = &pair.end[DUET_TOP];
static struct pair_end *const bottom = &pair.end[DUET_BOTTOM];
static const struct pair_options plain = {.pattern = DUET_PATTERN_EPHEMERAL, .hello_size = 240};

/** Seal a first HELLO of any payload under the secret, into top->wire. Returns its size. */
static size_t
seal_hello(const char *payload, size_t size, uint32_t code)
{
    size_t put;

    memcpy(top->wire, top->session->handshake->messages.nonces, DUET_NONCE_SIZE);
    uint8_t *frame = top->wire + DUET_NONCE_SIZE;
    assert_int_equal(duet__cipher_seal_begin(&top->session->tx, frame, code, (uint32_t)size),
                     DUET_OK);
    assert_int_equal(duet__cipher_seal_piece(&top->session->tx, frame + DUET_HEADER_SIZE, &put,
                                             (const uint8_t *)payload, size),
                     DUET_OK);
    return DUET_NONCE_SIZE + DUET_FRAME_OVERHEAD + size;
}

/** What BOTTOM makes of a first HELLO of any payload, sealed under the secret. */
static int
raw_hello(const char *payload, size_t size, uint32_t code)
{
    pair_open(&pair, &plain);
    int result = pair_feed(bottom, top->wire, seal_hello(payload, size, code), 0);
    pair_close(&pair);
    return result;
}

static void
hello_sizes(void **state)
{
    static char payload[20000] = "\1\0\100";

    (void)state;
    for (size_t n = 0; n < 67; n++) /* under 3 bytes, or a Noise message that is cut */
        assert_int_equal(raw_hello(payload, n, WIRE_HELLO), DUET_E_UNAUTHENTICATED);
    assert_int_equal(raw_hello(payload, 67, WIRE_HELLO),
                     DUET_E_UNAUTHENTICATED); /* and a forged one */
    assert_int_equal(raw_hello(payload, 16384, WIRE_HELLO), DUET_E_UNAUTHENTICATED);
    assert_int_equal(raw_hello(payload, 16385, WIRE_HELLO), DUET_E_UNAUTHENTICATED);
    assert_int_equal(raw_hello(payload, 67, WIRE_READY), DUET_E_UNAUTHENTICATED);
    assert_int_equal(raw_hello(payload, 67, 0), DUET_E_UNAUTHENTICATED);
}

/** Lay out a message of pattern 0 so large, by an extension that nobody knows. */
static void
lay_out_large(char *payload, size_t size)
{
    static const char params[WIRE_PARAMS] = {1, 0, 20, 20, 0, 1};
    size_t body = size - WIRE_HELLO_HEAD, value = body - sizeof params - 4;

    payload[1] = (char)(body >> 8);
    payload[2] = (char)body;
    memcpy(payload + WIRE_HELLO_HEAD, params, sizeof params);
    payload += WIRE_HELLO_HEAD + sizeof params;
    payload[0] = 1, payload[1] = 2;
    payload[2] = (char)(value >> 8), payload[3] = (char)value;
}

static const struct pair_options secret_alone = {.pattern = DUET_PATTERN_SECRET};

/** A message that is larger than ours are is taken, to the whole of the payload, and its padding
 * is not. */
static void
large_messages(void **state)
{
    static const size_t sizes[] = {2047, 2048, 2049, 2304, 9000, 16384};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t padding = 0; padding <= 700 && sizes[i] + padding <= 16384; padding += 700) {
            static char payload[16384];
            memset(payload, 0, sizeof payload);
            lay_out_large(payload, sizes[i]);
            pair_open(&pair, &secret_alone);
            size_t size = seal_hello(payload, sizes[i] + padding, WIRE_HELLO);
            assert_int_equal(pair_feed(bottom, top->wire, size, 0), DUET_OK);
            pair_close(&pair);
        }
}

/** What a listener's new session makes of these bytes. */
static int
feed_new(duet_session **session, const uint8_t *bytes, size_t size)
{
    const uint8_t random[DUET_RANDOM_SIZE] = {3};
    duet_step step = {.in = bytes, .in_size = size};

    assert_int_equal(duet_session_new(session, bottom->config, DUET_BOTTOM, random, 0), DUET_OK);
    return duet_session_recv(*session, &step);
}

/** At most 64 unproven messages of that size are kept at a time: an attacker can send a recorded
 * header and change the length behind it. */
static void
large_messages_at_once(void **state)
{
    enum { MOST = 64, PART = 5000 };
    static char payload[9000];
    duet_session *sessions[MOST + 1], *late;

    (void)state;
    lay_out_large(payload, sizeof payload);
    pair_open(&pair, &secret_alone);
    assert_true(seal_hello(payload, sizeof payload, WIRE_HELLO) > PART);
    for (size_t i = 0; i < MOST; i++)
        assert_int_equal(feed_new(&sessions[i], top->wire, PART), DUET_OK);
    assert_int_equal(feed_new(&sessions[MOST], top->wire, PART), DUET_E_UNAUTHENTICATED);
    duet_session_free(sessions[7]);
    assert_int_equal(feed_new(&late, top->wire, PART), DUET_OK);
    sessions[7] = late;
    for (size_t i = 0; i <= MOST; i++)
        duet_session_free(sessions[i]);
    pair_close(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_sizes),
        cmocka_unit_test(large_messages),
        cmocka_unit_test(large_messages_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
