/*
 * A listener of many secrets does the same work whichever of them fits: the number of headers that
 * it opens is counted, and where it begins is drawn (docs/protocol.md §4 "Several secrets").
 */
#include "support/pair.h"

#include "frame/cipher.h"
#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SECRETS = 20 };

static unsigned headers; /* opened since the last reset */

int __real_duet__cipher_open_header(struct duet__cipher *c, const uint8_t *header);
int __wrap_duet__cipher_open_header(struct duet__cipher *c, const uint8_t *header);

int
__wrap_duet__cipher_open_header(struct duet__cipher *c, const uint8_t *header)
{
    headers++;
    return __real_duet__cipher_open_header(c, header);
}

/** The headers that a listener of SECRETS secrets opens to read a first HELLO, where the one at
 * `place` fits. */
static unsigned
count_headers(unsigned place)
{
    static struct pair pair;
    static const struct pair_options plain = {.pattern = DUET_PATTERN_EPHEMERAL, .hello_size = 240};
    struct pair_end *top = &pair.end[DUET_TOP], *bottom = &pair.end[DUET_BOTTOM];
    uint8_t secret[64];

    pair_open(&pair, &plain);
    pair_thaw(&pair);
    for (size_t i = 0; i < bottom->config->count; i++)
        duet__psk_wipe(&bottom->config->psks[i]);
    bottom->config->count = 0;
    for (unsigned i = 0; i < SECRETS; i++) {
        memset(secret, (int)(i == place ? 0x5a : i + 100), sizeof secret);
        if (i == place) { /* TOP's */
            for (size_t j = 0; j < top->config->count; j++)
                duet__psk_wipe(&top->config->psks[j]);
            top->config->count = 0;
            assert_int_equal(duet__config_add_secret(top->config, secret, sizeof secret, 0),
                             DUET_OK);
        }
        assert_int_equal(duet__config_add_secret(bottom->config, secret, sizeof secret, 0),
                         DUET_OK);
    }
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    headers = 0;
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    unsigned count = headers;
    pair_close(&pair);
    return count;
}

static void
the_same_work_for_every_secret(void **state)
{
    (void)state;
    unsigned first = count_headers(0);
    assert_true(first > SECRETS);
    for (unsigned place = 1; place < SECRETS; place++)
        assert_int_equal(count_headers(place), first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_work_for_every_secret)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
