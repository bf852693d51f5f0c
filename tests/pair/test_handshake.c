/*
 * Who gets in: secrets, labels, preludes, patterns, replays, clocks, identities, and HELLOs that
 * are malformed though sealed under the secret (docs/protocol.md §2, §4, §6).
 */
#include "support/pair.h"

#include "crypto/x25519.h"
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
static const struct pair_options identity = {.pattern = DUET_PATTERN_IDENTITY};

static void
set_secret(struct pair_end *end, uint8_t byte, int add)
{
    uint8_t secret[64];

    memset(secret, byte, sizeof secret);
    if (!add) {
        for (size_t i = 0; i < end->config->count; i++)
            duet__psk_wipe(&end->config->psks[i]);
        end->config->count = 0;
    }
    assert_int_equal(duet__config_add_secret(end->config, secret, sizeof secret, 0), DUET_OK);
}

/** BOTTOM refuses TOP's first flight, stays silent, and keeps the reason. The configurations can be
 * changed afterwards. */
static void
assert_refused(const char *why)
{
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_E_UNAUTHENTICATED);
    assert_int_equal(pair_flush(bottom), DUET_E_UNAUTHENTICATED);
    assert_int_equal(bottom->wire_size, 0);
    if (strstr(duet_session_detail(bottom->session), why) == NULL)
        fail_msg("'%s' does not speak of '%s'", duet_session_detail(bottom->session), why);
    pair_thaw(&pair);
}

static void
another_secret(void **state)
{
    (void)state;
    pair_open(&pair, &plain);
    pair_thaw(&pair);
    set_secret(bottom, 0x5b, 0);
    assert_refused("that the secret does not open");
    set_secret(bottom, 0x5c, 1);
    assert_refused("none of 2 secrets opens");
    set_secret(bottom, 0x5a, 1); /* the third one is TOP's */
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    pair_handshake(&pair);
    duet_info info = pair_info(bottom);
    assert_memory_equal(info.secret_id, bottom->config->psks[2].id, sizeof info.secret_id);
    pair_close(&pair);
}

static void
many_secrets(void **state)
{
    (void)state;
    pair_open(&pair, &plain);
    pair_thaw(&pair);
    set_secret(bottom, 0, 0);
    while (bottom->config->count < DUET_SECRETS_MOST)
        set_secret(bottom, bottom->config->count == 1000 ? 0x5a : 1, 1);
    uint8_t secret[64] = {0};
    assert_int_equal(duet__config_add_secret(bottom->config, secret, sizeof secret, 0),
                     DUET_E_MISUSE);
    assert_int_equal(duet__config_add_secret(top->config, secret, 63, 0), DUET_E_LENGTH);
    assert_int_equal(duet__config_add_secret(top->config, secret, 62, 0), DUET_E_LENGTH);
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    pair_handshake(&pair);
    pair_close(&pair);
}

static void
another_profile(void **state)
{
    static struct duet__profile profile;

    (void)state;
    pair_open(&pair, &plain);
    pair_thaw(&pair);
    profile = bottom->config->profile;
    memcpy(profile.label, "acme", 4);
    profile.label_size = 4;
    assert_int_equal(duet__config_set_profile(bottom->config, &profile), DUET_OK);
    assert_refused("another profile");
    assert_int_equal(duet__config_set_profile(top->config, &profile), DUET_OK);
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    pair_handshake(&pair);

    pair_thaw(&pair);
    memcpy(profile.prelude[DUET_TOP], "GET / HTTP/1.1\r\n\r\n", 18);
    profile.prelude_size[DUET_TOP] = 18;
    memset(profile.prelude[DUET_BOTTOM], 'x', DUET_PRELUDE_MOST);
    profile.prelude_size[DUET_BOTTOM] = DUET_PRELUDE_MOST;
    assert_int_equal(duet__config_set_profile(bottom->config, &profile), DUET_OK);
    assert_refused("prelude");
    assert_int_equal(duet__config_set_profile(top->config, &profile), DUET_OK);
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    pair_handshake(&pair);
    pair_thaw(&pair);
    profile.hello_most = 16001;
    assert_int_equal(duet__config_set_profile(top->config, &profile), DUET_E_MISUSE);
    pair_close(&pair);
}

