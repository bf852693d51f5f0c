/*
 * More calls at once in libcrypto's lent contexts and keys than there are of these, and a fork while
 * all are busy: they stay so in the child, which makes its own and waits for nobody.
 *
 * A call within a call, as deep as it takes, stands for so many threads.
 */
#include "crypto/aead.h"
#include "crypto/x25519.h"
#include "kernel/kernel.h"
#include "kernel/pool.h"

#include <duet/duet.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEEP = DUET__POOL_SIZE + 4, SECONDS = 100 /* after which a call hangs */ };

static int (*call)(void); /* what is called within itself: 0, or -1 when its answer is wrong */
static int depth;         /* calls that are under way */
static int wrong;         /* of those within */
static int forked;        /* the child's exit status */

int __real_EVP_PKEY_derive(EVP_PKEY_CTX *context, unsigned char *out, size_t *size);
int __wrap_EVP_PKEY_derive(EVP_PKEY_CTX *context, unsigned char *out, size_t *size);
int __real_EVP_EncryptUpdate(EVP_CIPHER_CTX *context, unsigned char *out, int *put,
                             const unsigned char *in, int size);
int __wrap_EVP_EncryptUpdate(EVP_CIPHER_CTX *context, unsigned char *out, int *put,
                             const unsigned char *in, int size);
int __real_EVP_CipherFinal_ex(EVP_CIPHER_CTX *context, unsigned char *out, int *put);
int __wrap_EVP_CipherFinal_ex(EVP_CIPHER_CTX *context, unsigned char *out, int *put);

/** The same call once more, within this one; the last of them in a child of this process. */
static void
go_deeper(void)
{
    if (call == NULL || depth > DEEP)
        return;
    if (depth++ < DEEP) {
        wrong |= call();
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        _exit(call() == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &forked, 0), child);
}

int
__wrap_EVP_PKEY_derive(EVP_PKEY_CTX *context, unsigned char *out, size_t *size)
{
    go_deeper();
    return __real_EVP_PKEY_derive(context, out, size);
}

int
__wrap_EVP_EncryptUpdate(EVP_CIPHER_CTX *context, unsigned char *out, int *put,
                         const unsigned char *in, int size)
{
    go_deeper();
    return __real_EVP_EncryptUpdate(context, out, put, in, size);
}

int
__wrap_EVP_CipherFinal_ex(EVP_CIPHER_CTX *context, unsigned char *out, int *put)
{
    go_deeper();
    return __real_EVP_CipherFinal_ex(context, out, put);
}

static void
all_at_once(int (*what)(void))
{
    call = what;
    depth = 0;
    wrong = 0;
    forked = -1;
    alarm(SECONDS);
    assert_int_equal(what(), 0);
    alarm(0);
    call = NULL;
    assert_int_equal(wrong, 0);
    assert_int_equal(forked, 0);
    assert_int_equal(depth, DEEP + 1);
    assert_int_equal(what(), 0); /* and those that are lent are back */
}

/* FIPS 197, C.3: the block under this key, which CTR gives as keystream */
static int
stream(void)
{
    static const uint8_t right[16] = {0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67, 0x45, 0xbf,
                                      0xea, 0xfc, 0x49, 0x90, 0x4b, 0x49, 0x60, 0x89};
    uint8_t bytes[32], block[16], out[64];
    struct duet__key key;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (uint8_t)(i * 0x11);
    duet__kernel_portable.set_key(&key, bytes);
    if (duet__kernel_portable.keystream(&key, block, out) != 0)
        return -1;
    return memcmp(out, right, sizeof right) == 0 ? 0 : -1;
}

/* What the kernel's contexts do, those of AES-GCM do; sealed by one call, opened by another. */
static int
sealed_and_opened(void)
{
    static const uint8_t key[32] = {1}, ad[3] = {2};
    const struct duet__aead with = {key, 7, {ad, sizeof ad}};
    uint8_t text[8] = "bytes.", sealed[sizeof text + DUET__TAG];

    if (duet__aead_encrypt(&with, sealed, text, sizeof text) != DUET_OK ||
        duet__aead_decrypt(&with, sealed, sealed, sizeof sealed) != DUET_OK)
        return -1;
    return memcmp(sealed, text, sizeof text) == 0 ? 0 : -1;
}

/* RFC 7748 §6.1 */
static int
agreed(void)
{
    static const uint8_t alice[32] = {0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d,
                                      0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
                                      0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a,
                                      0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
    static const uint8_t bob[32] = {0xde, 0x9e, 0xdb, 0x7d, 0x7b, 0x7d, 0xc1, 0xb4,
                                    0xd3, 0x5b, 0x61, 0xc2, 0xec, 0xe4, 0x35, 0x37,
                                    0x3f, 0x83, 0x43, 0xc8, 0x5b, 0x78, 0x67, 0x4d,
                                    0xad, 0xfc, 0x7e, 0x14, 0x6f, 0x88, 0x2b, 0x4f};
    static const uint8_t right[4] = {0x4a, 0x5d, 0x9d, 0x5b};
    uint8_t public_key[32], out[32];
    const struct duet__x25519_pair pair = {alice, public_key};

    if (duet__x25519_public(public_key, alice) != DUET_OK ||
        duet__x25519(out, &pair, bob) != DUET_OK)
        return -1;
    return memcmp(out, right, sizeof right) == 0 ? 0 : -1;
}

static void
contexts_of_the_kernel(void **state)
{
    (void)state;
    all_at_once(stream);
}

static void
contexts_of_aes_gcm(void **state)
{
    (void)state;
    all_at_once(sealed_and_opened);
}

static void
keys_of_x25519(void **state)
{
    (void)state;
    all_at_once(agreed);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_of_the_kernel),
        cmocka_unit_test(contexts_of_aes_gcm),
        cmocka_unit_test(keys_of_x25519),
    };
    if (duet_init() != DUET_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
