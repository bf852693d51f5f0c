/*
 * What is wiped is nowhere: each secret of a session is looked for in all of the process's memory
 * once it should be gone, and is found beforehand, while it is there.
 *
 * Both ends live here, so a secret counts as gone when both have wiped it. Each step runs on a
 * stack of its own, which is scanned with the rest when the step is over.
 */
#include "memory/stage.h"

#include "base/wipe.h"
#include "session/session.h"
#include "support/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pair pair;
static struct pair_end *const top = &pair.end[DUET_TOP];
static struct pair_end *const bottom = &pair.end[DUET_BOTTOM];
static enum duet_pattern pattern;

static void
add_keys(const char *name, const struct duet__cipher *d)
{
    scan_add(name, d->root, sizeof d->root);
    scan_add(name, d->key.bytes, WIRE_KEY);
    scan_add(name, d->chain, sizeof d->chain);
}

/* ---- Steps ---- */

static void
open_both(void)
{
    pair_open(&pair, &(struct pair_options){.pattern = pattern, .hello_size = 240});
    for (int i = 0; i < 2; i++) {
        const struct duet_config *config = pair.end[i].config;
        const struct duet__psk *psk = &config->psks[0];
        const struct duet__noise *noise = &pair.end[i].session->handshake->messages.noise;
        scan_add("W", psk->secret, psk->size);
        scan_add("what comes of W", &psk->half, sizeof psk->half);
        scan_add("what comes of W", &psk->noise, sizeof psk->noise);
        if (config->has_identity)
            scan_add("identity", config->identity.private_key, DUET_KEY_SIZE);
        scan_add("initiation", noise->e, sizeof noise->e);
        const struct duet__hybrid *hybrid = &pair.end[i].session->handshake->messages.hybrid;
        if (hybrid->setting != DUET_HYBRID_OFF && !hybrid->offered) /* TOP's is wiped already */
            scan_add("initiation", hybrid->draw, sizeof hybrid->draw);
    }
    add_keys("initiation", &top->session->tx);
}

/** The HELLO has come: BOTTOM holds all of Noise, and in patterns 0 and 1 S. */
static void
first_flight(void)
{
    const struct duet__handshake *handshake;

    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    handshake = &bottom->session->handshake->messages;
    if (pattern != DUET_PATTERN_IDENTITY)
        scan_add("S", handshake->secret, sizeof handshake->secret);
    add_keys("initiation", &bottom->session->tx);
}

/** TOP holds m2: in pattern 2 S is there until m3 is sealed. */
static void
second_flight(void)
{
    const struct duet__handshake *handshake;

    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(pair_carry(bottom, top), DUET_OK);
    if (pattern == DUET_PATTERN_IDENTITY) {
        handshake = &top->session->handshake->messages;
        scan_add("S", handshake->secret, sizeof handshake->secret);
        scan_add("initiation", bottom->session->handshake->messages.noise.ck, WIRE_DIGEST);
        scan_add("initiation", bottom->session->handshake->messages.noise.psk, WIRE_KEY);
        if (bottom->session->handshake->messages.hybrid.agreed)
            scan_add("ML-KEM", bottom->session->handshake->messages.hybrid.shared, WIRE_KEY);
    }
}

static void
ready_both(void)
{
    pair_handshake(&pair);
    add_keys("epoch", &top->session->tx);
    add_keys("epoch", &bottom->session->tx);
    scan_add("exporter", top->session->exporter, WIRE_DIGEST);
}

static void
talk(void)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pair_send(&pair.end[i], 0, 3000), DUET_OK);
        assert_int_equal(pair_carry(&pair.end[i], &pair.end[1 - i]), DUET_OK);
    }
}

