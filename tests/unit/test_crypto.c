/*
 * SHA-256, HMAC, HKDF, X25519 and AES-GCM against libcrypto and the vectors of their RFCs
 * (docs/protocol.md §2, §3, §4).
 */
#include "crypto/aead.h"
#include "crypto/x25519.h"
#include "wire/wire.h"

#include <duet/duet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LONG = 9000 };
static uint8_t data[LONG];

static int
set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < LONG; i++)
        data[i] = (uint8_t)(i * i + 31 * i + (i >> 7));
    return duet_init();
}

static void
unhex(uint8_t *out, const char *hex)
{
    for (; *hex != 0; hex += 2) {
        char two[3] = {hex[0], hex[1], 0};
        *out++ = (uint8_t)strtoul(two, NULL, 16);
    }
}

static void
sha256_of_every_length(void **state)
{
    uint8_t mine[32], theirs[32];
    unsigned size;

    (void)state;
    for (size_t n = 0; n < LONG; n += n < 300 ? 1 : 97) {
        duet__sha256(mine, data, n);
        assert_int_equal(EVP_Digest(data, n, theirs, &size, EVP_sha256(), NULL), 1);
        assert_memory_equal(mine, theirs, 32);
    }
}

static void
sha256_in_pieces(void **state)
{
    uint8_t whole[32], pieces[32];
    uint32_t chain[8];
    struct duet__sha256 hash;

    (void)state;
    for (size_t cut = 0; cut <= 200; cut++) {
        duet__sha256(whole, data, 200);
        duet__sha256_begin(&hash, duet__sha256_initial);
        duet__sha256_update(&hash, data, cut);
        duet__sha256_update(&hash, data + cut, 200 - cut);
        duet__sha256_end(&hash, chain);
        duet__chain_store(pieces, chain);
        assert_memory_equal(whole, pieces, 32);
        duet__chain_load(chain, pieces);
        duet__chain_store(whole, chain);
        assert_memory_equal(whole, pieces, 32);
    }
}

static void
hmac_of_every_key(void **state)
{
    uint8_t mine[32], theirs[32];
    unsigned size;

    (void)state;
    for (size_t n = 0; n < 200; n++) {
        struct duet__hmac_key key;
        struct duet__hmac mac;
        duet__hmac_set_key(&key, data + n, n);
        duet__hmac_begin(&mac, &key);
        duet__hmac_update(&mac, data, 3 * n);
        duet__hmac_end(&mac, mine);
        assert_non_null(HMAC(EVP_sha256(), data + n, (int)n, data, 3 * n, theirs, &size));
        assert_memory_equal(mine, theirs, 32);
    }
}

/* RFC 5869, A.1 to A.3 */
static void
hkdf_vectors(void **state)
{
    static const struct {
        const char *ikm, *salt, *info, *prk, *okm;
    } cases[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
         "f0f1f2f3f4f5f6f7f8f9", "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
         "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        uint8_t ikm[80], salt[80], info[80], prk[32], okm[82], expected[82];
        struct duet__bytes s = {salt, strlen(cases[i].salt) / 2};
        struct duet__bytes k = {ikm, strlen(cases[i].ikm) / 2};
        size_t n = strlen(cases[i].okm) / 2, size = strlen(cases[i].info) / 2;
        unhex(ikm, cases[i].ikm);
        unhex(salt, cases[i].salt);
        unhex(info, cases[i].info);
        duet__hkdf_extract(prk, s, k);
        unhex(expected, cases[i].prk);
        assert_memory_equal(prk, expected, 32);
        unhex(expected, cases[i].okm);
        for (size_t cut = 0; cut <= size; cut++) { /* info in one part or two */
            duet__hkdf_expand(prk, (struct duet__bytes){info, cut},
                              (struct duet__bytes){info + cut, size - cut}, okm, n);
            assert_memory_equal(okm, expected, n);
        }
    }
}

/** Outputs of several blocks, over info of every size up to beyond what is laid out, against
 * libcrypto's HMAC. */
