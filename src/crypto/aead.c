/*
 * AES-256-GCM for Noise: one context a message, which initiation can afford.
 */
#include "crypto/aead.h"

#include "base/octets.h"

#include <duet/secret.h>
#include <openssl/evp.h>

static EVP_CIPHER *cipher; /* set once by duet_init(), then only read */

int
duet__aead_init(void)
{
    cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    return cipher != NULL ? DUET_OK : DUET_E_CRYPTO;
}

/* A context with key, nonce and associated data taken in; NULL on failure. */
static EVP_CIPHER_CTX *
begin(const struct duet__aead *with, int encrypt)
{
    uint8_t nonce[12] = {0}; /* 32 bits of zeros, then n, big-endian */
    int put = 0;
    duet__store64(nonce + 4, with->n);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context != NULL &&
        EVP_CipherInit_ex2(context, cipher, with->key, nonce, encrypt, NULL) == 1 &&
        (with->ad.size == 0 ||
         EVP_CipherUpdate(context, NULL, &put, with->ad.data, (int)with->ad.size) == 1))
        return context;
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

int
duet__aead_encrypt(const struct duet__aead *with, uint8_t *out, const uint8_t *in, size_t size)
{
    int put = 0;
    EVP_CIPHER_CTX *context = begin(with, 1);
    int ok = context != NULL &&
             (size == 0 || EVP_CipherUpdate(context, out, &put, in, (int)size) == 1) &&
             EVP_CipherFinal_ex(context, out + size, &put) == 1 &&
             EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, DUET__TAG, out + size) == 1;
    EVP_CIPHER_CTX_free(context);
    return ok ? DUET_OK : DUET_E_CRYPTO;
}

int
duet__aead_decrypt(const struct duet__aead *with, uint8_t *out, const uint8_t *in, size_t size)
{
    uint8_t tag[DUET__TAG];
    int put = 0;
    size_t plain = size - DUET__TAG;
    int result = DUET_E_CRYPTO;
    EVP_CIPHER_CTX *context = begin(with, 0);
    if (context == NULL)
        return result;

    for (size_t i = 0; i < DUET__TAG; i++)
        tag[i] = in[plain + i];
    if ((plain > 0 && EVP_CipherUpdate(context, out, &put, in, (int)plain) != 1) ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, DUET__TAG, tag) != 1)
        goto out;
    result = EVP_CipherFinal_ex(context, tag, &put) == 1 ? DUET_OK : DUET_E_FORGED;
out:
    if (result != DUET_OK)
        duet_wipe(out, plain);
    EVP_CIPHER_CTX_free(context);
    return result;
}
