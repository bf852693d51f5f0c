/*
 * The pool of libcrypto's cipher contexts (see contexts.h).
 */
#include "kernel/contexts.h"

#include <stddef.h>
#include <stdint.h>

static const uint8_t zeros[32]; /* a key, or an IV */

static EVP_CIPHER_CTX *
make_context(const EVP_CIPHER *cipher)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    if (context != NULL && EVP_CipherInit_ex2(context, cipher, zeros, zeros, 1, NULL) == 1)
        return context;
    EVP_CIPHER_CTX_free(context);
    return NULL;
}

int
duet__contexts_init(struct duet__contexts *contexts, const char *cipher)
{
    contexts->cipher = EVP_CIPHER_fetch(NULL, cipher, NULL);
    int ok = contexts->cipher != NULL;

    for (size_t i = 0; ok && i < DUET__POOL_SIZE; i++) {
        atomic_flag_clear(&contexts->pool.busy[i]);
        contexts->pool.item[i] = make_context(contexts->cipher);
        ok = contexts->pool.item[i] != NULL;
    }
    return ok ? 0 : -1;
}

EVP_CIPHER_CTX *
duet__contexts_borrow(struct duet__contexts *contexts)
{
    EVP_CIPHER_CTX *context = duet__pool_take(&contexts->pool);
    return context != NULL ? context : make_context(contexts->cipher);
}

void
duet__contexts_give_back(struct duet__contexts *contexts, EVP_CIPHER_CTX *context)
{
    if (context == NULL)
        return;
    (void)EVP_CipherInit_ex2(context, NULL, zeros, zeros, 1, NULL);
    if (!duet__pool_return(&contexts->pool, context))
        EVP_CIPHER_CTX_free(context);
}
