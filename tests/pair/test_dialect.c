/*
 * Sessions with a dialect: openings cut anywhere, wrong openings, listeners with many secrets whose
 * openings have other sizes, the sizes of HELLOs and of the first writes (docs/protocol.md §6).
 */
#include "support/between.h"
#include "support/pair.h"

#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct pair pair;
static struct pair_end *const top = &pair.end[DUET_TOP], *const bottom = &pair.end[DUET_BOTTOM];

static const struct duet__dialect *
dialect_of(const struct pair_end *end)
{
    return &end->config->psks[0].dialect;
}

static void
open_pattern(enum duet_pattern pattern)
{
    pair_open(&pair, &(struct pair_options){.pattern = pattern, .dialect = 1});
}

/* ---- Openings ---- */

/** Do a handshake with the streams in pieces of a size. */
static void
check_pieces(size_t piece)
{
    for (int i = 0; i < 6; i++) {
        struct pair_end *from = &pair.end[i % 2], *to = &pair.end[1 - i % 2];
        assert_int_equal(pair_flush(from), DUET_OK);
        assert_int_equal(pair_feed(to, from->wire, from->wire_size, piece), DUET_OK);
        from->wire_size = 0;
    }
    assert_true(pair_info(top).ready && pair_info(bottom).ready);
}

/** Every pattern, with the streams in pieces of every size. */
static void
pieces(void **state)
{
    (void)state;
    for (int pattern = 0; pattern < DUET_PATTERN_COUNT; pattern++) {
        for (size_t piece = 1; piece < 200; piece += piece < 150 ? 1 : 13) {
            if (piece == 1)
                open_pattern((enum duet_pattern)pattern);
            else
                assert_int_equal(pair_sessions(&pair), DUET_OK);
            check_pieces(piece);
        }
        pair_close(&pair);
    }
}

/** One opening, of which the byte at a place is another, is refused in silence. */
static void
check_wrong_opening(enum duet_role from, size_t at)
{
    struct pair_end *end = &pair.end[from], *peer = &pair.end[1 - from];

    assert_int_equal(pair_sessions(&pair), DUET_OK);
    if (from == DUET_BOTTOM) {
        assert_int_equal(pair_flush(top), DUET_OK);
        assert_int_equal(pair_carry(top, bottom), DUET_OK);
    }
    assert_int_equal(pair_flush(end), DUET_OK);
    assert_true(duet__dialect_fits(dialect_of(top), from, end->wire));
    end->wire[at] = ' ';
    assert_int_equal(pair_carry(end, peer), DUET_E_UNAUTHENTICATED);
    assert_int_equal(pair_info(peer).pending, 0);
}

/** A first flight is what the dialect says, and each byte of its opening counts. */
static void
wrong_openings(void **state)
{
    (void)state;
    for (int from = 0; from < 2; from++) {
        open_pattern(DUET_PATTERN_EPHEMERAL);
        size_t size = dialect_of(top)->size[from];
        assert_between(size, 24, 96);
        for (size_t at = 0; at < size; at++)
            check_wrong_opening((enum duet_role)from, at);
        pair_close(&pair);
    }
}

static int
is_same_range(struct duet__range a, struct duet__range b)
{
    return a.least == b.least && a.most == b.most;
}

static int
is_same_dialect(const struct duet__dialect *a, const struct duet__dialect *b)
{
    return a->used == b->used && memcmp(a->fields, b->fields, sizeof a->fields) == 0 &&
           memcmp(a->count, b->count, sizeof a->count) == 0 &&
           memcmp(a->size, b->size, sizeof a->size) == 0 &&
           memcmp(a->first, b->first, sizeof a->first) == 0 &&
           is_same_range(a->first_size, b->first_size) &&
           is_same_range(a->hello_size, b->hello_size) &&
           is_same_range(a->silence_ms, b->silence_ms) && is_same_range(a->linger_ms, b->linger_ms);
}

/** A party without the dialect, or with another label, meets silence. */
static void
one_end_alone(void **state)
{
    (void)state;
    for (int end = 0; end < 4; end++) {
        pair_open(&pair, &(struct pair_options){.dialect = 1, .hello_size = 500});
        pair_thaw(&pair);
        duet_config *config = pair.end[end % 2].config;
        struct duet__profile profile = config->profile;
        profile.hello_given = 1;
        if (end < 2)
            profile.dialect = 0;
        else
            profile.label[profile.label_size++] = 'x';
        assert_int_equal(duet__config_set_profile(config, &profile), DUET_OK);
        assert_false(is_same_dialect(dialect_of(top), dialect_of(bottom)));
        assert_int_equal(pair_sessions(&pair), DUET_OK);
        assert_int_equal(pair_settle(&pair), DUET_E_UNAUTHENTICATED);
        assert_int_equal(pair_info(bottom).pending, 0);
        pair_close(&pair);
    }
}