static void
hkdf_of_every_info(void **state)
{
    uint8_t prk[32], info[300], okm[100], block[32], message[32 + 300 + 1];

    (void)state;
    for (size_t i = 0; i < sizeof info; i++)
        info[i] = (uint8_t)(i * 7 + 1);
    memcpy(prk, info + 100, sizeof prk);
    for (size_t size = 0; size <= sizeof info; size++) {
        size_t before = 0, n = 1 + size % sizeof okm;
        duet__hkdf_expand(prk, (struct duet__bytes){info, size / 3},
                          (struct duet__bytes){info + size / 3, size - size / 3}, okm, n);
        for (size_t at = 0; at < n; at += sizeof block) {
            memcpy(message, block, before);
            memcpy(message + before, info, size);
            message[before + size] = (uint8_t)(1 + at / sizeof block);
            HMAC(EVP_sha256(), prk, sizeof prk, message, before + size + 1, block, NULL);
            before = sizeof block;
            assert_memory_equal(okm + at, block, n - at < 32 ? n - at : 32);
        }
    }
}

static void
info_text(void **state)
{
    uint8_t label[32];
    struct duet__info info;

    (void)state;
    memset(label, 0xab, sizeof label);
    info = duet__info("epoch", label);
    assert_int_equal(info.size, 7 + 5 + 1 + 32);
    assert_memory_equal(info.bytes, "duet/1 epoch", 13);
    assert_memory_equal(info.bytes + 13, label, 32);
}

/* RFC 7748 §6.1, and the points of small order */
static void
x25519_vectors(void **state)
{
    uint8_t a[32], b[32], a_public[32], b_public[32], shared[32], expected[32];
    const struct duet__x25519_pair mine = {a, a_public}, other = {b, b_public};

    (void)state;
    unhex(a, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    assert_int_equal(duet__x25519_public(a_public, a), DUET_OK);
    unhex(expected, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    assert_memory_equal(a_public, expected, 32);
    unhex(b_public, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    assert_int_equal(duet__x25519(shared, &mine, b_public), DUET_OK);
    unhex(expected, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_memory_equal(shared, expected, 32);
    for (size_t i = 0; i < 32; i++) {
        a[i] = (uint8_t)(i + 1);
        b[i] = (uint8_t)(77 * i + 5);
    }
    assert_int_equal(duet__x25519_public(a_public, a), DUET_OK);
    assert_int_equal(duet__x25519_public(b_public, b), DUET_OK);
    assert_int_equal(duet__x25519(shared, &mine, b_public), DUET_OK);
    assert_int_equal(duet__x25519(expected, &other, a_public), DUET_OK);
    assert_memory_equal(shared, expected, 32);

    uint8_t small[32] = {0};
    assert_int_equal(duet__x25519(shared, &mine, small), DUET_E_PROTOCOL);
    small[0] = 1;
    assert_int_equal(duet__x25519(shared, &mine, small), DUET_E_PROTOCOL);
    unhex(small, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
    assert_int_equal(duet__x25519(shared, &mine, small), DUET_E_PROTOCOL);
}

static void
aead(void **state)
{
    uint8_t key[32], sealed[100 + DUET__TAG], opened[100];

    (void)state;
    memset(key, 3, sizeof key);
    for (size_t n = 0; n <= 100; n += 25) {
        struct duet__aead with = {key, 0x0102030405060708u, {data, n}};
        assert_int_equal(duet__aead_encrypt(&with, sealed, data, n), DUET_OK);
        assert_int_equal(duet__aead_decrypt(&with, opened, sealed, n + DUET__TAG), DUET_OK);
        assert_memory_equal(opened, data, n);
        for (size_t i = 0; i < n + DUET__TAG; i++) {
            sealed[i] ^= 1;
            memset(opened, 1, sizeof opened);
            assert_int_equal(duet__aead_decrypt(&with, opened, sealed, n + DUET__TAG),
                             DUET_E_FORGED);
            for (size_t k = 0; k < n; k++)
                assert_int_equal(opened[k], 0);
            sealed[i] ^= 1;
        }
        with.n++;
        assert_int_equal(duet__aead_decrypt(&with, opened, sealed, n + DUET__TAG), DUET_E_FORGED);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of_every_length), cmocka_unit_test(sha256_in_pieces),
        cmocka_unit_test(hmac_of_every_key),      cmocka_unit_test(hkdf_vectors),
        cmocka_unit_test(hkdf_of_every_info),     cmocka_unit_test(info_text),
        cmocka_unit_test(x25519_vectors),         cmocka_unit_test(aead),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
