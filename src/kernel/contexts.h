/*
 * Libcrypto's cipher contexts: few, made once, lent to whoever calls.
 *
 * A context for each direction or each message would cost memory or an allocation that nothing else
 * of a session needs. One is keyed anew by each borrower and holds a key of zeros in between.
 */
#ifndef DUET_KERNEL_CONTEXTS_H
#define DUET_KERNEL_CONTEXTS_H

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stddef.h>

/* More threads than this at once in a cipher wait for one another; each holds a context for one
 * call. */
enum { DUET__CONTEXTS = 16 };

struct duet__contexts {
    EVP_CIPHER_CTX *context[DUET__CONTEXTS];
    atomic_flag busy[DUET__CONTEXTS];
};

/** Make the contexts of a cipher with a 32-octet key. Called once. Returns 0, or -1. */
int duet__contexts_init(struct duet__contexts *pool, const char *cipher);

/** Borrow one: pool->context[the answer], which is keyed by EVP_CipherInit_ex2() without a cipher.
 */
size_t duet__contexts_borrow(struct duet__contexts *pool);

/** Give it back, its key overwritten. */
void duet__contexts_give_back(struct duet__contexts *pool, size_t i);

#endif