/* ---- Many secrets ---- */

enum { MANY = 40 };

/** A listener with many secrets finds each of them, however the flight is cut, and tries as many
 * for each. */
static void
many_secrets(void **state)
{
    uint8_t secret[64];

    (void)state;
    for (int mine = 0; mine < MANY; mine++) {
        memset(secret, 1 + mine, sizeof secret);
        pair_open(&pair, &(struct pair_options){
                             .pattern = DUET_PATTERN_EPHEMERAL, .dialect = 1, .secret = secret});
        pair_thaw(&pair);
        for (int i = 0; i < MANY; i++) {
            memset(secret, 1 + i, sizeof secret);
            if (i != mine)
                assert_int_equal(duet_config_add_secret(bottom->config, secret, sizeof secret),
                                 DUET_OK);
        }
        for (size_t piece = 0; piece < 3; piece++) {
            assert_int_equal(pair_sessions(&pair), DUET_OK);
            assert_int_equal(pair_flush(top), DUET_OK);
            struct duet__session_handshake *hs = bottom->session->handshake;
            size_t size = dialect_of(top)->size[DUET_TOP] + WIRE_NONCE + DUET_HEADER_SIZE;
            assert_int_equal(pair_feed(bottom, top->wire, size, piece), DUET_OK);
            assert_int_equal(bottom->session->rx_phase, DUET__RX_HELLO);
            assert_int_equal(hs->tried, MANY);
            assert_int_equal(pair_feed(bottom, top->wire + size, top->wire_size - size, 0),
                             DUET_OK);
            top->wire_size = 0;
            pair_handshake(&pair);
            assert_memory_equal(pair_info(bottom).secret_id, pair_info(top).secret_id,
                                DUET_SECRET_ID_SIZE);
        }
        pair_close(&pair);
    }
}

/** One that is not among them is tried by all and refused, as soon as the longest opening could be
 * there; bytes that come later are not looked at. */
static void
unknown_secret(void **state)
{
    static uint8_t noise[WIRE_OPENING + WIRE_NONCE + DUET_HEADER_SIZE];
    uint8_t secret[64];

    (void)state;
    open_pattern(DUET_PATTERN_EPHEMERAL);
    pair_thaw(&pair);
    size_t longest = dialect_of(bottom)->size[DUET_TOP];
    for (int i = 0; i < MANY; i++) {
        memset(secret, 1 + i, sizeof secret);
        assert_int_equal(duet_config_add_secret(bottom->config, secret, sizeof secret), DUET_OK);
        size_t size = bottom->config->psks[1 + i].dialect.size[DUET_TOP];
        longest = size > longest ? size : longest;
    }
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    size_t whole = longest + WIRE_NONCE + DUET_HEADER_SIZE;
    assert_true(whole <= sizeof noise);
    assert_int_equal(pair_feed(bottom, noise, whole - 1, 7), DUET_OK);
    assert_int_equal(pair_feed(bottom, noise, 1, 0), DUET_E_UNAUTHENTICATED);
    assert_non_null(strstr(duet_session_detail(bottom->session), "none of 41 secrets"));
    pair_close(&pair);
}

/* ---- Sizes ---- */

/** What an end sends until the handshake is done, flight by flight. */
static void
hello_sizes(void **state)
{
    (void)state;
    for (int pattern = 0; pattern < DUET_PATTERN_COUNT; pattern++) {
        open_pattern((enum duet_pattern)pattern);
        const struct duet__dialect *dialect = dialect_of(top);
        const struct duet__range range = dialect->hello_size;
        assert_int_equal(pair_flush(top), DUET_OK);
        assert_between(top->wire_size - dialect->size[DUET_TOP], range.least, range.most);
        assert_int_equal(pair_carry(top, bottom), DUET_OK);
        assert_int_equal(pair_flush(bottom), DUET_OK);
        size_t ready = pattern != DUET_PATTERN_IDENTITY ? DUET_FRAME_OVERHEAD : 0;
        assert_between(bottom->wire_size - dialect->size[DUET_BOTTOM] - ready, range.least,
                       range.most);
        assert_int_equal(pair_carry(bottom, top), DUET_OK);
        assert_int_equal(pair_flush(top), DUET_OK); /* m3, and READY */
        assert_between(top->wire_size, dialect->first_size.least,
                       dialect->first_size.most + DUET_FRAME_OVERHEAD - 1);
        pair_close(&pair);
    }
}

