/*
 * Two sessions with functions of the application's own (see own_pair.h).
 */
#include "own/own_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct pair pair;
struct pair_end *const top = &pair.end[DUET_TOP];
struct pair_end *const bottom = &pair.end[DUET_BOTTOM];
struct own_context own;

void
context_reset(void)
{
    memset(&own, 0, sizeof own);
    memset(own.secret, 0x77, sizeof own.secret);
}

duet_config *
configure(int what)
{
    uint8_t secret[64];
    duet_config *config = duet_config_new();
    duet_handshake_ops handshake = own_handshake(&own);
    duet_schedule_ops schedule = own_schedule(&own);

    assert_non_null(config);
    memset(secret, 0x5a, sizeof secret);
    if (what & SECRET)
        assert_int_equal(duet_config_add_secret(config, secret, sizeof secret), DUET_OK);
    if (what & HANDSHAKE)
        assert_int_equal(duet_config_set_own(config, &handshake, NULL), DUET_OK);
    if (what & SCHEDULE)
        assert_int_equal(duet_config_set_own(config, NULL, &schedule), DUET_OK);
    return config;
}

int
open_as(int top_what, int bottom_what)
{
    memset(&pair, 0, sizeof pair);
    top->config = configure(top_what);
    bottom->config = configure(bottom_what);
    return pair_sessions(&pair);
}

void
talk(void)
{
    uint8_t random[DUET_FRESH_SIZE], one[32], other[32];

    memset(random, 9, sizeof random);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pair_send(&pair.end[i], 5, 1000), DUET_OK);
        assert_int_equal(duet_session_rekey(pair.end[i].session), DUET_OK);
    }
    assert_int_equal(pair_settle(&pair), DUET_OK);
    assert_int_equal(duet_session_refresh(top->session, random), DUET_OK);
    assert_int_equal(pair_settle(&pair), DUET_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pair_send(&pair.end[i], 0, 300), DUET_OK);
        assert_int_equal(duet_session_close(pair.end[i].session), DUET_OK);
    }
    assert_int_equal(pair_settle(&pair), DUET_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pair.end[i].got_size, 1300);
        assert_int_equal(pair_info(&pair.end[i]).tx_epoch, 2);
        assert_int_equal(duet_session_receipt(top->session, one, (enum duet_role)i), DUET_OK);
        assert_int_equal(duet_session_receipt(bottom->session, other, (enum duet_role)i), DUET_OK);
        assert_memory_equal(one, other, sizeof one);
    }
    assert_int_equal(duet_session_export(top->session, one, 32, (const uint8_t *)"x", 1), DUET_OK);
    assert_int_equal(duet_session_export(bottom->session, other, 32, (const uint8_t *)"x", 1),
                     DUET_OK);
    assert_memory_equal(one, other, sizeof one);
}

void
has_ended(struct pair_end *end, int result)
{
    size_t put;

    assert_int_equal(end->session->error, result);
    assert_int_equal(pair_info(end).pending, 0);
    assert_int_equal(duet_session_flush(end->session, end->wire, PAIR_WIRE, &put), result);
    assert_int_equal(put, 0);
    assert_int_equal(duet_session_rekey(end->session), result);
    assert_true(strlen(duet_session_detail(end->session)) > 10);
    assert_null(end->session->own);
    assert_null(end->session->handshake);
}
