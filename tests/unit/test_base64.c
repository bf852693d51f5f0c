/*
 * Base64: what libcrypto writes, and nothing else is read (src/base/base64.h).
 */
#include "base/base64.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
base64_is_libcryptos(void **state)
{
    char mine[200], theirs[200];
    uint8_t bytes[300], back[200];
    size_t put;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 167 + 5);
    for (size_t n = 0; n < 130; n++) {
        duet__base64_encode(mine, bytes + n, n);
        int digits = EVP_EncodeBlock((unsigned char *)theirs, bytes + n, (int)n);
        assert_int_equal(digits, DUET__BASE64_SIZE(n));
        assert_memory_equal(mine, theirs, (size_t)digits);
        assert_int_equal(duet__base64_decode(back, n, &put, mine, (size_t)digits), 0);
        assert_int_equal(put, n);
        assert_memory_equal(back, bytes + n, n);
        if (n > 0)
            assert_int_equal(duet__base64_decode(back, n - 1, &put, mine, (size_t)digits), -1);
    }
}

static void
base64_is_strict(void **state)
{
    static const char *const wrong[] = {
        "A",    "AA",   "AAA",  "A===", "AB==",     "AAB=",  "A=AA",
        "=AAA", "AA A", "AA-A", "AA_A", "AA==AAAA", "AA\n=", "A\xc3=="};
    uint8_t out[16];
    size_t put;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (duet__base64_decode(out, sizeof out, &put, wrong[i], strlen(wrong[i])) != -1)
            fail_msg("'%s' was taken", wrong[i]);
    for (int c = 0; c < 256; c++) { /* each byte that is no digit, and each that is */
        char text[4] = {'A', (char)c, 'A', 'A'};
        int digit =
            c != 0 &&
            strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", c) != NULL;
        assert_int_equal(duet__base64_decode(out, 3, &put, text, 4), digit ? 0 : -1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(base64_is_libcryptos),
                                       cmocka_unit_test(base64_is_strict)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
