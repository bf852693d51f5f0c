/*
 * handshake.json, dialect.json: whole sessions in both roles, every byte that each party puts on the wire, with
 * refresh, exporter and receipts (docs/protocol.md §4, §5).
 */
#include "vectors/party.h"

#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct pair {
    const json_t *one;
    struct party top, bottom;
};

/* ---- The story that every case tells ---- */

static void
handshake(struct pair *pair)
{
    duet_info info;

    for (int i = 0; i < 3; i++) {
        party_flush_and_carry(&pair->top, &pair->bottom);
        party_flush_and_carry(&pair->bottom, &pair->top);
    }
    duet_session_info(pair->top.session, &info);
    assert_true(info.ready && info.may_send);
    assert_int_equal(info.pattern, number_of(pair->one, "pattern"));
    duet_session_info(pair->bottom.session, &info);
    assert_true(info.ready && info.may_send);
    assert_null(pair->top.session->handshake);
    assert_null(pair->bottom.session->handshake);
}

static void
refresh(struct pair *pair)
{
    struct party *top = &pair->top, *bottom = &pair->bottom;

    if (json_is_true(json_object_get(pair->one, "pad_before_refresh")))
        party_pad(top, 9);
    if (json_is_true(json_object_get(pair->one, "crossing_refresh"))) {
        uint8_t dropped[DUET_FRESH_SIZE];
        party_fresh(dropped, pair->one, "refresh_private_bottom_dropped", "");
        assert_int_equal(duet_session_refresh(bottom->session, dropped), DUET_OK);
        party_flush(bottom);
    }
    assert_int_equal(duet_session_refresh(top->session, top->fresh), DUET_OK);
    party_flush(top);
    party_carry(bottom, top);
    party_carry(top, bottom);
    party_frame(bottom, top, 8, 3);
    party_flush_and_carry(bottom, top);
    party_flush_and_carry(top, bottom);
    assert_null(top->session->refresh);
    assert_null(bottom->session->refresh);
    assert_int_equal(top->session->refresh_phase, DUET__REFRESH_NONE);
    assert_int_equal(bottom->session->refresh_phase, DUET__REFRESH_NONE);
}

static void
assert_party(struct party *party, const json_t *one)
{
    struct bytes label = bytes_of(one, "export_label");
    uint8_t out[32];

    assert_int_equal(duet_session_export(party->session, out, sizeof out, label.data, label.size),
                     DUET_OK);
    assert_bytes(one, "export_32", out, sizeof out);
    assert_int_equal(duet_session_receipt(party->session, out, DUET_TOP), DUET_OK);
    assert_bytes(one, "receipt_top", out, sizeof out);
    assert_int_equal(duet_session_receipt(party->session, out, DUET_BOTTOM), DUET_OK);
    assert_bytes(one, "receipt_bottom", out, sizeof out);
    bytes_free(&label);
}

static void
check_case(struct pair *pair)
{
    struct party *top = &pair->top, *bottom = &pair->bottom;

    handshake(pair);
    party_frame(top, bottom, 0, 20);
    party_frame(bottom, top, 7, 100);
    refresh(pair);
    party_frame(top, bottom, 1, 40);
    party_frame(bottom, top, 2, 41);
    assert_int_equal(duet_session_close(top->session), DUET_OK);
    assert_int_equal(duet_session_close(bottom->session), DUET_OK);
    party_flush_and_carry(top, bottom);
    party_flush_and_carry(bottom, top);
    assert_bytes(pair->one, "top_sends", top->sent, top->sent_size);
    assert_bytes(pair->one, "bottom_sends", bottom->sent, bottom->sent_size);
    assert_party(top, pair->one);
    assert_party(bottom, pair->one);
    assert_int_equal(duet_session_end(top->session), DUET_CLOSED);
    assert_int_equal(duet_session_end(bottom->session), DUET_CLOSED);
}

static void
check_file(const char *name, void (*check)(struct pair *pair))
{
    static struct pair pair;
    json_t *root = vectors_load(name);
    const json_t *cases = json_object_get(root, "cases");
    size_t i;

    assert_true(json_array_size(cases) > 0);
    json_array_foreach(cases, i, pair.one)
    {
        party_make(&pair.top, pair.one, &party_top);
        party_make(&pair.bottom, pair.one, &party_bottom);
        check(&pair);
        party_unmake(&pair.top);
        party_unmake(&pair.bottom);
    }
    json_decref(root);
}

static void
sessions(void **state)
{
    (void)state;
    check_file("handshake.json", check_case);
}

/* ---- Dialects (§6) ---- */

static void
assert_range(const json_t *one, const char *member, struct duet__range range)
{
    const json_t *both = json_object_get(one, member);

    assert_int_equal(json_array_size(both), 2);
    assert_int_equal(range.least, json_integer_value(json_array_get(both, 0)));
    assert_int_equal(range.most, json_integer_value(json_array_get(both, 1)));
}

static void
assert_opening(const json_t *one, const struct duet__dialect *dialect, enum duet_role role,
               const char *fields, const char *opening)
{
    const json_t *list = json_object_get(one, fields), *field;
    struct bytes bytes = bytes_of(one, opening);
    size_t i;

    assert_int_equal(json_array_size(list), dialect->count[role]);
    json_array_foreach(list, i, field)
    {
        const struct duet__dialect_field *mine = &dialect->fields[role][i];
        assert_int_equal(mine->length, json_integer_value(json_array_get(field, 0)));
        assert_int_equal(mine->alphabet, json_integer_value(json_array_get(field, 1)));
    }
    assert_int_equal(bytes.size, dialect->size[role]);
    assert_true(duet__dialect_fits(dialect, role, bytes.data));
    bytes.data[bytes.size - 1] = ' '; /* of no alphabet */
    assert_false(duet__dialect_fits(dialect, role, bytes.data));
    bytes_free(&bytes);
}

static void
check_dialect(struct pair *pair)
{
    const json_t *one = pair->one;
    const struct duet__dialect *dialect = &pair->top.config->psks[0].dialect;

    assert_opening(one, dialect, DUET_TOP, "fields_top", "opening_top");
    assert_opening(one, dialect, DUET_BOTTOM, "fields_bottom", "opening_bottom");
    assert_range(one, "hello_size", dialect->hello_size);
    assert_range(one, "first_size", dialect->first_size);
    assert_range(one, "silence_ms", dialect->silence_ms);
    assert_range(one, "linger_ms", dialect->linger_ms);
    assert_int_equal(dialect->first[DUET_TOP], number_of(one, "first_top"));
    assert_int_equal(dialect->first[DUET_BOTTOM], number_of(one, "first_bottom"));
    check_case(pair);
}

static void
dialects(void **state)
{
    (void)state;
    check_file("dialect.json", check_dialect);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions),
        cmocka_unit_test(dialects),
    };

    if (argc > 1)
        vectors_folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
