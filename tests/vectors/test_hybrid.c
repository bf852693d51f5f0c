/*
 * hybrid.json: whole sessions with the extension `kem` and hybrid refreshes, and what their faults
 * lead to (docs/protocol.md §4 "Hybrid", §5). mlkem768.json: ML-KEM itself.
 *
 * Skipped, with a word about it, where libcrypto has no ML-KEM-768.
 */
#include "vectors/party.h"

#include "crypto/mlkem.h"
#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct party top, bottom;

static struct party *
party_named(const json_t *one, const char *member)
{
    return strcmp(text_of(one, member), "top") == 0 ? &top : &bottom;
}

static struct party *
peer_of(const struct party *party)
{
    return party == &top ? &bottom : &top;
}

static void
make_both(const json_t *one)
{
    party_make(&top, one, &party_top);
    party_make(&bottom, one, &party_bottom);
    for (int i = 0; i < 3; i++) {
        party_flush_and_carry(&top, &bottom);
        party_flush_and_carry(&bottom, &top);
    }
}

static void
unmake_both(void)
{
    party_unmake(&top);
    party_unmake(&bottom);
}

/* ---- Sessions ---- */

/** Ask for a refresh by the values of a case. */
static void
ask(struct party *from, const json_t *refresh, int dropped)
{
    uint8_t fresh[DUET_FRESH_SIZE];

    party_fresh(peer_of(from)->fresh, refresh, "answerer_private", "answerer_kem_m");
    party_fresh(fresh, refresh, dropped ? "dropped_private" : "asker_private",
                dropped ? "dropped_kem_seed" : "asker_kem_seed");
    assert_int_equal(duet_session_refresh(from->session, fresh), DUET_OK);
}

static void
act(const json_t *one, const json_t *scene)
{
    struct party *from = party_named(scene, "from");
    uint32_t code = (uint32_t)number_of(scene, "code");
    int dropped = json_is_true(json_object_get(scene, "dropped"));

    if (code <= DUET_CODE_APP_MAX) {
        party_frame(from, peer_of(from), code, number_of(scene, "payload_len"));
        return;
    }
    if (code == WIRE_CLOSE)
        assert_int_equal(duet_session_close(from->session), DUET_OK);
    else if (number_of(scene, "first") == WIRE_REFRESH_ASK)
        ask(from, json_array_get(json_object_get(one, "refreshes"), number_of(scene, "refresh")),
            dropped);
    party_flush(from);
    if (dropped) /* it crosses the peer's own */
        return;
    party_carry(peer_of(from), from);
    party_carry(from, peer_of(from));
}