static void
rotate_both(void)
{
    assert_int_equal(duet_session_rekey(top->session), DUET_OK);
    assert_int_equal(duet_session_rekey(bottom->session), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    add_keys("next epoch", &top->session->tx);
    add_keys("next epoch", &bottom->session->tx);
}

/** BOTTOM has answered: both hold e, and DH is known to it. */
static void
refresh_begun(void)
{
    uint8_t random[DUET_FRESH_SIZE];

    for (size_t at = 0; at < sizeof random; at += WIRE_KEY) /* longer ones are all alike */
        stage_random(random + at, WIRE_KEY);
    assert_int_equal(duet_session_refresh(top->session, random), DUET_OK);
    duet_wipe(random, sizeof random);
    assert_int_equal(pair_flush(top), DUET_OK);
    scan_add("refresh", top->session->refresh->private_key, WIRE_KEY);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    scan_add("refresh", bottom->session->refresh->dh, WIRE_KEY);
    if (bottom->session->hybrid)
        scan_add("refresh", bottom->session->refresh->shared, WIRE_KEY);
}

static void
settle(void)
{
    assert_int_equal(pair_settle(&pair), DUET_OK);
}

static void
close_both(void)
{
    add_keys("last epoch", &top->session->tx);
    add_keys("last epoch", &bottom->session->tx);
    assert_int_equal(duet_session_close(top->session), DUET_OK);
    assert_int_equal(duet_session_close(bottom->session), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
}

static void
free_both(void)
{
    pair_close(&pair);
}

/* ---- Tests ---- */

static void
begin(enum duet_pattern which)
{
    pattern = which;
    stage_begin();
    pair_hide = stage_random;
    stage_run(open_both);
    assert_there("W");
    assert_there("what comes of W");
    assert_there("initiation");
    stage_run(first_flight);
    if (pattern != DUET_PATTERN_IDENTITY)
        assert_there("S");
    stage_run(second_flight);
    if (pattern == DUET_PATTERN_IDENTITY) {
        assert_there("S");
        if (bottom->session->handshake->messages.hybrid.agreed)
            assert_copies("ML-KEM", 1); /* BOTTOM's, who waits for m3; TOP needs its no more */
    }
    stage_run(ready_both);
}

static void
end(void)
{
    stage_run(free_both);
    assert_gone(NULL);
    stage_end();
}

static void
whole_life(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        begin((enum duet_pattern)which);
        assert_gone("initiation");
        assert_gone("S");
        assert_gone("ML-KEM");
        assert_copies("epoch", 2); /* one at each end */
        assert_copies("exporter", 2);
        stage_run(talk);
        stage_run(rotate_both);
        assert_gone("epoch");
        assert_copies("next epoch", 2);
        stage_run(refresh_begun);
        assert_there("refresh");
        stage_run(settle);
        assert_gone("refresh");
        assert_gone("next epoch");
        stage_run(talk);
        stage_run(close_both);
        assert_gone("last epoch");
        end();
    }
}

/** A session that a forgery ends holds no key any more, though it is not freed. */
static void
forge(void)
{
    add_keys("last epoch", &bottom->session->rx);
    add_keys("last epoch", &bottom->session->tx);
    assert_int_equal(pair_send(top, 0, 100), DUET_OK);
    top->wire[70] ^= 1;
    assert_int_equal(pair_carry(top, bottom), DUET_E_FORGED);
    duet_session_free(top->session); /* it has the same keys */
    top->session = NULL;
}

static void
after_a_forgery(void **state)
{
    (void)state;
    begin(DUET_PATTERN_EPHEMERAL);
    stage_run(forge);
    assert_gone("epoch");
    assert_gone("last epoch");
    assert_gone("exporter");
    assert_there("W"); /* the configuration's, for the next session */
    end();
}

/** The text of a key file, parsed and written. */
static void
texts(void)
{
    uint8_t bytes[DUET_SECRET_DEFAULT];
    char text[4096], digits[DUET_KEY_TEXT_SIZE];
    duet_key *secret;
    duet_key *identity;
    duet_where where;
    size_t size;

    stage_random(bytes, sizeof bytes);
    scan_add("secret", bytes, sizeof bytes);
    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, bytes, sizeof bytes, 0), DUET_OK);
    assert_int_equal(duet_key_format(secret, text, sizeof text, &size), DUET_OK);
    duet_key_free(secret);
    scan_add("text", text + 60, size / 16 * 16 - 80);
    assert_int_equal(duet_key_parse(&secret, DUET_KIND_SECRET, text, size, &where), DUET_OK);
    duet_key_free(secret);
    scan_add("secret", bytes, DUET_KEY_SIZE);
    assert_int_equal(duet_key_new(&identity, DUET_KIND_IDENTITY, bytes, DUET_KEY_SIZE, 0), DUET_OK);
    assert_int_equal(duet_key_format(identity, text, sizeof text, &size), DUET_OK);
    duet_key_free(identity);
    duet_key_text(digits, bytes); /* as it stands in the text */
    scan_add("text", digits, 32);
    assert_int_equal(duet_key_parse(&identity, DUET_KIND_IDENTITY, text, size, &where), DUET_OK);
    assert_true(scan_count("secret", 0) > 0 && scan_count("text", 0) > 0);
    duet_key_free(identity);
    duet_wipe(bytes, sizeof bytes);
    duet_wipe(text, sizeof text);
    duet_wipe(digits, sizeof digits);
}

static void
key_files(void **state)
{
    (void)state;
    stage_begin();
    stage_run(texts);
    assert_gone(NULL);
    stage_end();
}

static duet_session *ended;

static void
begin_session(void)
{
    static const uint8_t salt[16] = {1}, bytes[DUET_SECRET_DEFAULT] = {2};
    duet_config *config = duet_config_new();
    duet_key *secret;

    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, bytes, sizeof bytes, 0), DUET_OK);
    assert_int_equal(duet_config_add(config, secret), DUET_OK);
    assert_int_equal(duet_session_new_preset(&ended, config, DUET_TOP, salt, sizeof salt), DUET_OK);
    duet_key_free(secret);
    duet_config_free(config);
}

/** A function that returns with a copy of a secret in its frame, as a compiler may leave one. */
__attribute__((noinline)) static void
leave_copy(const uint8_t *bytes)
{
    volatile uint8_t copy[DUET_SECRET_DEFAULT];

    for (size_t i = 0; i < sizeof copy; i++)
        copy[i] = bytes[i];
}

/** A function that wipes the stack when it is done: the library's own, or the end of a session. */
static void
end_session(void)
{
    duet_session_free(ended);
    ended = NULL;
}

static void
leave_and(void (*wipe)(void))
{
    uint8_t bytes[DUET_SECRET_DEFAULT];

    stage_random(bytes, sizeof bytes);
    scan_add("left", bytes, sizeof bytes);
    leave_copy(bytes);
    duet_wipe(bytes, sizeof bytes);
    if (wipe != NULL)
        wipe();
}

static void
leave(void)
{
    leave_and(NULL);
}

static void
leave_then_wipe(void)
{
    leave_and(duet__wipe_stack);
}

static void
leave_then_end_session(void)
{
    leave_and(end_session);
}

static void
dead_frames(void **state)
{
    (void)state;
    stage_begin();
    stage_run(leave);
    assert_there("left");
    stage_clear();
    stage_run(leave_then_wipe);
    assert_gone(NULL);
    stage_end();
    stage_begin();
    begin_session();
    stage_run(leave_then_end_session);
    assert_gone(NULL);
    stage_end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_life),
        cmocka_unit_test(after_a_forgery),
        cmocka_unit_test(key_files),
        cmocka_unit_test(dead_frames),
    };
    if (duet_init() != DUET_OK || scan_count(NULL, 0) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
