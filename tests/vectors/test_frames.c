/*
 * frames.json and negative.json: the raw direction sealed and opened, byte for byte
 * (docs/protocol.md §1).
 */
#include "vectors/vectors.h"

#include "frame/cipher.h"

#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
start(duet_cipher *d, const json_t *state, uint32_t limit)
{
    struct bytes key = bytes_of(state, "K"), block = bytes_of(state, "C"),
                 chain = bytes_of(state, "H");
    uint32_t seq = (uint32_t)number_of(state, "seq");

    assert_int_equal(duet_cipher_init(d, key.data, block.data, chain.data, seq, limit), DUET_OK);
    bytes_free(&key);
    bytes_free(&block);
    bytes_free(&chain);
}

static void
assert_state(const duet_cipher *d, const json_t *state)
{
    const struct duet__cipher *dir = (const struct duet__cipher *)d;
    uint8_t chain[32];

    duet__chain_store(chain, dir->chain);
    assert_bytes(state, "C", dir->block, sizeof dir->block);
    assert_bytes(state, "H", chain, sizeof chain);
    assert_int_equal(dir->seq, number_of(state, "seq"));
}

static void
seal_and_open(duet_cipher *tx, duet_cipher *rx, const json_t *step)
{
    size_t n = number_of(step, "payload_len");
    uint32_t code = (uint32_t)number_of(step, "code"), code_out, len_out;
    struct bytes payload = payload_of(n);
    uint8_t *frame = malloc(n + DUET_FRAME_OVERHEAD);
    size_t put;

    assert_non_null(frame);
    assert_int_equal(duet_seal(tx, frame, payload.data, n, code), DUET_OK);
    assert_bytes(step, "wire", frame, n + DUET_FRAME_OVERHEAD);
    assert_state(tx, json_object_get(step, "after"));

    assert_int_equal(duet_cipher_open_header(rx, &code_out, &len_out, frame), DUET_OK);
    assert_int_equal(code_out, code);
    assert_int_equal(len_out, n);
    uint8_t *rest = frame + DUET_HEADER_SIZE;
    assert_int_equal(duet_cipher_open_piece(rx, rest, &put, rest, n + DUET_MAC_SIZE), DUET_OK);
    assert_int_equal(put, n);
    assert_memory_equal(rest, payload.data, n);
    assert_state(rx, json_object_get(step, "after"));
    free(frame);
    bytes_free(&payload);
}

static void
frames(void **state)
{
    json_t *root = vectors_load("frames.json");
    const json_t *cases = json_object_get(root, "cases"), *one, *step;
    size_t i, j;

    (void)state;
    assert_true(json_array_size(cases) > 0);
    json_array_foreach(cases, i, one)
    {
        duet_cipher tx, rx;
        start(&tx, json_object_get(one, "start"), UINT32_MAX);
        start(&rx, json_object_get(one, "start"), UINT32_MAX);
        json_array_foreach(json_object_get(one, "steps"), j, step) seal_and_open(&tx, &rx, step);
    }
    json_decref(root);
}

/** Open what came, as far as it goes; "ok", "incomplete" or the reason of a refusal. */
static const char *
verdict(duet_cipher *rx, const struct bytes *wire, uint8_t *out, size_t *put)
{
    uint32_t code, len = 0;

    *put = 0;
    if (wire->size < DUET_HEADER_SIZE)
        return "incomplete";
    int result = duet_cipher_open_header(rx, &code, &len, wire->data);
    size_t frame = (size_t)len + DUET_FRAME_OVERHEAD; /* what follows it is the next frame's */
    size_t end = wire->size < frame ? wire->size : frame;
    if (result == DUET_OK)
        result = duet_cipher_open_piece(rx, out, put, wire->data + DUET_HEADER_SIZE,
                                        end - DUET_HEADER_SIZE);
    switch (result) {
    case DUET_OK:
        return "ok";
    case DUET_AGAIN:
        return "incomplete";
    case DUET_E_CHECKSUM:
        return "checksum";
    case DUET_E_SEQUENCE:
        return "sequence";
    case DUET_E_TOO_LONG:
        return "length";
    case DUET_E_FORGED:
        return "mac";
    default:
        return "another";
    }
}

static void
negative(void **state)
{
    json_t *root = vectors_load("negative.json");
    const json_t *cases = json_object_get(root, "cases"), *one;
    size_t i, put;

    (void)state;
    assert_true(json_array_size(cases) > 0);
    json_array_foreach(cases, i, one)
    {
        duet_cipher rx;
        struct bytes wire = bytes_of(one, "wire");
        uint8_t *out = malloc(wire.size + 1);
        const char *expected = text_of(one, "expect");

        start(&rx, json_object_get(one, "start"), (uint32_t)number_of(one, "limit"));
        const char *got = verdict(&rx, &wire, out, &put);
        if (strncmp(got, expected, strlen(got)) != 0)
            fail_msg("%s: %s where %s was expected", text_of(one, "name"), got, expected);
        if (strcmp(got, "ok") == 0) {
            struct bytes payload = payload_of(number_of(one, "payload_len"));
            assert_int_equal(put, payload.size);
            assert_memory_equal(out, payload.data, put);
            bytes_free(&payload);
        }
        free(out);
        bytes_free(&wire);
    }
    json_decref(root);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames),
        cmocka_unit_test(negative),
    };

    if (argc > 1)
        vectors_folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
