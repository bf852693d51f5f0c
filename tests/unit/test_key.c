/*
 * A key of each kind: how it is made, what it holds, and what it answers where another kind is
 * meant. The texts themselves are in test_secret.c and test_profile.c.
 */
#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t bytes[128] = {7, 1, 2, 3};

static duet_key *
parsed(enum duet_kind kind, const char *text)
{
    duet_key *key;

    assert_int_equal(duet_key_parse(&key, kind, text, strlen(text), NULL), DUET_OK);
    return key;
}

/** A list of one peer, named ann. */
static duet_key *
peers_of(const duet_key *identity)
{
    char text[200], public_key[DUET_KEY_TEXT_SIZE];

    duet_key_text(public_key, duet_key_public_key(identity, 0));
    snprintf(text, sizeof text, "[Peer ann]\nPublicKey = %s\n", public_key);
    return parsed(DUET_KIND_ANY, text);
}

static void
made(void **state)
{
    duet_key *key, *other;

    (void)state;
    assert_int_equal(duet_key_new(&key, DUET_KIND_SECRET, NULL, 0, 0), DUET_OK);
    assert_int_equal(duet_key_kind(key), DUET_KIND_SECRET);
    assert_int_equal(duet_key_size(key), DUET_SECRET_DEFAULT);
    assert_int_equal(duet_key_new(&other, DUET_KIND_SECRET, NULL, 0, 0), DUET_OK);
    assert_memory_not_equal(duet_key_bytes(key), duet_key_bytes(other), DUET_SECRET_DEFAULT);
    duet_key_free(other);
    duet_key_free(key);
    assert_int_equal(duet_key_new(&key, DUET_KIND_IDENTITY, bytes, DUET_KEY_SIZE, 0), DUET_OK);
    assert_memory_equal(duet_key_bytes(key), bytes, DUET_KEY_SIZE);
    duet_key_free(key);
    duet_key_free(NULL);
}