/** Without a dialect flights have the sizes of hello_size, m3 too. */
static void
plain_sizes(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_options){.pattern = DUET_PATTERN_IDENTITY, .hello_size = 3000});
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(top->wire_size, 3000);
    assert_int_equal(pair_carry(top, bottom), DUET_OK);
    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(bottom->wire_size, 3000);
    assert_int_equal(pair_carry(bottom, top), DUET_OK);
    assert_int_equal(pair_flush(top), DUET_OK);
    assert_int_equal(top->wire_size, 3000 + DUET_FRAME_OVERHEAD);
    pair_close(&pair);
}

/** Fill the write that lies on an end's wire. Returns its size. */
static size_t
fill(struct pair_end *end)
{
    size_t put;

    assert_int_equal(duet_session_fill(end->session, end->wire + end->wire_size,
                                       PAIR_WIRE - end->wire_size, end->wire_size, &put),
                     DUET_OK);
    end->wire_size += put;
    return end->wire_size;
}

/** The first writes are filled, the READY of TOP being one; the later ones are not. */
static void
first_writes(void **state)
{
    (void)state;
    open_pattern(DUET_PATTERN_EPHEMERAL);
    pair_handshake(&pair); /* TOP's first write is gone */
    for (int from = 0; from < 2; from++) {
        struct pair_end *end = &pair.end[from];
        unsigned left = dialect_of(end)->first[from] - (from == DUET_TOP ? 1u : 0u);
        const struct duet__range range = dialect_of(end)->first_size;
        assert_int_equal(end->session->first_left, left);
        for (; left > 0; left--) {
            assert_int_equal(pair_send(end, 0, left * 700), DUET_OK);
            assert_between(fill(end), range.least, range.most);
            assert_int_equal(pair_carry(end, &pair.end[1 - from]), DUET_OK);
        }
        assert_int_equal(pair_send(end, 0, 100), DUET_OK);
        assert_int_equal(fill(end), 124);
        assert_int_equal(pair_carry(end, &pair.end[1 - from]), DUET_OK);
    }
    pair_close(&pair);
}

/** With a CLOSE the PAD frame goes before it; nothing follows it. */
static void
filled_close(void **state)
{
    (void)state;
    open_pattern(DUET_PATTERN_EPHEMERAL);
    pair_handshake(&pair);
    const struct duet__range range = dialect_of(bottom)->first_size;
    assert_int_equal(duet_session_close(bottom->session), DUET_OK);
    size_t pending = pair_info(bottom).pending;
    assert_between(pending, range.least, range.most);
    assert_int_equal(pair_flush(bottom), DUET_OK);
    assert_int_equal(bottom->wire_size, pending);
    assert_int_equal(fill(bottom), pending);
    assert_int_equal(pair_carry(bottom, top), DUET_OK);
    assert_true(pair_info(top).rx_closed);
    pair_close(&pair);
}

/** A peer that takes 256 bytes in a frame gets several. */
static void
small_frames(void **state)
{
    (void)state;
    open_pattern(DUET_PATTERN_EPHEMERAL);
    pair_thaw(&pair);
    assert_int_equal(duet_config_set(top->config, DUET_SET_MAX_PAYLOAD, 256), DUET_OK);
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    pair_handshake(&pair);
    const struct duet__range range = dialect_of(bottom)->first_size;
    assert_int_equal(pair_send(bottom, 0, 100), DUET_OK);
    assert_between(fill(bottom), range.least, range.most + DUET_FRAME_OVERHEAD - 1);
    assert_int_equal(pair_carry(bottom, top), DUET_OK);
    pair_close(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces),         cmocka_unit_test(wrong_openings),
        cmocka_unit_test(one_end_alone),  cmocka_unit_test(many_secrets),
        cmocka_unit_test(unknown_secret), cmocka_unit_test(hello_sizes),
        cmocka_unit_test(plain_sizes),    cmocka_unit_test(first_writes),
        cmocka_unit_test(filled_close),   cmocka_unit_test(small_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
