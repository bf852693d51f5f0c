/*
 * X25519 by libcrypto's EVP_PKEY, raw keys in and out.
 */
#include "crypto/x25519.h"

#include "base/equal.h"
#include "base/public.h"

#include <duet/secret.h>
#include <openssl/err.h>
#include <openssl/evp.h>

int
duet__x25519_public(uint8_t out[32], const uint8_t private_key[32])
{
    size_t size = 32;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, 32);
    int ok = key != NULL && EVP_PKEY_get_raw_public_key(key, out, &size) == 1 && size == 32;
    EVP_PKEY_free(key);
    DUET__PUBLIC(out, 32);
    return ok ? DUET_OK : DUET_E_CRYPTO;
}

int
duet__x25519(uint8_t out[32], const uint8_t private_key[32], const uint8_t public_key[32])
{
    static const uint8_t zeros[32];
    size_t size = 32;
    int result = DUET_E_CRYPTO;
    EVP_PKEY *mine = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, 32);
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key, 32);
    EVP_PKEY_CTX *context = mine != NULL ? EVP_PKEY_CTX_new_from_pkey(NULL, mine, NULL) : NULL;

    if (theirs == NULL || context == NULL || EVP_PKEY_derive_init(context) != 1 ||
        EVP_PKEY_derive_set_peer(context, theirs) != 1)
        goto out;
    /* libcrypto refuses an all-zero result by failing; whatever else fails here would be its own
     * fault */
    ERR_set_mark(); /* the application's own errors stay */
    int bad = EVP_PKEY_derive(context, out, &size) != 1 || size != 32;
    ERR_pop_to_mark();
    if (!bad)
        bad = duet__equal(out, zeros, 32);
    DUET__PUBLIC(&bad, sizeof bad);
    if (bad) {
        result = DUET_E_PROTOCOL;
        goto out;
    }
    result = DUET_OK;
out:
    if (result != DUET_OK)
        duet_wipe(out, 32);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(mine);
    return result;
}
