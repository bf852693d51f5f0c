/*
 * AES-256-GCM for Noise, in cipher contexts of libcrypto that are borrowed for one message.
 */
#include "crypto/aead.h"

#include "kernel/contexts.h"

#include "base/bytes.h"

#include <duet/secret.h>

static struct duet__contexts pool;

int
duet__aead_init(void)
{
    return duet__contexts_init(&pool, "AES-256-GCM") == 0 ? DUET_OK : DUET_E_CRYPTO;
}

/** Set key and nonce, and take the associated data. Returns 1, or 0. */
static int
aead_begin(EVP_CIPHER_CTX *context, const struct duet__aead *with, int encrypt)
{
    uint8_t nonce[12] = {0}; /* 32 bits of zeros, then n, big-endian */
    int put = 0;

    duet__store64(nonce + 4, with->n);
    return EVP_CipherInit_ex2(context, NULL, with->key, nonce, encrypt, NULL) == 1 &&
           (with->ad.size == 0 ||
            EVP_CipherUpdate(context, NULL, &put, with->ad.data, (int)with->ad.size) == 1);
}

int
duet__aead_encrypt(const struct duet__aead *with, uint8_t *out, const uint8_t *in, size_t size)
{
    int put = 0;
    EVP_CIPHER_CTX *context = duet__contexts_borrow(&pool);
    int ok = context != NULL && aead_begin(context, with, 1) &&
             (size == 0 || EVP_CipherUpdate(context, out, &put, in, (int)size) == 1) &&
             EVP_CipherFinal_ex(context, out + size, &put) == 1 &&
             EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, DUET__TAG, out + size) == 1;

    duet__contexts_give_back(&pool, context);
    return ok ? DUET_OK : DUET_E_CRYPTO;
}

int
duet__aead_decrypt(const struct duet__aead *with, uint8_t *out, const uint8_t *in, size_t size)
{
    size_t plain = size - DUET__TAG;
    uint8_t tag[DUET__TAG];
    int put = 0;
    EVP_CIPHER_CTX *context = duet__contexts_borrow(&pool);

    for (size_t i = 0; i < DUET__TAG; i++) /* out may be in */
        tag[i] = in[plain + i];
    int ok = context != NULL && aead_begin(context, with, 0) &&
             (plain == 0 || EVP_CipherUpdate(context, out, &put, in, (int)plain) == 1) &&
             EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, DUET__TAG, tag) == 1;
    int right = ok && EVP_CipherFinal_ex(context, tag, &put) == 1;
    duet__contexts_give_back(&pool, context);
    if (right)
        return DUET_OK;
    duet_wipe(out, plain);
    return ok ? DUET_E_FORGED : DUET_E_CRYPTO;
}
