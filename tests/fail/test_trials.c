/*
 * A listener of many secrets does the same work whichever of them fits: the trials of two secrets
 * and the headers that it opens are counted, and where it begins is drawn (docs/protocol.md §4
 * "Several secrets").
 */
#include "support/pair.h"

#include "frame/trial.h"
#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SECRETS = 21 }; /* odd: the last trial has one secret alone */

/** Since the last reset: headers opened, and trials of two secrets. */
struct work {
    unsigned headers, trials;
};

static struct work work;

int __real_duet__cipher_open_header(struct duet__cipher *c, const uint8_t *header);
int __wrap_duet__cipher_open_header(struct duet__cipher *c, const uint8_t *header);

int
__wrap_duet__cipher_open_header(struct duet__cipher *c, const uint8_t *header)
{
    work.headers++;
    return __real_duet__cipher_open_header(c, header);
}

int __real_duet__trial_two(struct duet__trial *trial, const struct duet__hmac_key *const half[2],
                           uint8_t clear[2][DUET_HEADER_SIZE]);
int __wrap_duet__trial_two(struct duet__trial *trial, const struct duet__hmac_key *const half[2],
                           uint8_t clear[2][DUET_HEADER_SIZE]);

int
__wrap_duet__trial_two(struct duet__trial *trial, const struct duet__hmac_key *const half[2],
                       uint8_t clear[2][DUET_HEADER_SIZE])
{
    work.trials++;
    return __real_duet__trial_two(trial, half, clear);
}

/** What a listener of so many secrets does to read a first HELLO, where the one at `place` fits; it
 * must find that one. */
static struct work
count_work(unsigned place, unsigned secrets)
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
    for (unsigned i = 0; i < secrets; i++) {
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
    work = (struct work){0, 0};
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    struct work done = work;
    assert_ptr_equal(bottom->session->psk, &bottom->config->psks[place]);
    pair_close(&pair);
    return done;
}

static void
the_same_work_for_every_secret(void **state)
{
    (void)state;
    for (unsigned place = 0; place < SECRETS; place++) {
        struct work done = count_work(place, SECRETS);
        assert_int_equal(done.trials, (SECRETS + 1) / 2);
        assert_int_equal(done.headers, 1);
    }
}

static void
every_number_of_secrets(void **state)
{
    (void)state;
    for (unsigned secrets = 1; secrets <= SECRETS; secrets++)
        for (unsigned place = 0; place < secrets; place++) {
            struct work done = count_work(place, secrets);
            assert_int_equal(done.trials, secrets == 1 ? 0 : (secrets + 1) / 2);
            assert_int_equal(done.headers, 1);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_work_for_every_secret),
                                       cmocka_unit_test(every_number_of_secrets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