static void
assert_end(const struct party *party, const json_t *one)
{
    struct bytes label = bytes_of(one, "export_label");
    duet_info info;
    uint8_t out[32];

    duet_session_info(party->session, &info);
    assert_int_equal(info.hybrid, json_is_true(json_object_get(one, "hybrid")));
    assert_false(info.refreshing);
    assert_null(party->session->large);
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
sessions(void **state)
{
    json_t *root = vectors_load("hybrid.json"), *one, *scene;
    size_t i, k;

    (void)state;
    assert_true(json_array_size(json_object_get(root, "cases")) > 0);
    json_array_foreach(json_object_get(root, "cases"), i, one)
    {
        make_both(one);
        json_array_foreach(json_object_get(one, "story"), k, scene) act(one, scene);
        assert_bytes(one, "top_sends", top.sent, top.sent_size);
        assert_bytes(one, "bottom_sends", bottom.sent, bottom.sent_size);
        assert_end(&top, one);
        assert_end(&bottom, one);
        unmake_both();
    }
    json_decref(root);
}

/* ---- Faults ---- */

/** Give a party bytes until it fails, or has them all. Returns the last result. */
static int
give(struct party *to, const struct bytes *bytes)
{
    size_t at = 0;
    int result = DUET_OK;

    while (at < bytes->size && result == DUET_OK) {
        struct duet_step step = {.in = bytes->data + at,
                                 .in_size = bytes->size - at,
                                 .out = to->got,
                                 .out_size = sizeof to->got};
        result = duet_session_recv(to->session, &step);
        at += step.used;
        if (result == DUET_OK && step.event == DUET_EVENT_NONCE)
            result = duet_session_accept(to->session, 0);
        if (result == DUET_OK && step.event == DUET_EVENT_RANDOM)
            result = duet_session_refresh(to->session, to->fresh);
    }
    return result;
}

/** After a fault of the handshake nothing is sent. */
static void
assert_silent(struct party *party)
{
    uint8_t out[4096];
    size_t put = 1;

    assert_int_equal(duet_session_flush(party->session, out, sizeof out, &put),
                     DUET_E_UNAUTHENTICATED);
    assert_int_equal(put, 0);
}

static void
handshake_faults(void **state)
{
    json_t *root = vectors_load("hybrid.json"), *one;
    size_t i;

    (void)state;
    assert_true(json_array_size(json_object_get(root, "negative")) > 0);
    json_array_foreach(json_object_get(root, "negative"), i, one)
    {
        struct party *party = party_named(one, "at");
        struct bytes flight = bytes_of(one, party == &top ? "bottom_sends" : "top_sends");
        party_make(party, one, party == &top ? &party_top : &party_bottom);
        party_flush(party);
        if (party == &top)
            assert_bytes(one, "top_sends", top.sent, top.sent_size);
        if (give(party, &flight) != DUET_E_UNAUTHENTICATED)
            fail_msg("%s: accepted", text_of(one, "name"));
        assert_silent(party);
        party_unmake(party);
        bytes_free(&flight);
    }
    json_decref(root);
}

/** A frame before the fault: what the party sends when it asks for a refresh. */
static void
send_frame_before(struct party *from, const json_t *refresh, const struct bytes *wire)
{
    size_t before = from->sent_size;

    ask(from, refresh, 0);
    party_flush_and_carry(from, peer_of(from));
    assert_int_equal(from->sent_size - before, wire->size);
    assert_memory_equal(from->sent + before, wire->data, wire->size);
}

/** The frames of one fault: the last one breaks the protocol. */
static void
check_refresh_fault(const json_t *root, const json_t *one)
{
    const json_t *base = json_array_get(json_object_get(root, "cases"), number_of(one, "base"));
    const json_t *frames = json_object_get(one, "frames");
    const json_t *refresh = json_array_get(json_object_get(base, "refreshes"), 0);
    size_t count = json_array_size(frames);

    make_both(base);
    for (size_t i = 0; i < count; i++) {
        const json_t *frame = json_array_get(frames, i);
        struct party *from = party_named(frame, "from");
        struct bytes wire = bytes_of(frame, "wire");
        if (i + 1 < count)
            send_frame_before(from, refresh, &wire);
        else if (give(peer_of(from), &wire) != DUET_E_PROTOCOL)
            fail_msg("%s: accepted", text_of(one, "name"));
        bytes_free(&wire);
    }
    unmake_both();
}

static void
refresh_faults(void **state)
{
    json_t *root = vectors_load("hybrid.json"), *one;
    size_t i;

    (void)state;
    assert_true(json_array_size(json_object_get(root, "refresh_negative")) > 0);
    json_array_foreach(json_object_get(root, "refresh_negative"), i, one)
        check_refresh_fault(root, one);
    json_decref(root);
}

/* ---- ML-KEM itself ---- */

static void
key_pairs(void **state)
{
    json_t *root = vectors_load("mlkem768.json"), *one;
    uint8_t key[DUET__MLKEM_KEY], text[DUET__MLKEM_TEXT], seed[DUET__MLKEM_SEED];
    uint8_t mine[DUET__MLKEM_SHARED], theirs[DUET__MLKEM_SHARED];
    static const uint8_t draw[DUET__MLKEM_DRAW] = {5};
    size_t i;

    (void)state;
    assert_true(json_array_size(json_object_get(root, "keygen")) > 0);
    json_array_foreach(json_object_get(root, "keygen"), i, one)
    {
        struct bytes d = bytes_of(one, "d"), z = bytes_of(one, "z");
        struct duet__mlkem *pair;
        memcpy(seed, d.data, 32);
        memcpy(seed + 32, z.data, 32);
        assert_int_equal(duet__mlkem_generate(&pair, key, seed), DUET_OK);
        assert_bytes(one, "ek", key, sizeof key);
        assert_int_equal(duet__mlkem_encapsulate(text, mine, key, draw), DUET_OK);
        assert_int_equal(duet__mlkem_decapsulate(theirs, pair, text), DUET_OK);
        assert_memory_equal(mine, theirs, sizeof mine);
        text[0] ^= 1; /* another secret, not an error */
        assert_int_equal(duet__mlkem_decapsulate(theirs, pair, text), DUET_OK);
        assert_memory_not_equal(mine, theirs, sizeof mine);
        duet__mlkem_free(pair);
        bytes_free(&d);
        bytes_free(&z);
    }
    json_decref(root);
}

static void
encapsulations(void **state)
{
    json_t *root = vectors_load("mlkem768.json"), *one;
    uint8_t text[DUET__MLKEM_TEXT], shared[DUET__MLKEM_SHARED];
    size_t i;

    (void)state;
    assert_true(json_array_size(json_object_get(root, "encaps")) > 0);
    json_array_foreach(json_object_get(root, "encaps"), i, one)
    {
        struct bytes key = bytes_of(one, "ek"), draw = bytes_of(one, "m");
        assert_int_equal(duet__mlkem_encapsulate(text, shared, key.data, draw.data), DUET_OK);
        assert_bytes(one, "ct", text, sizeof text);
        assert_bytes(one, "ss", shared, sizeof shared);
        bytes_free(&key);
        bytes_free(&draw);
    }
    json_decref(root);
}

/* FIPS 203 §7.2; other sizes are the extension's, which are among the faults above. */
static void
key_checks(void **state)
{
    static const uint8_t draw[DUET__MLKEM_DRAW] = {6};
    json_t *root = vectors_load("mlkem768.json"), *one;
    uint8_t text[DUET__MLKEM_TEXT], shared[DUET__MLKEM_SHARED];
    size_t i;

    (void)state;
    assert_true(json_array_size(json_object_get(root, "check_ek")) > 0);
    json_array_foreach(json_object_get(root, "check_ek"), i, one)
    {
        struct bytes key = bytes_of(one, "ek");
        int ok = json_is_true(json_object_get(one, "ok"));
        assert_int_equal(key.size == DUET__MLKEM_KEY, ok);
        if (ok) {
            assert_int_equal(duet__mlkem_encapsulate(text, shared, key.data, draw), DUET_OK);
            key.data[0] = 0x01; /* the first coefficient: 3,329, the modulus */
            key.data[1] = (uint8_t)((key.data[1] & 0xf0) | 0x0d);
            assert_int_equal(duet__mlkem_encapsulate(text, shared, key.data, draw),
                             DUET_E_PROTOCOL);
        }
        bytes_free(&key);
    }
    json_decref(root);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_pairs),        cmocka_unit_test(encapsulations),
        cmocka_unit_test(key_checks),       cmocka_unit_test(sessions),
        cmocka_unit_test(handshake_faults), cmocka_unit_test(refresh_faults)};

    if (argc > 1)
        vectors_folder = argv[1];
    if (!duet_has_hybrid()) {
        print_message("SKIPPED: this libcrypto has no ML-KEM-768 (OpenSSL 3.5 or newer has)\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