static void
another_pattern(void **state)
{
    (void)state;
    pair_open(&pair, &plain);
    pair_thaw(&pair);
    assert_int_equal(duet_config_set(top->config, DUET_SET_PATTERNS, 1u << DUET_PATTERN_SECRET),
                     DUET_OK);
    assert_refused("pattern 0, which is not accepted");
    assert_int_equal(duet_config_set(top->config, DUET_SET_PATTERNS, 8), DUET_E_MISUSE);
    assert_int_equal(duet_config_set(top->config, DUET_SET_PATTERNS, 0), DUET_E_MISUSE);
    /* BOTTOM without an identity does not take 2, TOP without one does not offer it. */
    assert_int_equal(duet_config_set(bottom->config, DUET_SET_PATTERNS, 7), DUET_OK);
    assert_int_equal(duet__config_patterns(bottom->config, DUET_BOTTOM), 3);
    assert_int_equal(duet_config_set(top->config, DUET_SET_PATTERNS, 1u << DUET_PATTERN_IDENTITY),
                     DUET_OK);
    assert_int_equal(pair_sessions(&pair), DUET_E_MISUSE);
    pair_close(&pair);
}

static void
replay(void **state)
{
    (void)state;
    pair_open(&pair, &plain);
    bottom->nonce_known = 1;
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_E_UNAUTHENTICATED);
    assert_non_null(strstr(duet_session_detail(bottom->session), "replay"));
    assert_int_equal(bottom->wire_size, 0);
    pair_close(&pair);
}

