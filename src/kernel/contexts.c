/*
 * Libcrypto's cipher contexts, made once and lent.
 */
#include "kernel/contexts.h"

#include <stdint.h>

static const uint8_t zeros[32]; /* a key, or an IV */

int
duet__contexts_init(struct duet__contexts *pool, const char *cipher)
{
    EVP_CIPHER *fetched = EVP_CIPHER_fetch(NULL, cipher, NULL);
    int ok = fetched != NULL;

    for (size_t i = 0; i < DUET__CONTEXTS; i++) {
        atomic_flag_clear(&pool->busy[i]);
        pool->context[i] = EVP_CIPHER_CTX_new();
        ok = ok && pool->context[i] != NULL &&
             EVP_CipherInit_ex2(pool->context[i], fetched, zeros, zeros, 1, NULL) == 1;
    }
    EVP_CIPHER_free(fetched); /* the contexts hold it */
    return ok ? 0 : -1;
}

size_t
duet__contexts_borrow(struct duet__contexts *pool)
{
    for (size_t i = 0;; i = (i + 1) % DUET__CONTEXTS) {
        if (!atomic_flag_test_and_set_explicit(&pool->busy[i], memory_order_acquire))
            return i;
    }
}

void
duet__contexts_give_back(struct duet__contexts *pool, size_t i)
{
    (void)EVP_CipherInit_ex2(pool->context[i], NULL, zeros, zeros, 1, NULL);
    atomic_flag_clear_explicit(&pool->busy[i], memory_order_release);
}
