/*
 * A key from a passphrase: scrypt (RFC 7914) by libcrypto.
 */
#ifndef DUET_CRYPTO_SCRYPT_H
#define DUET_CRYPTO_SCRYPT_H

#include "crypto/hkdf.h"

/* 2 to the work is N; r is 8 and p is 1, so 2^(work + 10) bytes of memory are needed. */
enum { DUET__WORK_LEAST = 10, DUET__WORK = 17, DUET__WORK_MOST = 20 };

/** 32 bytes of key. Returns DUET_OK; DUET_E_CRYPTO: no memory, or a libcrypto without scrypt. */
int duet__scrypt(uint8_t key[32], struct duet__bytes passphrase, struct duet__bytes salt,
                 unsigned work);

#endif
