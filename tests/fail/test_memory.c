/*
 * The n-th allocation fails, for every n: the call says DUET_E_MEMORY, nothing leaks, and the same
 * call succeeds when memory is there again.
 *
 * malloc and calloc are taken over by the linker (--wrap); libcrypto's own are not reached by that.
 */
#include "support/pair.h"

#include "session/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static long until = -1; /* allocations that still succeed; negative: all */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static int
fails(void)
{
    if (until < 0)
        return 0;
    return until-- == 0;
}

void *
__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

static struct pair pair;
static struct pair_end *const top = &pair.end[DUET_TOP];
static struct pair_end *const bottom = &pair.end[DUET_BOTTOM];

/** A whole session in which the n-th allocation fails; a call that failed is made again. Returns 1
 * when there was no n-th. */
static int
session_with(long n, enum duet_pattern pattern)
{
    const struct pair_options options = {.pattern = pattern, .hello_size = 300};
    static const uint8_t draw[DUET_FRESH_SIZE] = {3};
    int unused;

    pair_open(&pair, &options);
    until = n;
    int result = pair_sessions(&pair);
    if (result == DUET_E_MEMORY) {
        until = -1;
        pair_close(&pair);
        return 0;
    }
    assert_int_equal(result, DUET_OK);
    result = pair_settle(&pair);
    if (result == DUET_OK)
        result = duet_session_refresh(top->session, draw);
    if (result == DUET_OK)
        result = pair_settle(&pair);
    unused = until >= 0;
    until = -1;
    assert_true(result == DUET_OK || result == DUET_E_MEMORY);
    if (unused)
        assert_int_equal(result, DUET_OK);
    pair_close(&pair);
    return unused;
}

static void
sessions(void **state)
{
    (void)state;
    for (int pattern = 0; pattern < 3; pattern++) {
        long n = 0;
        while (!session_with(n, (enum duet_pattern)pattern))
            n++;
        assert_true(n >= 6); /* two sessions, two initiations, two HELLOs at least */
    }
}

/** A HELLO for which there is no memory is not lost: the same bytes are taken up again. */
static void
hello_goes_on(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_options){.pattern = DUET_PATTERN_EPHEMERAL});
    assert_int_equal(pair_flush(top), DUET_OK);
    struct duet_step step = {.in = top->wire, .in_size = top->wire_size};
    until = 0;
    assert_int_equal(duet_session_recv(bottom->session, &step), DUET_E_MEMORY);
    until = -1;
    assert_int_equal(pair_feed(bottom, top->wire + step.used, top->wire_size - step.used, 0),
                     DUET_OK);
    top->wire_size = 0;
    pair_handshake(&pair);
    pair_close(&pair);
}

static void
configurations(void **state)
{
    static const uint8_t secret[64];
    struct duet__peer peer = {.name = "x"};
    struct duet__peers peers = {&peer, 1};

    (void)state;
    until = 0;
    assert_null(duet_config_new());
    until = -1;
    duet_config *config = duet_config_new();
    for (long n = 0; n < 2; n++) {
        until = n;
        assert_int_equal(duet__config_add_secret(config, secret, sizeof secret, 0), DUET_E_MEMORY);
    }
    until = 0;
    assert_int_equal(duet__config_set_peers(config, &peers), DUET_E_MEMORY);
    until = -1;
    assert_int_equal(duet__config_add_secret(config, secret, sizeof secret, 0), DUET_OK);
    duet_config_free(config);
}

static void
texts(void **state)
{
    static const uint8_t bytes[64] = {1};
    static char text[1000];
    duet_key *secret, *back;
    duet_where where;
    size_t size;

    (void)state;
    until = 0;
    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, bytes, 64, 0), DUET_E_MEMORY);
    until = -1;
    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, bytes, 64, 0), DUET_OK);
    assert_int_equal(duet_key_format(secret, text, sizeof text, &size), DUET_OK);
    for (long n = 0; n < 3; n++) {
        until = n;
        assert_int_equal(duet_key_parse(&back, DUET_KIND_SECRET, text, size, &where),
                         DUET_E_MEMORY);
        assert_null(back);
    }
    until = -1;
    duet_key_free(secret);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions),
        cmocka_unit_test(hello_goes_on),
        cmocka_unit_test(configurations),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
