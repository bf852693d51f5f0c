/*
 * The oracle of kernels: libcrypto alone. Its compression from a chain is a deprecated call, and
 * the only one; that is why the library itself does without.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "kernel/oracle.h"

#include "base/bytes.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { GROUP = 64, GUARD_BYTE = 0xa5 };

static uint32_t seed = 7;

void
oracle_draw(void *out, size_t size)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> 24);
    }
}

void
oracle_block(uint8_t block[16])
{
    uint8_t kind;

    oracle_draw(block, 16);
    oracle_draw(&kind, 1);
    if (kind % 4 == 1)
        memset(block + 8, 0xff, 7);
    if (kind % 4 == 3)
        memset(block, 0xff, 15);
}

void
oracle_ctr(const uint8_t key[32], const uint8_t block[16], const uint8_t *in, uint8_t *out,
           size_t size)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int put;

    assert_int_equal(EVP_EncryptInit_ex(context, EVP_aes_256_ctr(), NULL, key, block), 1);
    assert_int_equal(EVP_EncryptUpdate(context, out, &put, in, (int)size), 1);
    EVP_CIPHER_CTX_free(context);
}

void
oracle_compress(uint32_t chain[8], const uint8_t *in, size_t groups)
{
    SHA256_CTX context;

    SHA256_Init(&context);
    memcpy(context.h, chain, sizeof context.h);
    for (; groups > 0; groups--, in += GROUP)
        SHA256_Transform(&context, in);
    memcpy(chain, context.h, sizeof context.h);
}

void
oracle_hash(uint32_t chain[8], const uint8_t *in, size_t size)
{
    uint8_t tail[2 * GROUP] = {0};
    size_t rest = size % GROUP, groups = rest + 9 > GROUP ? 2 : 1;

    oracle_compress(chain, in, size / GROUP);
    if (rest > 0)
        memcpy(tail, in + (size - rest), rest);
    tail[rest] = 0x80;
    duet__store64(tail + groups * GROUP - 8, (uint64_t)size * 8);
    oracle_compress(chain, tail, groups);
}

void
oracle_guard(uint8_t *at, size_t size)
{
    memset(at - ORACLE_GUARD, GUARD_BYTE, ORACLE_GUARD);
    memset(at + size, GUARD_BYTE, ORACLE_GUARD);
}

void
oracle_assert_guards(const uint8_t *at, size_t size)
{
    uint8_t guard[ORACLE_GUARD];

    memset(guard, GUARD_BYTE, sizeof guard);
    assert_memory_equal(at - ORACLE_GUARD, guard, sizeof guard);
    assert_memory_equal(at + size, guard, sizeof guard);
}
