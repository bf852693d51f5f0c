/*
 * scrypt (RFC 7914) by libcrypto; used for key files only, so nothing is kept.
 */
#include "crypto/scrypt.h"

#include <openssl/evp.h>

int
duet__scrypt(uint8_t key[32], struct duet__bytes passphrase, struct duet__bytes salt, unsigned work)
{
    uint64_t n = (uint64_t)1 << work, memory = n * 1024 + (1 << 20);

    return EVP_PBE_scrypt(passphrase.data, passphrase.size, salt.data, salt.size, n, 8, 1, memory,
                          key, 32) == 1
               ? DUET_OK
               : DUET_E_CRYPTO;
}
