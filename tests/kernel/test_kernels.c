/*
 * Every kernel against libcrypto: AES-256-CTR and SHA-256 from a chain, for each number of groups,
 * each alignment, in place and not, with guard octets around (docs/protocol.md §1).
 */
#include "kernel/kernel.h"

#include "base/octets.h"
#include "crypto/sha256.h"

#include <duet/duet.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GROUP = 64, MOST = 66, GUARD = 64, ROOM = MOST * GROUP + 2 * GUARD + 16 };

static uint8_t plain[ROOM], expected[ROOM], got[ROOM];
static uint32_t seed = 7;

static void
draw(uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525u + 1013904223u;
        out[i] = (uint8_t)(seed >> 24);
    }
}

static void
libcrypto_ctr(const uint8_t *key, const uint8_t *block, const uint8_t *in, uint8_t *out,
              size_t size)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int put;

    assert_int_equal(EVP_EncryptInit_ex(context, EVP_aes_256_ctr(), NULL, key, block), 1);
    assert_int_equal(EVP_EncryptUpdate(context, out, &put, in, (int)size), 1);
    EVP_CIPHER_CTX_free(context);
}

/** The guard octets on both sides are untouched. */
static void
assert_guards(const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(at[-1 - (long)i], 0xa5);
        assert_int_equal(at[size + i], 0xa5);
    }
}

static void
one(const struct duet__kernel *kernel, size_t groups, size_t align, int in_place)
{
    uint8_t raw[32], block[16];
    struct duet__key key;
    uint32_t begin[8], mine[8], theirs[8];
    size_t size = groups * GROUP;
    uint8_t *in = plain + GUARD + align, *out = got + GUARD + (in_place ? align : 15 - align);

    draw(raw, sizeof raw);
    draw(block, sizeof block);
    draw((uint8_t *)begin, sizeof begin);
    draw(in, size);
    kernel->set_key(&key, raw);
    libcrypto_ctr(raw, block, in, expected, size);
    memcpy(theirs, begin, sizeof begin);
    duet__kernel_portable.compress(theirs, in, groups);

    memset(got, 0xa5, sizeof got);
    if (in_place)
        memcpy(out, in, size);
    memcpy(mine, begin, sizeof begin);
    assert_int_equal(kernel->seal(&key, block, mine, out, in_place ? out : in, groups), 0);
    assert_memory_equal(out, expected, size);
    assert_memory_equal(mine, theirs, sizeof mine);
    assert_guards(out, size);

    memcpy(mine, begin, sizeof begin);
    assert_int_equal(kernel->open(&key, block, mine, out, in_place ? out : expected, groups), 0);
    assert_memory_equal(out, in, size);
    assert_memory_equal(mine, theirs, sizeof mine);
    assert_guards(out, size);

    memcpy(mine, begin, sizeof begin);
    kernel->compress(mine, in, groups);
    assert_memory_equal(mine, theirs, sizeof mine);
}

static void
stream(const struct duet__kernel *kernel)
{
    uint8_t raw[32], block[16], zeros[GROUP] = {0}, out[GROUP], theirs[GROUP];
    struct duet__key key;

    for (int i = 0; i < 50; i++) {
        draw(raw, sizeof raw);
        draw(block, sizeof block);
        if (i < 20) /* carries through the whole counter */
            memset(block + i % 16, 0xff, 16 - (size_t)i % 16);
        kernel->set_key(&key, raw);
        libcrypto_ctr(raw, block, zeros, theirs, sizeof zeros);
        assert_int_equal(kernel->keystream(&key, block, out), 0);
        assert_memory_equal(out, theirs, sizeof out);
    }
}

/** SHA-256 of libcrypto by our compression: the initial value, and padding by hand. */
static void
sha256(const struct duet__kernel *kernel)
{
    uint8_t text[MOST * GROUP], digest[32], theirs[32];
    uint32_t chain[8];
    unsigned size;

    for (size_t groups = 1; groups <= MOST; groups++) {
        size_t n = groups * GROUP - 9;
        draw(text, n);
        text[n] = 0x80;
        duet__store64(text + n + 1, 8 * n);
        memcpy(chain, duet__sha256_initial, sizeof chain);
        kernel->compress(chain, text, groups);
        duet__chain_store(digest, chain);
        assert_int_equal(EVP_Digest(text, n, theirs, &size, EVP_sha256(), NULL), 1);
        assert_memory_equal(digest, theirs, 32);
    }
}

static void
every_kernel(void **state)
{
    const struct duet__kernel *kernel;

    (void)state;
    assert_int_equal(duet_init(), DUET_OK);
    for (size_t k = 0; (kernel = duet__kernel_at(k)) != NULL; k++) {
        print_message("kernel %s\n", kernel->name);
        sha256(kernel);
        stream(kernel);
        for (size_t groups = 0; groups <= MOST - 1; groups++)
            for (size_t align = 0; align < 16; align++)
                for (int in_place = 0; in_place < 2; in_place++)
                    one(kernel, groups, align, in_place);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kernel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
