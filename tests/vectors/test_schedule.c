/*
 * schedule.json: a preset session's directions: start, rotation by count and by ROTATE, fresh,
 * receipt (docs/protocol.md §3).
 */
#include "vectors/vectors.h"

#include "session/session.h"

#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
assert_state(const struct duet__cipher *dir, const json_t *state)
{
    uint8_t chain[32];
    struct bytes key = bytes_of(state, "K");
    struct duet__key expected;

    memset(&expected, 0, sizeof expected);
    duet__kernel()->set_key(&expected, key.data);
    assert_memory_equal(&dir->key, &expected, sizeof expected);
    duet__chain_store(chain, dir->chain);
    assert_bytes(state, "C", dir->block, sizeof dir->block);
    assert_bytes(state, "H", chain, sizeof chain);
    assert_int_equal(dir->seq, number_of(state, "seq"));
    bytes_free(&key);
}

/** The decision after a frame (§3); CLOSE neither rotates nor, here, ends the direction. */
static void
pass(struct duet_session *s, struct duet__cipher *d, const json_t *step)
{
    static const struct duet__bytes nothing = {NULL, 0};
    uint32_t code = (uint32_t)number_of(step, "code");

    if (code == WIRE_ROTATE)
        duet__session_rotate(s, d, nothing);
    else if (code != WIRE_CLOSE)
        duet__session_rotate_if_due(s, d);
    assert_state(d, json_object_get(step, "after"));
}

static void
frame_step(struct duet_session *tx, struct duet_session *rx, const json_t *step)
{
    size_t n = number_of(step, "payload_len"), put;
    uint32_t code = (uint32_t)number_of(step, "code");
    struct bytes payload = payload_of(n);
    uint8_t *frame = malloc(n + DUET_FRAME_OVERHEAD), *rest = frame + DUET_HEADER_SIZE;

    assert_non_null(frame);
    assert_int_equal(duet__cipher_seal_begin(&tx->tx, frame, code, (uint32_t)n), DUET_OK);
    assert_int_equal(duet__cipher_seal_piece(&tx->tx, rest, &put, payload.data, n), DUET_OK);
    assert_bytes(step, "wire", frame, n + DUET_FRAME_OVERHEAD);
    assert_int_equal(duet__cipher_open_header(&rx->rx, frame), DUET_OK);
    assert_int_equal(rx->rx.code, code);
    assert_int_equal(duet__cipher_open_piece(&rx->rx, rest, &put, rest, n + DUET_MAC_SIZE),
                     DUET_OK);
    assert_memory_equal(rest, payload.data, n);
    pass(tx, &tx->tx, step);
    pass(rx, &rx->rx, step);
    free(frame);
    bytes_free(&payload);
}

static void
fresh_step(struct duet_session *tx, struct duet_session *rx, const json_t *step)
{
    struct bytes fresh = bytes_of(step, "rotate_fresh");
    struct duet__bytes bytes = {fresh.data, fresh.size};

    duet__session_rotate(tx, &tx->tx, bytes);
    duet__session_rotate(rx, &rx->rx, bytes);
    assert_state(&tx->tx, json_object_get(step, "after"));
    assert_state(&rx->rx, json_object_get(step, "after"));
    bytes_free(&fresh);
}

/** All that one party sends. */
static void
direction(const json_t *one, const char *name, struct duet_session *tx, struct duet_session *rx)
{
    char member[32];
    const json_t *step;
    uint8_t receipt[DUET_RECEIPT_SIZE];
    size_t i;

    snprintf(member, sizeof member, "%s_start", name);
    assert_state(&tx->tx, json_object_get(one, member));
    assert_state(&rx->rx, json_object_get(one, member));
    assert_true(json_array_size(json_object_get(one, name)) > 0);
    json_array_foreach(json_object_get(one, name), i, step)
    {
        if (json_object_get(step, "rotate_fresh") != NULL)
            fresh_step(tx, rx, step);
        else
            frame_step(tx, rx, step);
    }
    snprintf(member, sizeof member, "%s_receipt", name);
    duet__session_close(tx, (enum duet_role)tx->role, &tx->tx);
    assert_int_equal(duet_session_receipt(tx, receipt, (enum duet_role)tx->role), DUET_OK);
    assert_bytes(one, member, receipt, sizeof receipt);
}

static duet_config *
config_of(const json_t *one)
{
    static struct duet__profile profile;
    duet_config *config = duet_config_new();
    struct bytes secret = bytes_of(one, "secret");
    const char *label = text_of(one, "label");

    memset(&profile, 0, sizeof profile);
    memcpy(profile.label, label, strlen(label));
    profile.label_size = strlen(label);
    profile.rotate_frames = (unsigned)number_of(one, "rotate_frames");
    profile.rotate_blocks = (unsigned)number_of(one, "rotate_blocks");
    assert_non_null(config);
    assert_int_equal(duet__config_set_profile(config, &profile), DUET_OK);
    assert_int_equal(duet__config_add_secret(config, secret.data, secret.size, 0), DUET_OK);
    bytes_free(&secret);
    return config;
}

static void
schedule(void **state)
{
    json_t *root = vectors_load("schedule.json");
    const json_t *cases = json_object_get(root, "cases"), *one;
    size_t i;

    (void)state;
    assert_true(json_array_size(cases) > 0);
    json_array_foreach(cases, i, one)
    {
        duet_config *config = config_of(one);
        struct bytes salt = bytes_of(one, "salt");
        duet_session *top, *bottom;
        assert_int_equal(duet_session_new_preset(&top, config, DUET_TOP, salt.data, salt.size),
                         DUET_OK);
        assert_int_equal(
            duet_session_new_preset(&bottom, config, DUET_BOTTOM, salt.data, salt.size), DUET_OK);
        direction(one, "top", top, bottom);
        direction(one, "bottom", bottom, top);
        duet_session_free(top);
        duet_session_free(bottom);
        duet_config_free(config);
        bytes_free(&salt);
    }
    json_decref(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(schedule)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
