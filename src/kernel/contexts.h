/*
 * A pool of libcrypto's cipher contexts.
 *
 * A context for each direction would cost memory, one for each message an allocation. A caller sets
 * the key of one that it takes; between calls its key is zeros.
 */
#ifndef DUET_KERNEL_CONTEXTS_H
#define DUET_KERNEL_CONTEXTS_H

#include "kernel/pool.h"

#include <openssl/evp.h>

struct duet__contexts {
    EVP_CIPHER *cipher;
    struct duet__pool pool; /* of EVP_CIPHER_CTX */
};

/** Make the contexts of a cipher with a 32-byte key. Called once. Returns 0, or -1. */
int duet__contexts_init(struct duet__contexts *contexts, const char *cipher);

/** Take one, whose key EVP_CipherInit_ex2() sets without a cipher. NULL: all are busy and there is
 * no memory for another. */
EVP_CIPHER_CTX *duet__contexts_borrow(struct duet__contexts *contexts);

/** Return it, with its key overwritten; NULL is fine. */
void duet__contexts_give_back(struct duet__contexts *contexts, EVP_CIPHER_CTX *context);

#endif