static void
refused(void **state)
{
    static const struct {
        enum duet_kind kind;
        int result;
        const uint8_t *bytes;
        size_t size;
        int64_t not_after;
    } cases[] = {
        {DUET_KIND_SECRET, DUET_E_LENGTH, bytes, 62, 0},
        {DUET_KIND_SECRET, DUET_E_LENGTH, bytes, 0, 0},
        {DUET_KIND_SECRET, DUET_E_LENGTH, NULL, 63, 0},
        {DUET_KIND_SECRET, DUET_E_LENGTH, NULL, SIZE_MAX, 0},
        {DUET_KIND_SECRET, DUET_E_MISUSE, bytes, 64, -1},
        {DUET_KIND_IDENTITY, DUET_E_LENGTH, bytes, 31, 0},
        {DUET_KIND_IDENTITY, DUET_E_LENGTH, bytes, 0, 0},
        {DUET_KIND_IDENTITY, DUET_E_LENGTH, NULL, 64, 0},
        {DUET_KIND_IDENTITY, DUET_E_MISUSE, bytes, DUET_KEY_SIZE, 1},
        {DUET_KIND_PEERS, DUET_E_MISUSE, bytes, DUET_KEY_SIZE, 0},
        {DUET_KIND_PROFILE, DUET_E_MISUSE, NULL, 0, 0},
        {DUET_KIND_ANY, DUET_E_MISUSE, bytes, 64, 0},
        {(enum duet_kind)7, DUET_E_MISUSE, NULL, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        duet_key *key = (duet_key *)&key;
        assert_int_equal(
            duet_key_new(&key, cases[i].kind, cases[i].bytes, cases[i].size, cases[i].not_after),
            cases[i].result);
        assert_null(key);
    }
}

/** The text says which kind it is, or is compared with the one that is asked for. */
static void
kinds(void **state)
{
    duet_where where;
    duet_key *key;

    (void)state;
    for (int kind = DUET_KIND_SECRET; kind <= DUET_KIND_IDENTITY; kind++) {
        char text[1024];
        size_t size;
        size_t some = kind == DUET_KIND_SECRET ? 64 : 32;
        assert_int_equal(duet_key_new(&key, (enum duet_kind)kind, bytes, some, 0), DUET_OK);
        assert_int_equal(duet_key_format(key, NULL, 0, &size), DUET_E_ROOM);
        assert_int_equal(duet_key_format(key, text, size, &size), DUET_OK);
        duet_key_free(key);
        assert_int_equal(duet_key_parse(&key, DUET_KIND_ANY, text, size, &where), DUET_OK);
        assert_int_equal(duet_key_kind(key), kind);
        assert_memory_equal(duet_key_bytes(key), bytes, some);
        duet_key_free(key);
        assert_int_equal(duet_key_parse(&key, DUET_KIND_PEERS, text, size, &where), DUET_E_FORMAT);
        assert_null(key);
    }
    key = parsed(DUET_KIND_ANY, "CAECAwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEA=\n"); /* wg genkey */
    assert_int_equal(duet_key_kind(key), DUET_KIND_IDENTITY);
    duet_key_free(key);
    assert_int_equal(duet_key_parse(&key, DUET_KIND_ANY, "x", 1, &where), DUET_E_FORMAT);
    assert_non_null(strstr(where.reason, "not a file that duet knows"));
    assert_int_equal(duet_key_parse(&key, (enum duet_kind)7, "x", 1, &where), DUET_E_MISUSE);
    assert_int_equal(duet_key_load(&key, (enum duet_kind)7, "/dev/null", NULL, 0, &where),
                     DUET_E_MISUSE);
}

/** What a key has, and nothing where its kind has no such thing. */
static void
holds(void **state)
{
    duet_key *keys[4], *secret, *identity, *peers, *profile;
    size_t size;

    (void)state;
    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, bytes, 64, 86400), DUET_OK);
    assert_int_equal(duet_key_new(&identity, DUET_KIND_IDENTITY, bytes, 32, 0), DUET_OK);
    peers = peers_of(identity);
    profile = parsed(DUET_KIND_ANY, "[Profile]\nLabel = x\nRotateFrames = 9\n");
    memcpy(keys, (duet_key *[]){secret, identity, peers, profile}, sizeof keys);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(duet_key_kind(keys[i]), DUET_KIND_SECRET + i);
        assert_int_equal(duet_key_id(keys[i]) != NULL, i == 0);
        assert_int_equal(duet_key_not_after(keys[i]), i == 0 ? 2 * 86400 - 1 : 0);
        assert_int_equal(duet_key_size(keys[i]), ((const size_t[]){64, 32, 0, 0})[i]);
        assert_int_equal(duet_key_bytes(keys[i]) != NULL, i < 2);
        assert_int_equal(duet_key_count(keys[i]), i == 1 || i == 2);
        assert_int_equal(duet_key_public_key(keys[i], 0) != NULL, i == 1 || i == 2);
        assert_null(duet_key_public_key(keys[i], 1));
        assert_int_equal(duet_key_name(keys[i], 0) != NULL, i == 2);
        assert_null(duet_key_name(keys[i], 1));
        assert_int_equal(duet_key_profile_text(keys[i], DUET_PROFILE_LABEL, &size) != NULL, i == 3);
        assert_int_equal(size, i == 3);
        assert_int_equal(duet_key_profile_number(keys[i], DUET_PROFILE_ROTATE_FRAMES),
                         i == 3 ? 9 : 0);
        assert_int_equal(duet_key_format(keys[i], NULL, 0, &size),
                         i < 2 ? DUET_E_ROOM : DUET_E_MISUSE);
        assert_int_equal(duet_key_find(keys[i], duet_key_public_key(identity, 0)) != NULL, i == 2);
    }
    assert_int_equal(duet_key_save(peers, "/nowhere/at/all", NULL, 0, NULL), DUET_E_MISUSE);
    assert_string_equal(duet_key_find(peers, duet_key_public_key(identity, 0)), "ann");
    assert_null(duet_key_find(peers, bytes));
    for (int i = 0; i < 4; i++)
        duet_key_free(keys[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(made), cmocka_unit_test(refused),
                                       cmocka_unit_test(kinds), cmocka_unit_test(holds)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
