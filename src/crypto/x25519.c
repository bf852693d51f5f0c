/*
 * X25519 (RFC 7748) by libcrypto's EVP_PKEY, raw keys in and out.
 *
 * Callers bring a private key with its public one: without it libcrypto computes the public key for
 * each exchange. That takes longer than an exchange, so a public key is made as RFC 7748 §6.1
 * defines it, by an exchange with the base point.
 */
#include "crypto/x25519.h"

#include "base/equal.h"
#include "base/public.h"
#include "kernel/pool.h"

#include <duet/secret.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

enum { KEY = 32 };

/* Objects for peers' public keys, a pool that duet__init() fills. Making one
 * costs a fifteenth of the exchange, putting other bytes into one nothing. */
static struct duet__pool peers;

static EVP_PKEY *any; /* never changed: contexts made from it need not look the curve up */

static const uint8_t base_point[KEY] = {9}; /* RFC 7748 §4.1 */

/** A new object, holding the base point. */
static EVP_PKEY *
new_public_key(void)
{
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, base_point, sizeof base_point);
}

int
duet__x25519_init(void)
{
    any = new_public_key();
    int ok = any != NULL;
    for (size_t i = 0; ok && i < DUET__POOL_SIZE; i++) {
        atomic_flag_clear(&peers.busy[i]);
        peers.item[i] = new_public_key();
        ok = peers.item[i] != NULL;
    }
    return ok ? DUET_OK : DUET_E_CRYPTO;
}

/** A private key of libcrypto's from raw bytes, or NULL. */
static EVP_PKEY *
import_private_key(const struct duet__x25519_pair *pair)
{
    uint8_t bytes[2][KEY];
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, any, NULL);
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, bytes[0], KEY),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, bytes[1], KEY),
        OSSL_PARAM_END,
    };

    memcpy(bytes[0], pair->private_key, KEY);
    memcpy(bytes[1], pair->public_key, KEY);
    if (context != NULL && EVP_PKEY_fromdata_init(context) == 1)
        (void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params);
    EVP_PKEY_CTX_free(context);
    duet_wipe(bytes, sizeof bytes);
    return key;
}

int
duet__x25519_in_form(const uint8_t key[KEY])
{
    static const uint8_t prime[KEY] = {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0x7f}; /* 2^255 - 19 */

    for (size_t i = KEY; i-- > 0;)
        if (key[i] != prime[i])
            return key[i] < prime[i];
    return 0;
}

int
duet__x25519(uint8_t out[KEY], const struct duet__x25519_pair *mine, const uint8_t their_key[KEY])
{
    static const uint8_t zeros[KEY];
    size_t size = KEY;
    int result = DUET_E_CRYPTO;
    EVP_PKEY *ours = import_private_key(mine);
    EVP_PKEY *theirs = duet__pool_take(&peers);
    EVP_PKEY_CTX *context = ours != NULL ? EVP_PKEY_CTX_new_from_pkey(NULL, ours, NULL) : NULL;

    if (theirs == NULL) /* all are in use */
        theirs = new_public_key();
    /* Any 32 bytes are a public key (RFC 7748 §5): there is nothing to validate. */
    if (context == NULL || theirs == NULL ||
        EVP_PKEY_set1_encoded_public_key(theirs, their_key, KEY) != 1 ||
        EVP_PKEY_derive_init(context) != 1 || EVP_PKEY_derive_set_peer_ex(context, theirs, 0) != 1)
        goto out;
    /* This fails for an all-zero result, and for nothing else that a peer can cause. */
    ERR_set_mark(); /* keep what is in the application's error queue */
    int bad = EVP_PKEY_derive(context, out, &size) != 1 || size != KEY;
    ERR_pop_to_mark();
    if (!bad)
        bad = duet__equal(out, zeros, KEY);
    DUET__PUBLIC(&bad, sizeof bad);
    if (bad) {
        result = DUET_E_PROTOCOL;
        goto out;
    }
    result = DUET_OK;
out:
    if (result != DUET_OK)
        duet_wipe(out, KEY);
    EVP_PKEY_CTX_free(context);
    if (!duet__pool_return(&peers, theirs))
        EVP_PKEY_free(theirs);
    EVP_PKEY_free(ours);
    return result;
}

int
duet__x25519_public(uint8_t out[KEY], const uint8_t private_key[KEY])
{
    /* The exchange does not look at its own public key, so any will do for it. */
    const struct duet__x25519_pair pair = {private_key, base_point};
    int result = duet__x25519(out, &pair, base_point);
    DUET__PUBLIC(out, KEY);
    return result == DUET_OK ? DUET_OK : DUET_E_CRYPTO;
}
