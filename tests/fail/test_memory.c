/*
 * The n-th allocation fails, for every n: the call says DUET_E_MEMORY, nothing leaks, and the same
 * call succeeds when memory is there again.
 *
 * malloc and calloc are taken over by the linker (--wrap); libcrypto's own are not reached by that.
 */
#include "support/own_ops.h"
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

/* ---- A handshake of the application's own ---- */

/** Give bytes to a session; without memory the same call is made again. */
static void
give_again(duet_session *session, const uint8_t *bytes, size_t size, duet_replay *replay)
{
    duet_step step = {.in = bytes, .in_size = size};

    while (step.in_size > 0) {
        int result = duet_session_recv(session, &step);
        assert_true(result == DUET_OK || result == DUET_E_MEMORY);
        step.in += step.used;
        step.in_size -= step.used;
        if (result != DUET_OK || step.event != DUET_EVENT_NONCE)
            continue;
        result = duet_replay_check(replay, session, 0);
        if (result == DUET_E_MEMORY) /* the nonce is stored, and is no replay now */
            result = duet_replay_check(replay, session, 0);
        assert_int_equal(result, DUET_OK);
    }
}

/** Returns 1 when there was no n-th allocation. */
static int
own_session_with(long n, duet_config *config)
{
    static const uint8_t random[2][DUET_RANDOM_SIZE] = {{1}, {2}};
    duet_session *ends[2] = {NULL, NULL};
    duet_replay *replay = duet_replay_new(4);
    uint8_t wire[4096];
    duet_info info;
    size_t size;

    until = n;
    for (int role = 0; role < 2; role++) {
        int result = duet_session_new(&ends[role], config, (enum duet_role)role, random[role], 0);
        if (result == DUET_E_MEMORY)
            result = duet_session_new(&ends[role], config, (enum duet_role)role, random[role], 0);
        assert_int_equal(result, DUET_OK);
    }
    for (int turn = 0; turn < 6; turn++) {
        int from = turn % 2;
        assert_int_equal(duet_session_flush(ends[from], wire, sizeof wire, &size), DUET_OK);
        give_again(ends[!from], wire, size, replay);
    }
    int unused = until >= 0;
    until = -1;
    for (int role = 0; role < 2; role++) {
        duet_session_info(ends[role], &info);
        assert_int_equal(info.ready, 1);
        duet_session_free(ends[role]);
    }
    duet_replay_free(replay);
    return unused;
}

static void
own_sessions(void **state)
{
    static struct own_context context;
    duet_handshake_ops ops = own_handshake(&context);
    duet_config *config = duet_config_new();
    long n = 0;

    (void)state;
    memset(context.secret, 0x77, sizeof context.secret);
    assert_int_equal(duet_config_set_own(config, &ops, NULL), DUET_OK);
    while (!own_session_with(n, config))
        n++;
    assert_true(n >= 6);
    duet_config_free(config);
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
        cmocka_unit_test(sessions),     cmocka_unit_test(hello_goes_on),
        cmocka_unit_test(own_sessions), cmocka_unit_test(configurations),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
