/*
 * Key files made into a configuration while libcrypto's memory runs out, at every place: what is
 * given holds all that was asked for. One without its identity would speak to the peer without it.
 */
#include "keys.h"
#include "log.h"

#include "session/config.h"
#include "support/between.h"

#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static long until = -1; /* allocations that still succeed; negative: all */

static void *
crypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return until >= 0 && until-- == 0 ? NULL : malloc(size);
}

static void
write_file(const char *name, const char *text, size_t size)
{
    FILE *file = fopen(name, "wx");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(name, 0600), 0);
}

/** A secret and an identity in the folder that the test is in. */
static void
write_keys(void)
{
    static const uint8_t bytes[64] = {1, 2, 3};
    char text[1000];
    size_t size;
    duet_key *secret;
    duet_key *identity;

    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, bytes, sizeof bytes, 0), DUET_OK);
    assert_int_equal(duet_key_format(secret, text, sizeof text, &size), DUET_OK);
    write_file("secret", text, size);
    duet_key_free(secret);
    assert_int_equal(duet_key_new(&identity, DUET_KIND_IDENTITY, bytes, DUET_KEY_SIZE, 0), DUET_OK);
    assert_int_equal(duet_key_format(identity, text, sizeof text, &size), DUET_OK);
    write_file("identity", text, size);
    duet_key_free(identity);
}

static void
all_or_nothing(void **state)
{
    char folder[] = "/tmp/duet-keys-XXXXXX", secret[] = "secret", identity[] = "identity";
    char *secrets[] = {secret};
    const struct key_files files = {.keys = {secrets, 1}, .identity = identity};
    int failures = 0;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    write_keys();
    for (long n = 0;; n++) {
        duet_config *config;
        until = n;
        int code = keys_config(&config, NULL, &files, DUET_TOP);
        int reached = until < 0;
        until = -1;
        failures += code != EXIT_DONE;
        if (code == EXIT_DONE)
            assert_true(config->has_identity);
        duet_config_free(config);
        if (!reached)
            break;
    }
    assert_between(failures, 1, 1000);
    assert_int_equal(unlink("secret") + unlink("identity") + chdir("/") + rmdir(folder), 0);
}

static void
unheard(enum log_kind kind, const char *text)
{
    (void)kind;
    (void)text;
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_or_nothing),
    };
    log_line = unheard;
    if (CRYPTO_set_mem_functions(crypto_malloc, NULL, NULL) != 1 || duet_init() != DUET_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
