/*
 * handshake.json: whole sessions in both roles, every byte that each party puts on the wire, with
 * refresh, exporter and receipts (docs/protocol.md §4, §5).
 */
#include "vectors/vectors.h"

#include "crypto/x25519.h"
#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WIRE_MOST = 65536 };

struct party {
    duet_config *config;
    duet_session *session;
    struct bytes extensions, padding, refresh;
    uint8_t sent[WIRE_MOST]; /* all that it put on the wire */
    size_t sent_size, carried;
    uint32_t code; /* of the last application frame that it received */
    uint8_t got[WIRE_MOST];
    size_t got_size;
};

struct pair {
    const json_t *one;
    struct party top, bottom;
};

/* ---- Making both parties as the case says ---- */

static void
set_profile(struct party *party, const json_t *one, const uint8_t *params)
{
    static duet_profile profile;
    struct bytes preludes[2] = {bytes_of(one, "prelude_top"), bytes_of(one, "prelude_bottom")};
    const char *label = text_of(one, "label");

    memset(&profile, 0, sizeof profile);
    memcpy(profile.label, label, strlen(label));
    profile.label_size = strlen(label);
    for (int i = 0; i < 2; i++) {
        memcpy(profile.prelude[i], preludes[i].data, preludes[i].size);
        profile.prelude_size[i] = preludes[i].size;
        bytes_free(&preludes[i]);
    }
    profile.rotate_frames = params[2];
    profile.rotate_blocks = params[3];
    assert_int_equal(duet_config_set_profile(party->config, &profile), DUET_OK);
}

static void
set_identity(struct party *party, const json_t *one, const char *secret, const char *shown)
{
    struct bytes private_key = bytes_of(one, secret);
    duet_identity identity;

    if (private_key.size == DUET_KEY_SIZE) {
        memcpy(identity.private_key, private_key.data, DUET_KEY_SIZE);
        assert_int_equal(duet__x25519_public(identity.public_key, identity.private_key), DUET_OK);
        assert_bytes(one, shown, identity.public_key, DUET_KEY_SIZE);
        assert_int_equal(duet_config_set_identity(party->config, &identity), DUET_OK);
    }
    bytes_free(&private_key);
}

static void
configure(struct party *party, const json_t *one, const struct bytes *params)
{
    struct bytes secret = bytes_of(one, "W");

    party->config = duet_config_new();
    assert_non_null(party->config);
    assert_int_equal(duet_config_add_secret(party->config, secret.data, secret.size), DUET_OK);
    set_profile(party, one, params->data);
    uint64_t patterns = 1u << number_of(one, "pattern"), most = duet__load32(params->data + 4);
    assert_int_equal(duet_config_set(party->config, DUET_SET_PATTERNS, patterns), DUET_OK);
    assert_int_equal(duet_config_set(party->config, DUET_SET_MAX_PAYLOAD, most), DUET_OK);
    party->extensions.size = params->size - WIRE_PARAMS;
    party->extensions.data = malloc(params->size);
    memcpy(party->extensions.data, params->data + WIRE_PARAMS, party->extensions.size);
    party->config->extensions =
        (struct duet__bytes){party->extensions.data, party->extensions.size};
    bytes_free(&secret);
}

struct names {
    enum duet_role role;
    const char *params, *nonce, *ephemeral, *private_key, *public_key, *padding, *refresh;
};

static void
make(struct party *party, const json_t *one, const struct names *names)
{
    struct bytes params = bytes_of(one, names->params), nonce = bytes_of(one, names->nonce),
                 ephemeral = bytes_of(one, names->ephemeral);
    uint8_t random[DUET_RANDOM_SIZE] = {0};

    memset(party, 0, sizeof *party);
    configure(party, one, &params);
    set_identity(party, one, names->private_key, names->public_key);
    memcpy(random, nonce.data, nonce.size);
    memcpy(random + DUET_NONCE_SIZE, ephemeral.data, ephemeral.size);
    assert_int_equal(duet_session_new(&party->session, party->config, names->role, random,
                                      duet__load64(params.data + 8)),
                     DUET_OK);
    party->padding = bytes_of(one, names->padding);
    party->refresh = bytes_of(one, names->refresh);
    for (int i = 0; i < 2; i++)
        party->session->handshake->padding[i] =
            (struct duet__bytes){party->padding.data, party->padding.size};
    bytes_free(&params);
    bytes_free(&nonce);
    bytes_free(&ephemeral);
}

static void
unmake(struct party *party)
{
    duet_session_free(party->session);
    duet_config_free(party->config);
    bytes_free(&party->extensions);
    bytes_free(&party->padding);
    bytes_free(&party->refresh);
}

/* ---- Carrying bytes ---- */

static void
flush(struct party *from)
{
    size_t put;

    assert_int_equal(duet_session_flush(from->session, from->sent + from->sent_size,
                                        WIRE_MOST - from->sent_size, &put),
                     DUET_OK);
    from->sent_size += put;
}

