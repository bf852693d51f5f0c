/*
 * The two parties of the vectors (see party.h).
 */
#include "vectors/party.h"

#include "crypto/x25519.h"
#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const struct names party_top = {
    .role = DUET_TOP,
    .params = "params_top",
    .nonce = "N_t",
    .ephemeral = "ephemeral_top",
    .private_key = "static_top",
    .public_key = "static_top_public",
    .padding = "hello_padding_top",
    .opening = "opening_top",
    .refresh = "refresh_private_top",
    .kem = "kem_top",
    .kem_random = "kem_seed_top",
};

const struct names party_bottom = {
    .role = DUET_BOTTOM,
    .params = "params_bottom",
    .nonce = "N_b",
    .ephemeral = "ephemeral_bottom",
    .private_key = "static_bottom",
    .public_key = "static_bottom_public",
    .padding = "hello_padding_bottom",
    .opening = "opening_bottom",
    .refresh = "refresh_private_bottom",
    .kem = "kem_bottom",
    .kem_random = "kem_m_bottom",
};

/* ---- Making both parties as the case says ---- */

static void
set_profile(struct party *party, const json_t *one, const uint8_t *params)
{
    static struct duet__profile profile;
    struct bytes preludes[2] = {bytes_of(one, "prelude_top"), bytes_of(one, "prelude_bottom")};
    const char *label = json_string_value(json_object_get(one, "label"));

    duet__profile_init(&profile);
    profile.hello_least = profile.hello_most = 0;
    profile.label_size = label != NULL ? strlen(label) : 0;
    if (profile.label_size > 0)
        memcpy(profile.label, label, profile.label_size);
    for (int i = 0; i < 2; i++) {
        if (preludes[i].size > 0)
            memcpy(profile.prelude[i], preludes[i].data, preludes[i].size);
        profile.prelude_size[i] = preludes[i].size;
        bytes_free(&preludes[i]);
    }
    if (json_object_get(one, "dialect") != NULL) {
        profile.dialect = 1;
        profile.first_given = 1; /* none: cases hold no filled writes */
    }
    if (params != NULL) {
        profile.rotate_frames = params[2];
        profile.rotate_blocks = params[3];
    }
    assert_int_equal(duet__config_set_profile(party->config, &profile), DUET_OK);
}

static void
set_identity(struct party *party, const json_t *one, const char *secret, const char *shown)
{
    struct bytes private_key = bytes_of(one, secret);
    struct duet__identity identity;

    if (private_key.size == DUET_KEY_SIZE) {
        memcpy(identity.private_key, private_key.data, DUET_KEY_SIZE);
        assert_int_equal(duet__x25519_public(identity.public_key, identity.private_key), DUET_OK);
        if (json_object_get(one, shown) != NULL)
            assert_bytes(one, shown, identity.public_key, DUET_KEY_SIZE);
        assert_int_equal(duet__config_set_identity(party->config, &identity), DUET_OK);
    }
    bytes_free(&private_key);
}

/** The setting of a party; OFF in files that know none. */
static enum duet_hybrid
hybrid_of(const json_t *one, const struct names *names)
{
    const char *text = json_string_value(json_object_get(one, names->kem));

    if (text == NULL || strcmp(text, "off") == 0)
        return DUET_HYBRID_OFF;
    return strcmp(text, "require") == 0 ? DUET_HYBRID_REQUIRE : DUET_HYBRID_OFFER;
}

/** Give the party the extensions of its params, but for the `kem` that it writes itself. */
static void
set_extensions(struct party *party, const struct bytes *params, int writes_kem)
{
    size_t at = WIRE_PARAMS, end;

    for (int i = 0; i < 2; i++) {
        party->extensions[i].data = malloc(params->size + 1);
        party->extensions[i].size = 0;
    }
    for (int i = 0; at + 4 <= params->size; at = end) {
        end = at + 4 + duet__load16(params->data + at + 2);
        assert_true(end <= params->size);
        if (writes_kem && duet__load16(params->data + at) == WIRE_EXTENSION_KEM) {
            i = 1;
            continue;
        }
        struct bytes *to = &party->extensions[i];
        memcpy(to->data + to->size, params->data + at, end - at);
        to->size += end - at;
    }
    for (int i = 0; i < 2; i++)
        party->config->extensions[i] =
            (struct duet__bytes){party->extensions[i].data, party->extensions[i].size};
}