/** TOP's clock and BOTTOM's, in milliseconds; 1 when TOP is let in. */
static int
clocks(uint64_t theirs, uint64_t mine)
{
    uint8_t random[DUET_RANDOM_SIZE];
    struct duet_step step;

    assert_int_equal(pair_sessions(&pair), DUET_OK);
    duet_session_free(top->session);
    memset(random, 3, sizeof random);
    assert_int_equal(duet_session_new(&top->session, top->config, DUET_TOP, random, theirs),
                     DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    step = (struct duet_step){.in = top->wire, .in_size = top->wire_size};
    assert_int_equal(duet_session_recv(bottom->session, &step), DUET_OK);
    assert_int_equal(step.event, DUET_EVENT_NONCE);
    assert_memory_equal(step.nonce, random, DUET_NONCE_SIZE);
    assert_int_equal(duet_session_recv(bottom->session, &step), DUET_E_MISUSE);
    return duet_session_accept(bottom->session, mine) == DUET_OK;
}

static void
skew(void **state)
{
    (void)state;
    pair_open(&pair, &plain);
    assert_true(clocks(0, 1000));
    pair_thaw(&pair);
    assert_int_equal(duet_config_set(bottom->config, DUET_SET_MAX_SKEW_MS, 500), DUET_OK);
    assert_true(clocks(1000, 1500));
    assert_true(clocks(1500, 1000));
    assert_false(clocks(1000, 1501));
    assert_false(clocks(1501, 1000));
    assert_false(clocks(0, 100));
    pair_close(&pair);
}

/* ---- HELLOs that the secret sealed, and that are wrong ---- */

/** TOP's m1 in pattern 0 with one byte of its message changed before it is sealed. */
static int
with_byte(size_t at, uint8_t value)
{
    pair_open(&pair, &(struct pair_options){.pattern = DUET_PATTERN_SECRET, .hello_size = 77});
    top->session->handshake->messages.message[at] = value;
    assert_int_equal(pair_flush(top), DUET_OK);
    int result = pair_carry(top, bottom);
    pair_close(&pair);
    return result;
}

static void
malformed_params(void **state)
{
    (void)state;
    enum { PATTERN, LENGTH_HIGH, LENGTH, VERSION, FLAGS, FRAMES, BLOCKS, LIMIT };
    assert_int_equal(with_byte(PATTERN, 0), DUET_OK);
    assert_int_equal(with_byte(PATTERN, 3), DUET_E_UNAUTHENTICATED);
    assert_int_equal(with_byte(PATTERN, 255), DUET_E_UNAUTHENTICATED);
    assert_int_equal(with_byte(LENGTH_HIGH, 1), DUET_E_UNAUTHENTICATED); /* beyond the end */
    assert_int_equal(with_byte(LENGTH, 19), DUET_E_UNAUTHENTICATED);
    assert_int_equal(with_byte(LENGTH, 17), DUET_E_UNAUTHENTICATED); /* an extension of one byte */
    assert_int_equal(with_byte(LENGTH, 15), DUET_E_UNAUTHENTICATED);
    assert_int_equal(with_byte(LENGTH, 0), DUET_E_UNAUTHENTICATED);
    assert_int_equal(with_byte(VERSION, 2), DUET_E_UNAUTHENTICATED);
    assert_int_equal(with_byte(FLAGS, 1), DUET_E_UNAUTHENTICATED);
    assert_int_equal(with_byte(FRAMES, 0), DUET_E_UNAUTHENTICATED);
    assert_int_equal(with_byte(FRAMES, 31), DUET_E_UNAUTHENTICATED);
    assert_int_equal(with_byte(BLOCKS, 0), DUET_E_UNAUTHENTICATED);
    assert_int_equal(with_byte(BLOCKS, 31), DUET_E_UNAUTHENTICATED);
    assert_int_equal(with_byte(LIMIT + 1, 0), DUET_E_UNAUTHENTICATED); /* under 256 */
}

/** What params with these extensions are worth. */
static int
with_extensions(const char *bytes, size_t size)
{
    pair_open(&pair, &plain);
    top->config->extensions[0] = (struct duet__bytes){bytes, size};
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    int result = pair_carry(top, bottom);
    pair_close(&pair);
    return result;
}

static void
extensions(void **state)
{
    (void)state;
    assert_int_equal(with_extensions("\1\2\0\0", 4), DUET_OK);
    assert_int_equal(with_extensions("\1\2\0\3abc\1\3\0\0", 11), DUET_OK);
    assert_int_equal(with_extensions("\1\2\0\3abc\1\2\0\0", 11),
                     DUET_E_UNAUTHENTICATED); /* twice */
    assert_int_equal(with_extensions("\1\2\0\4abc", 7), DUET_E_UNAUTHENTICATED);
    assert_int_equal(with_extensions("\1\2\0", 3), DUET_E_UNAUTHENTICATED);
    assert_int_equal(with_extensions("\1", 1), DUET_E_UNAUTHENTICATED);
}

/* ---- Identities ---- */

static void
trust(struct pair_end *end, const struct pair_end *whom)
{
    struct duet__peer peer = {.name = "peer"};
    struct duet__peers peers = {&peer, whom != NULL ? 1 : 0};

    if (whom != NULL)
        memcpy(peer.public_key, whom->config->identity.public_key, DUET_KEY_SIZE);
    assert_int_equal(duet__config_set_peers(end->config, &peers), DUET_OK);
}

/** A list that holds a key in another form than X25519 gives is not taken. */
static void
peers_in_another_form(void **state)
{
    struct duet__peer peer = {.name = "peer", .public_key = {9, [DUET_KEY_SIZE - 1] = 0x80}};
    const struct duet__peers peers = {&peer, 1};

    (void)state;
    pair_open(&pair, &identity);
    pair_thaw(&pair);
    assert_int_equal(duet__config_set_peers(top->config, &peers), DUET_E_MISUSE);
    assert_false(top->config->has_peers);
    pair_close(&pair);
}

static void
known_identities(void **state)
{
    (void)state;
    pair_open(&pair, &identity);
    pair_thaw(&pair);
    trust(top, bottom);
    trust(bottom, top);
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    pair_handshake(&pair);
    duet_info info = pair_info(bottom);
    assert_true(info.has_peer_key);
    assert_memory_equal(info.peer_key, top->config->identity.public_key, DUET_KEY_SIZE);
    pair_close(&pair);
}

/** TOP judges BOTTOM before m3: BOTTOM never sees TOP's identity. */
static void
unknown_bottom(void **state)
{
    (void)state;
    pair_open(&pair, &identity);
    pair_thaw(&pair);
    trust(top, top); /* not BOTTOM; and its own key is nobody's */
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(pair_carry(bottom, top), DUET_E_UNTRUSTED);
    duet_info info = pair_info(top);
    assert_true(info.has_peer_key && !info.ready);
    assert_memory_equal(info.peer_key, bottom->config->identity.public_key, DUET_KEY_SIZE);
    assert_int_equal(pair_flush(top), DUET_E_UNTRUSTED);
    assert_int_equal(top->wire_size, 0);
    pair_close(&pair);
}

/** BOTTOM judges TOP before READY. */
static void
unknown_top(void **state)
{
    (void)state;
    pair_open(&pair, &identity);
    pair_thaw(&pair);
    trust(bottom, NULL); /* an empty list trusts nobody */
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_E_UNTRUSTED);
    assert_false(pair_info(top).ready);
    assert_true(pair_info(bottom).has_peer_key);
    assert_int_equal(bottom->wire_size, 0);
    pair_close(&pair);
}

