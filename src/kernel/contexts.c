/*
 * Libcrypto's cipher contexts, made once and lent.
 */
#include "kernel/contexts.h"

#include <stddef.h>
#include <stdint.h>

static const uint8_t zeros[32]; /* a key, or an IV */

static EVP_CIPHER_CTX *
make(const EVP_CIPHER *cipher)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    if (context != NULL && EVP_CipherInit_ex2(context, cipher, zeros, zeros, 1, NULL) == 1)
        return context;
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

int
duet__contexts_init(struct duet__contexts *pool, const char *cipher)
{
    pool->cipher = EVP_CIPHER_fetch(NULL, cipher, NULL);
    int ok = pool->cipher != NULL;

    for (size_t i = 0; ok && i < DUET__LENT; i++) {
        atomic_flag_clear(&pool->lent.busy[i]);
        pool->lent.thing[i] = make(pool->cipher);
        ok = pool->lent.thing[i] != NULL;
    }
    return ok ? 0 : -1;
}

EVP_CIPHER_CTX *
duet__contexts_borrow(struct duet__contexts *pool)
{
    EVP_CIPHER_CTX *context = duet__lent_take(&pool->lent);
    return context != NULL ? context : make(pool->cipher);
}

void
duet__contexts_give_back(struct duet__contexts *pool, EVP_CIPHER_CTX *context)
{
    if (context == NULL)
        return;
    (void)EVP_CipherInit_ex2(context, NULL, zeros, zeros, 1, NULL);
    if (!duet__lent_return(&pool->lent, context))
        EVP_CIPHER_CTX_free(context);
}
