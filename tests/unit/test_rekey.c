/*
 * A cipher that is rekeyed goes on with its chain and its sequence number, and mixes in what both
 * ends know (docs/protocol.md §3 "The raw cipher"); and configurations made of files of each kind.
 */
#include "session/config.h"

#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t key[2][32] = {{1}, {2}}, block[2][16] = {{3}, {4}}, chain[32] = {5};
static const uint8_t material[DUET_MATERIAL_SIZE] = {6};

/** Carry one frame from tx to rx. Returns what opening it gives. */
static int
carry(duet_cipher *tx, duet_cipher *rx)
{
    uint8_t frame[9 + DUET_FRAME_OVERHEAD], out[9];
    uint32_t code, size;
    size_t put;

    assert_int_equal(duet_seal(tx, frame, (const uint8_t *)"plaintext", 9, 7), DUET_OK);
    int result = duet_cipher_open_header(rx, &code, &size, frame);
    if (result != DUET_OK)
        return result;
    assert_int_equal(code, 7);
    result = duet_cipher_open_piece(rx, out, &put, frame + DUET_HEADER_SIZE, 9 + DUET_MAC_SIZE);
    if (result == DUET_OK)
        assert_memory_equal(out, "plaintext", 9);
    return result;
}

static void
start(duet_cipher *tx, duet_cipher *rx)
{
    assert_int_equal(duet_cipher_init(tx, key[0], block[0], chain, 1, 100), DUET_OK);
    assert_int_equal(duet_cipher_init(rx, key[0], block[0], chain, 1, 100), DUET_OK);
    assert_int_equal(carry(tx, rx), DUET_OK);
    assert_int_equal(duet_cipher_rekey(tx, key[1], block[1], material), DUET_OK);
}

static void
rekeyed(void **state)
{
    duet_cipher tx, rx;

    (void)state;
    start(&tx, &rx);
    assert_int_equal(duet_cipher_rekey(&rx, key[1], block[1], material), DUET_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(carry(&tx, &rx), DUET_OK);
    assert_int_equal(duet_cipher_rekey(&tx, key[0], block[1], NULL), DUET_OK);
    assert_int_equal(duet_cipher_rekey(&rx, key[0], block[1], NULL), DUET_OK);
    assert_int_equal(carry(&tx, &rx), DUET_OK);

    start(&tx, &rx); /* one end leaves the material out: the chains differ */
    assert_int_equal(duet_cipher_rekey(&rx, key[1], block[1], NULL), DUET_OK);
    assert_int_equal(carry(&tx, &rx), DUET_E_FORGED);

    start(&tx, &rx); /* the number goes on: a new cipher under the same key does not fit */
    assert_int_equal(duet_cipher_init(&rx, key[1], block[1], chain, 1, 100), DUET_OK);
    assert_int_equal(carry(&tx, &rx), DUET_E_SEQUENCE);

    start(&tx, &rx); /* not rekeyed at all */
    assert_int_not_equal(carry(&tx, &rx), DUET_OK);
    assert_int_not_equal(duet_cipher_rekey(&rx, key[1], block[1], NULL), DUET_OK); /* it is dead */
}

static void
not_within_a_frame(void **state)
{
    uint8_t header[DUET_HEADER_SIZE], out[9 + DUET_MAC_SIZE];
    duet_cipher tx, rx;
    size_t put;

    (void)state;
    start(&tx, &rx);
    assert_int_equal(duet_cipher_seal_begin(&tx, header, 7, 9), DUET_OK);
    assert_int_equal(duet_cipher_rekey(&tx, key[0], block[1], NULL), DUET_E_MISUSE);
    assert_int_equal(duet_cipher_seal_piece(&tx, out, &put, (const uint8_t *)"plaintext", 9),
                     DUET_OK);
    duet_wipe(&tx, sizeof tx);
    assert_int_equal(duet_cipher_rekey(&tx, key[0], block[1], NULL), DUET_E_MISUSE);
}

/* ---- Files ---- */

static void
write_text(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void
files(void **state)
{
    static const char *const names[] = {"secret", "identity", "peers", "profile", "other"};
    char folder[] = "/tmp/duet-files-XXXXXX", text[200], public_key[DUET_KEY_TEXT_SIZE];
    duet_config *config = NULL;
    duet_key *identity;
    duet_key *secret;
    duet_where where;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, NULL, DUET_SECRET_DEFAULT, 0),
                     DUET_OK);
    assert_int_equal(duet_key_new(&identity, DUET_KIND_IDENTITY, NULL, 0, 0), DUET_OK);
    assert_int_equal(duet_key_save(secret, "secret", NULL, 0, &where), DUET_OK);
    assert_int_equal(duet_key_save(secret, "secret", NULL, 0, &where), DUET_E_IO);
    assert_non_null(strstr(where.reason, "never overwritten"));
    assert_int_equal(duet_key_save(identity, "identity", NULL, 0, NULL), DUET_OK);
    duet_key_text(public_key, duet_key_public_key(identity, 0));
    snprintf(text, sizeof text, "[Peer ann]\nPublicKey = %s\n", public_key);
    write_text("peers", text);
    write_text("profile", "[Profile]\nLabel = tests\n");
    write_text("other", "nothing of ours\n");
    assert_int_equal(duet_config_load(&config, "missing", &where), DUET_E_IO);
    assert_int_equal(duet_config_load(&config, "other", NULL), DUET_E_FORMAT);
    assert_null(config);
    for (int i = 0; i < 4; i++)
        assert_int_equal(duet_config_load(&config, names[i], &where), DUET_OK);
    assert_int_equal(config->count, 1);
    assert_memory_equal(config->psks[0].id, duet_key_id(secret), DUET_SECRET_ID_SIZE);
    assert_memory_equal(config->identity.public_key, duet_key_public_key(identity, 0),
                        DUET_KEY_SIZE);
    assert_int_equal(config->has_peers, 1);
    assert_int_equal(config->profile.label_size, 5);
    duet_key_free(secret);
    assert_int_equal(duet_key_load(&secret, DUET_KIND_SECRET, "peers", NULL, 0, &where),
                     DUET_E_FORMAT);
    assert_int_equal(where.found, DUET_KIND_PEERS);
    assert_null(secret);
    duet_key_free(identity);
    duet_config_free(config);
    for (int i = 0; i < 5; i++)
        assert_int_equal(unlink(names[i]), 0);
    assert_int_equal(chdir("/") + rmdir(folder), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rekeyed),
        cmocka_unit_test(not_within_a_frame),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
