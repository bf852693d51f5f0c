/*
 * Key files under a passphrase: known answers by another implementation (Python's hashlib and
 * cryptography), the way there and back, and what is refused.
 */
#include "secret/sealed.h"

#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(text) ((struct duet__bytes){(text), strlen(text)})

/* scrypt(N = 2^10, r = 8, p = 1), then AES-256-GCM with a nonce of zeros. */
static const char plain[] = "[Secret]\nnot one, but a text\n";
static const char known[] = "[Sealed]\n"
                            "Version = 1\n"
                            "Work = 10\n"
                            "Salt = AAECAwQFBgcICQoLDA0ODw==\n"
                            "Data = JsLf/sEngyhkE28FFXveulFHpNhLVX4bMYlg1SWHhBBhdAidUSm54hSnUB5C\n";

static void
drop(struct duet__owned_text *text)
{
    free(text->text);
    *text = (struct duet__owned_text){0};
}

static void
known_answer(void **state)
{
    uint8_t salt[DUET__SALT];
    struct duet__owned_text text;
    duet_where where;

    (void)state;
    for (size_t i = 0; i < DUET__SALT; i++)
        salt[i] = (uint8_t)i;
    assert_int_equal(duet__sealed_make(&text, BYTES(plain), BYTES("correct horse"), salt, 10),
                     DUET_OK);
    assert_int_equal(text.size, strlen(known));
    assert_memory_equal(text.text, known, text.size);
    drop(&text);
    assert_int_equal(duet__sealed_open(&text, BYTES(known), BYTES("correct horse"), &where),
                     DUET_OK);
    assert_int_equal(text.size, strlen(plain));
    assert_memory_equal(text.text, plain, text.size);
    drop(&text);
}

static void
any_size(void **state)
{
    static const uint8_t salt[DUET__SALT] = {9};
    static char in[128 * 1024];
    duet_where where;

    (void)state;
    memset(in, 'x', sizeof in);
    const size_t sizes[] = {1, 31, 32, 33, 47, 48, 49, 1000, sizeof in};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct duet__owned_text sealed, text;
        const struct duet__bytes whole = {in, sizes[i]};
        assert_int_equal(duet__sealed_make(&sealed, whole, BYTES("p"), salt, 10), DUET_OK);
        const struct duet__bytes back = {sealed.text, sealed.size};
        assert_int_equal(duet__sealed_open(&text, back, BYTES("p"), &where), DUET_OK);
        assert_int_equal(text.size, sizes[i]);
        assert_memory_equal(text.text, in, sizes[i]);
        drop(&sealed);
        drop(&text);
    }
}

/** Every byte of the file matters, but those that are layout. */
static void
damaged(void **state)
{
    char copy[sizeof known];
    struct duet__owned_text text;
    duet_where where;

    (void)state;
    assert_int_equal(duet__sealed_open(&text, BYTES(known), BYTES("correct horse "), &where),
                     DUET_E_FORGED);
    assert_null(text.text);
    for (size_t i = 0; i + 1 < sizeof known; i++) {
        memcpy(copy, known, sizeof known);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        int result = duet__sealed_open(&text, BYTES(copy), BYTES("correct horse"), &where);
        assert_true(result == DUET_E_FORGED || result == DUET_E_FORMAT);
        assert_null(text.text);
    }
}

static void
refused(void **state)
{
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"[Sealed]\nVersion = 1\nWork = 21\nSalt = AAECAwQFBgcICQoLDA0ODw==\nData = AAAA\n",
         "Work is not"},
        {"[Sealed]\nVersion = 1\nWork = 9\nSalt = AAECAwQFBgcICQoLDA0ODw==\nData = AAAA\n",
         "Work is not"},
        {"[Sealed]\nVersion = 1\nWork = 10\nSalt = AAEC\nData = AAAA\n", "Salt is not"},
        {"[Sealed]\nVersion = 1\nWork = 10\nSalt = AAECAwQFBgcICQoLDA0ODw==\nData = AAAA\n",
         "too short"},
        {"[Sealed]\nVersion = 1\nWork = 10\nSalt = AAECAwQFBgcICQoLDA0ODw==\nData = A!AA\n",
         "not base64"},
        {"[Sealed]\nVersion = 1\nWork = 10\nData = AAAA\n", "Salt"},
        {"[Secret]\nVersion = 1\n", ""},
    };
    static const uint8_t salt[DUET__SALT];
    struct duet__owned_text text;
    duet_where where;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(duet__sealed_open(&text, BYTES(rows[i].text), BYTES("p"), &where),
                         DUET_E_FORMAT);
        assert_null(text.text);
        assert_non_null(strstr(where.reason, rows[i].reason));
    }
    assert_int_equal(duet__sealed_make(&text, BYTES(plain), BYTES(""), salt, 10), DUET_E_LENGTH);
    assert_null(text.text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_answer), cmocka_unit_test(any_size),
                                       cmocka_unit_test(damaged), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