static void
answer(struct party *to, const struct duet_step *step)
{
    if (step->event == DUET_EVENT_NONCE)
        assert_int_equal(duet_session_accept(to->session, 0), DUET_OK);
    if (step->event == DUET_EVENT_RANDOM)
        assert_int_equal(duet_session_answer(to->session, to->refresh.data), DUET_OK);
    if (step->event == DUET_EVENT_BEGIN)
        to->got_size = 0;
    to->got_size += step->put;
    if (step->event == DUET_EVENT_FRAME)
        to->code = step->code;
}

/** Give the peer what has been sent since the last time. */
static void
carry(struct party *from, struct party *to)
{
    while (from->carried < from->sent_size) {
        struct duet_step step = {.in = from->sent + from->carried,
                                 .in_size = from->sent_size - from->carried,
                                 .out = to->got + to->got_size,
                                 .out_size = WIRE_MOST - to->got_size};
        assert_int_equal(duet_session_recv(to->session, &step), DUET_OK);
        from->carried += step.used;
        answer(to, &step);
    }
}

static void
flush_and_carry(struct party *from, struct party *to)
{
    flush(from);
    carry(from, to);
}

static void
frame(struct party *from, struct party *to, uint32_t code, size_t n)
{
    struct bytes payload = payload_of(n);

    assert_int_equal(
        duet_session_send(from->session, from->sent + from->sent_size, code, payload.data, n),
        DUET_OK);
    from->sent_size += n + DUET_FRAME_OVERHEAD;
    carry(from, to);
    assert_int_equal(to->code, code);
    assert_int_equal(to->got_size, n);
    assert_memory_equal(to->got, payload.data, n);
    bytes_free(&payload);
}

/** A PAD frame with content, where duet_session_pad() gives zeros. */
static void
pad(struct party *from, size_t n)
{
    struct bytes payload = payload_of(n);
    uint8_t *at = from->sent + from->sent_size;
    size_t put;

    assert_int_equal(duet__cipher_seal_begin(&from->session->tx, at, WIRE_PAD, (uint32_t)n),
                     DUET_OK);
    assert_int_equal(
        duet__cipher_seal_piece(&from->session->tx, at + DUET_HEADER_SIZE, &put, payload.data, n),
        DUET_OK);
    duet__session_rotate_if_due(from->session, &from->session->tx);
    from->sent_size += n + DUET_FRAME_OVERHEAD;
    bytes_free(&payload);
}

/* ---- The story that every case tells ---- */

static void
handshake(struct pair *pair)
{
    duet_info info;

    for (int i = 0; i < 3; i++) {
        flush_and_carry(&pair->top, &pair->bottom);
        flush_and_carry(&pair->bottom, &pair->top);
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
        pad(top, 9);
    if (json_is_true(json_object_get(pair->one, "crossing_refresh"))) {
        struct bytes dropped = bytes_of(pair->one, "refresh_private_bottom_dropped");
        assert_int_equal(duet_session_refresh(bottom->session, dropped.data), DUET_OK);
        flush(bottom);
        bytes_free(&dropped);
    }
    assert_int_equal(duet_session_refresh(top->session, top->refresh.data), DUET_OK);
    flush(top);
    carry(bottom, top);
    carry(top, bottom);
    frame(bottom, top, 8, 3);
    flush_and_carry(bottom, top);
    flush_and_carry(top, bottom);
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
    frame(top, bottom, 0, 20);
    frame(bottom, top, 7, 100);
    refresh(pair);
    frame(top, bottom, 1, 40);
    frame(bottom, top, 2, 41);
    assert_int_equal(duet_session_close(top->session), DUET_OK);
    assert_int_equal(duet_session_close(bottom->session), DUET_OK);
    flush_and_carry(top, bottom);
    flush_and_carry(bottom, top);
    assert_bytes(pair->one, "top_sends", top->sent, top->sent_size);
    assert_bytes(pair->one, "bottom_sends", bottom->sent, bottom->sent_size);
    assert_party(top, pair->one);
    assert_party(bottom, pair->one);
    assert_int_equal(duet_session_end(top->session), DUET_CLOSED);
    assert_int_equal(duet_session_end(bottom->session), DUET_CLOSED);
}

static void
sessions(void **state)
{
    static const struct names top = {DUET_TOP,
                                     "params_top",
                                     "N_t",
                                     "ephemeral_top",
                                     "static_top",
                                     "static_top_public",
                                     "hello_padding_top",
                                     "refresh_private_top"};
    static const struct names bottom = {DUET_BOTTOM,
                                        "params_bottom",
                                        "N_b",
                                        "ephemeral_bottom",
                                        "static_bottom",
                                        "static_bottom_public",
                                        "hello_padding_bottom",
                                        "refresh_private_bottom"};
    static struct pair pair;
    json_t *root = vectors_load("handshake.json");
    const json_t *cases = json_object_get(root, "cases");
    size_t i;

    (void)state;
    assert_true(json_array_size(cases) > 0);
    json_array_foreach(cases, i, pair.one)
    {
        make(&pair.top, pair.one, &top);
        make(&pair.bottom, pair.one, &bottom);
        check_case(&pair);
        unmake(&pair.top);
        unmake(&pair.bottom);
    }
    json_decref(root);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sessions)};

    if (argc > 1)
        vectors_folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
