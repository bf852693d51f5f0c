/*
 * noise.json: published vectors of the Noise handshakes, transport messages included
 * (docs/protocol.md §4).
 */
#include "vectors/vectors.h"

#include "crypto/aead.h"
#include "crypto/x25519.h"
#include "handshake/noise.h"

#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MESSAGE = 1024 };

static const char *const names[] = {
    [DUET__NOISE_NN] = "Noise_NN_25519_AESGCM_SHA256",
    [DUET__NOISE_XX] = "Noise_XX_25519_AESGCM_SHA256",
    [DUET__NOISE_NNPSK0] = "Noise_NNpsk0_25519_AESGCM_SHA256",
    [DUET__NOISE_XXPSK3] = "Noise_XXpsk3_25519_AESGCM_SHA256",
};

static enum duet__noise_kind
kind_of(const char *name)
{
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return (enum duet__noise_kind)i;
    fail_msg("%s is not known", name);
    return DUET__NOISE_NN;
}

/** Copy a key of the vector's, where it has one. */
static void
set(uint8_t *key, const json_t *vector, const char *member)
{
    const json_t *list = json_object_get(vector, member);
    json_t *wrapped = json_array_size(list) > 0
                          ? json_pack("{s:O}", "x", json_array_get(list, 0))
                          : json_pack("{s:O*}", "x", json_object_get(vector, member));
    struct bytes bytes = bytes_of(wrapped, "x");

    if (bytes.size == DUET__NOISE_KEY)
        memcpy(key, bytes.data, bytes.size);
    bytes_free(&bytes);
    json_decref(wrapped);
}

static void
begin(struct duet__noise *noise, const json_t *vector, int initiator)
{
    const char *e = initiator ? "init_ephemeral" : "resp_ephemeral";
    const char *s = initiator ? "init_static" : "resp_static";
    const char *psk = initiator ? "init_psks" : "resp_psks";
    struct bytes prologue = bytes_of(vector, initiator ? "init_prologue" : "resp_prologue");

    memset(noise, 0, sizeof *noise);
    set(noise->e, vector, e);
    set(noise->s, vector, s);
    set(noise->psk, vector, psk);
    assert_int_equal(duet__x25519_public(noise->s_public, noise->s), DUET_OK);
    assert_int_equal(duet__noise_begin(noise, kind_of(text_of(vector, "protocol_name")), initiator,
                                       (struct duet__bytes){prologue.data, prologue.size}),
                     DUET_OK);
    bytes_free(&prologue);
}

static void
handshake_message(struct duet__noise *from, struct duet__noise *to, const json_t *message)
{
    uint8_t wire[MESSAGE];
    struct duet__writer writer = duet__writer(wire, sizeof wire);
    struct bytes payload = bytes_of(message, "payload");
    struct duet__bytes got;

    assert_int_equal(
        duet__noise_write(from, &writer, (struct duet__bytes){payload.data, payload.size}),
        DUET_OK);
    assert_bytes(message, "ciphertext", wire, writer.used);
    assert_int_equal(duet__noise_read(to, &got, wire, writer.used), DUET_OK);
    assert_int_equal(got.size, payload.size);
    assert_memory_equal(got.data, payload.data, payload.size);
    bytes_free(&payload);
}

static void
transport_message(const uint8_t *key, uint64_t n, const json_t *message)
{
    uint8_t wire[MESSAGE];
    struct duet__aead with = {key, n, {NULL, 0}};
    struct bytes payload = bytes_of(message, "payload");

    assert_int_equal(duet__aead_encrypt(&with, wire, payload.data, payload.size), DUET_OK);
    assert_bytes(message, "ciphertext", wire, payload.size + DUET__TAG);
    assert_int_equal(duet__aead_decrypt(&with, wire, wire, payload.size + DUET__TAG), DUET_OK);
    assert_memory_equal(wire, payload.data, payload.size);
    bytes_free(&payload);
}

static void
run(const json_t *vector)
{
    const json_t *messages = json_object_get(vector, "messages");
    struct duet__noise ends[2]; /* responder, initiator */
    uint8_t keys[2][DUET__NOISE_KEY];
    size_t i = 0;

    begin(&ends[1], vector, 1);
    begin(&ends[0], vector, 0);
    for (int turn = 1; !duet__noise_done(&ends[1]) || !duet__noise_done(&ends[0]); turn = !turn)
        handshake_message(&ends[turn], &ends[!turn], json_array_get(messages, i++));
    assert_bytes(vector, "handshake_hash", ends[0].h, sizeof ends[0].h);
    assert_bytes(vector, "handshake_hash", ends[1].h, sizeof ends[1].h);

    duet__noise_split(&ends[1], keys[0], keys[1]);
    size_t first = i;
    assert_true(json_array_size(messages) > first);
    for (; i < json_array_size(messages); i++) /* messages alternate, the initiator's are even */
        transport_message(keys[i % 2], (i - first) / 2, json_array_get(messages, i));
}

static void
published(void **state)
{
    json_t *root = vectors_load("noise.json");
    const json_t *vectors = json_object_get(root, "vectors"), *vector;
    size_t i;

    (void)state;
    assert_int_equal(duet_init(), DUET_OK);
    assert_int_equal(json_array_size(vectors), 4);
    json_array_foreach(vectors, i, vector) run(vector);
    json_decref(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(published)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
