/*
 * Libcrypto's cipher contexts: few, made once, lent to whoever calls.
 *
 * A context for each direction or each message would cost memory or an allocation that nothing else
 * of a session needs. One is keyed anew by each borrower and holds a key of zeros in between.
 */
#ifndef DUET_KERNEL_CONTEXTS_H
#define DUET_KERNEL_CONTEXTS_H

#include "kernel/lent.h"

#include <openssl/evp.h>

struct duet__contexts {
    EVP_CIPHER *cipher;
    struct duet__lent lent; /* EVP_CIPHER_CTX */
};

/** Make the contexts of a cipher with a 32-byte key. Called once. Returns 0, or -1. */
int duet__contexts_init(struct duet__contexts *pool, const char *cipher);

/** Borrow one, which is keyed by EVP_CipherInit_ex2() without a cipher. NULL: all are busy, and
 * there is no memory for one more. */
EVP_CIPHER_CTX *duet__contexts_borrow(struct duet__contexts *pool);

/** Give it back, its key overwritten; NULL is accepted. */
void duet__contexts_give_back(struct duet__contexts *pool, EVP_CIPHER_CTX *context);

#endif
