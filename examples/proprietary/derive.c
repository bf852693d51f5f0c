/*
 * HKDF-SHA512 of libcrypto: the standard primitive under all that is proprietary here. An own
 * construction of standard primitives can be argued about; an own primitive cannot.
 */
#include "proprietary.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

int
px_derive(uint8_t *out, size_t n, struct px_bytes key, const char *label, struct px_bytes text)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    const unsigned char *salt = (const unsigned char *)label;
    int right = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha512()) == 1 &&
                EVP_PKEY_CTX_set1_hkdf_salt(ctx, salt, (int)strlen(label)) == 1 &&
                EVP_PKEY_CTX_set1_hkdf_key(ctx, key.data, (int)key.size) == 1 &&
                EVP_PKEY_CTX_add1_hkdf_info(ctx, text.data, (int)text.size) == 1 &&
                EVP_PKEY_derive(ctx, out, &n) == 1;

    EVP_PKEY_CTX_free(ctx); /* wipes the key that it holds */
    return right ? DUET_OK : DUET_E_CRYPTO;
}