/** X25519 ignores a key's last bit: in that form a known key would be another's name. */
static void
identity_in_another_form(void **state)
{
    (void)state;
    pair_open(&pair, &identity);
    pair_thaw(&pair);
    top->config->identity.public_key[DUET_KEY_SIZE - 1] ^= 0x80;
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_E_UNTRUSTED);
    assert_true(pair_info(bottom).has_peer_key);
    assert_true(pair_info(bottom).peer_key[DUET_KEY_SIZE - 1] & 0x80);
    pair_close(&pair);
}

static void
own_identity(void **state)
{
    (void)state;
    pair_open(&pair, &identity);
    pair_thaw(&pair);
    assert_int_equal(duet__config_set_identity(top->config, &bottom->config->identity), DUET_OK);
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_E_UNTRUSTED);
    pair_close(&pair);
}

static void
list_means_identity(void **state)
{
    (void)state;
    pair_open(&pair, &identity);
    pair_thaw(&pair);
    trust(bottom, top);
    assert_int_equal(duet_config_set(bottom->config, DUET_SET_PATTERNS, 7), DUET_OK);
    assert_int_equal(duet_config_set(top->config, DUET_SET_PATTERNS, 1u << DUET_PATTERN_EPHEMERAL),
                     DUET_OK);
    assert_refused("pattern 1, which is not accepted");
    pair_close(&pair);
}

/* ---- What comes out of it ---- */

static void
exporters_agree(void **state)
{
    uint8_t mine[100], theirs[100];

    (void)state;
    pair_open(&pair, &plain);
    assert_int_equal(duet_session_export(top->session, mine, 10, NULL, 0), DUET_E_MISUSE);
    pair_handshake(&pair);
    assert_int_equal(duet_session_export(top->session, mine, 100, (const uint8_t *)"a", 1),
                     DUET_OK);
    assert_int_equal(duet_session_export(bottom->session, theirs, 100, (const uint8_t *)"a", 1),
                     DUET_OK);
    assert_memory_equal(mine, theirs, 100);
    assert_int_equal(duet_session_export(bottom->session, theirs, 99, (const uint8_t *)"a", 1),
                     DUET_OK);
    assert_memory_not_equal(mine, theirs, 99); /* n is bound */
    assert_int_equal(duet_session_export(top->session, mine, 0, NULL, 0), DUET_E_MISUSE);
    assert_int_equal(duet_session_export(top->session, mine, DUET_EXPORT_MOST + 1, NULL, 0),
                     DUET_E_MISUSE);
    pair_close(&pair);
}

static void
speaks_first(void **state)
{
    struct pair_options options = plain;

    (void)state;
    options.speak_first = 1;
    pair_open(&pair, &options);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    assert_int_equal(pair_send(bottom, 0, 9), DUET_E_MISUSE); /* READY first */
    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(pair_send(bottom, 0, 9), DUET_OK); /* half a round trip earlier */
    assert_int_equal(pair_carry(bottom, top), DUET_OK);
    assert_int_equal(top->got_size, 9);
    assert_false(pair_info(bottom).ready);
    pair_handshake(&pair);
    pair_close(&pair);

    pair_open(&pair, &plain);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(pair_send(bottom, 0, 9), DUET_E_MISUSE);
    pair_close(&pair);
}

static void
presets(void **state)
{
    static const uint8_t salt[1025];
    duet_session *session;

    (void)state;
    pair_open(&pair, &plain);
    assert_int_equal(duet_session_new_preset(&session, top->config, DUET_TOP, salt, 15),
                     DUET_E_MISUSE);
    assert_int_equal(duet_session_new_preset(&session, top->config, DUET_TOP, salt, 1025),
                     DUET_E_MISUSE);
    pair_thaw(&pair);
    set_secret(top, 1, 1);
    assert_int_equal(duet_session_new_preset(&session, top->config, DUET_TOP, salt, 16),
                     DUET_E_MISUSE);
    pair_close(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_secret),
        cmocka_unit_test(many_secrets),
        cmocka_unit_test(another_profile),
        cmocka_unit_test(another_pattern),
        cmocka_unit_test(replay),
        cmocka_unit_test(skew),
        cmocka_unit_test(malformed_params),
        cmocka_unit_test(extensions),
        cmocka_unit_test(peers_in_another_form),
        cmocka_unit_test(known_identities),
        cmocka_unit_test(unknown_bottom),
        cmocka_unit_test(unknown_top),
        cmocka_unit_test(identity_in_another_form),
        cmocka_unit_test(own_identity),
        cmocka_unit_test(list_means_identity),
        cmocka_unit_test(exporters_agree),
        cmocka_unit_test(speaks_first),
        cmocka_unit_test(presets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