static void
configure(struct party *party, const json_t *one, const struct names *names,
          const struct bytes *params)
{
    struct bytes secret = bytes_of(one, "W");
    uint64_t pattern = number_of(one, "pattern");
    enum duet_hybrid hybrid = hybrid_of(one, names);

    party->config = duet_config_new();
    assert_non_null(party->config);
    assert_int_equal(duet__config_add_secret(party->config, secret.data, secret.size, 0), DUET_OK);
    set_profile(party, one, params->size > 0 ? params->data : NULL);
    assert_int_equal(duet_config_set(party->config, DUET_SET_PATTERNS, 1u << pattern), DUET_OK);
    assert_int_equal(duet_config_set(party->config, DUET_SET_HYBRID, hybrid), DUET_OK);
    if (params->size > 0) {
        uint64_t most = duet__load32(params->data + 4);
        assert_int_equal(duet_config_set(party->config, DUET_SET_MAX_PAYLOAD, most), DUET_OK);
        set_extensions(party, params, hybrid != DUET_HYBRID_OFF && pattern != DUET_PATTERN_SECRET);
    }
    bytes_free(&secret);
}

/** Copy a member's bytes to where they belong. */
static void
copy_member(uint8_t *to, size_t size, const json_t *one, const char *member)
{
    struct bytes bytes = bytes_of(one, member);

    assert_true(bytes.size <= size);
    if (bytes.size > 0)
        memcpy(to, bytes.data, bytes.size);
    bytes_free(&bytes);
}

void
party_fresh(uint8_t fresh[DUET_FRESH_SIZE], const json_t *one, const char *private_key,
            const char *kem)
{
    memset(fresh, 0, DUET_FRESH_SIZE);
    copy_member(fresh, WIRE_KEY, one, private_key);
    copy_member(fresh + WIRE_KEY, DUET_FRESH_SIZE - WIRE_KEY, one, kem);
}

void
party_make(struct party *party, const json_t *one, const struct names *names)
{
    const size_t kem = DUET_RANDOM_SIZE - DUET__MLKEM_SEED;
    struct bytes params = bytes_of(one, names->params);
    uint8_t random[DUET_RANDOM_SIZE] = {0};

    memset(party, 0, sizeof *party);
    configure(party, one, names, &params);
    set_identity(party, one, names->private_key, names->public_key);
    copy_member(random, DUET_NONCE_SIZE, one, names->nonce);
    copy_member(random + DUET_NONCE_SIZE, WIRE_KEY, one, names->ephemeral);
    copy_member(random + kem, DUET__MLKEM_SEED, one, names->kem_random);
    assert_int_equal(duet_session_new(&party->session, party->config, names->role, random,
                                      params.size > 0 ? duet__load64(params.data + 8) : 0),
                     DUET_OK);
    party->padding = bytes_of(one, names->padding);
    party->opening = bytes_of(one, names->opening);
    if (party->opening.size > 0)
        party->session->handshake->opening =
            (struct duet__bytes){party->opening.data, party->opening.size};
    party_fresh(party->fresh, one, names->refresh, "");
    for (int i = 0; i < 2; i++)
        party->session->handshake->padding[i] =
            (struct duet__bytes){party->padding.data, party->padding.size};
    bytes_free(&params);
}

void
party_unmake(struct party *party)
{
    duet_session_free(party->session);
    duet_config_free(party->config);
    bytes_free(&party->extensions[0]);
    bytes_free(&party->extensions[1]);
    bytes_free(&party->padding);
    bytes_free(&party->opening);
}

/* ---- Carrying bytes ---- */

void
party_flush(struct party *from)
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
        assert_int_equal(duet_session_refresh(to->session, to->fresh), DUET_OK);
    if (step->event == DUET_EVENT_BEGIN)
        to->got_size = 0;
    to->got_size += step->put;
    if (step->event == DUET_EVENT_FRAME)
        to->code = step->code;
}

/** Give the peer what has been sent since the last time. */
void
party_carry(struct party *from, struct party *to)
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

void
party_flush_and_carry(struct party *from, struct party *to)
{
    party_flush(from);
    party_carry(from, to);
}

void
party_frame(struct party *from, struct party *to, uint32_t code, size_t n)
{
    struct bytes payload = payload_of(n);

    assert_int_equal(
        duet_session_send(from->session, from->sent + from->sent_size, code, payload.data, n),
        DUET_OK);
    from->sent_size += n + DUET_FRAME_OVERHEAD;
    party_carry(from, to);
    assert_int_equal(to->code, code);
    assert_int_equal(to->got_size, n);
    assert_memory_equal(to->got, payload.data, n);
    bytes_free(&payload);
}

/** A PAD frame with content, where duet_session_pad() gives zeros. */
void
party_pad(struct party *from, size_t n)
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
