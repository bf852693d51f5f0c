/*
 * ML-KEM-768 (FIPS 203) by libcrypto's EVP_PKEY and its key encapsulation calls.
 *
 * All randomness is given as parameters ("seed" and "ikme"), whose names the headers of libcrypto
 * before 3.5 do not define. Whether ML-KEM is there is found out when the program runs, so that one
 * build runs with both.
 */
#include "crypto/mlkem.h"

#include "base/bytes.h"
#include "base/public.h"

#include <duet/secret.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#define PARAM_SEED "seed" /* OSSL_PKEY_PARAM_ML_KEM_SEED */
#define PARAM_IKME "ikme" /* OSSL_KEM_PARAM_IKME */

/* Never changed: contexts made from it need not look the algorithm up. NULL: libcrypto has none. */
static EVP_PKEY *any;

/** A key of libcrypto's from the bytes of one parameter. NULL on failure. */
static EVP_PKEY *
import_key(EVP_PKEY_CTX *context, const char *name, uint8_t *bytes, size_t size, int selection)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(name, bytes, size),
                           OSSL_PARAM_construct_end()};

    if (context != NULL && EVP_PKEY_fromdata_init(context) == 1)
        (void)EVP_PKEY_fromdata(context, &key, selection, params);
    EVP_PKEY_CTX_free(context);
    return key;
}

void
duet__mlkem_init(void)
{
    uint8_t seed[DUET__MLKEM_SEED] = {0};

    ERR_set_mark(); /* an older libcrypto reports an unknown algorithm: no error of the caller's */
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "ML-KEM-768", NULL);
    any = import_key(context, PARAM_SEED, seed, sizeof seed, EVP_PKEY_KEYPAIR);
    ERR_pop_to_mark();
}

int
duet__mlkem_available(void)
{
    return any != NULL;
}

int
duet__mlkem_generate(struct duet__mlkem **pair, uint8_t key[DUET__MLKEM_KEY],
                     const uint8_t seed[DUET__MLKEM_SEED])
{
    uint8_t copy[DUET__MLKEM_SEED];
    size_t size = 0;

    memcpy(copy, seed, sizeof copy);
    EVP_PKEY *made = import_key(EVP_PKEY_CTX_new_from_pkey(NULL, any, NULL), PARAM_SEED, copy,
                                sizeof copy, EVP_PKEY_KEYPAIR);
    duet_wipe(copy, sizeof copy);
    int ok = made != NULL &&
             EVP_PKEY_get_octet_string_param(made, OSSL_PKEY_PARAM_PUB_KEY, key, DUET__MLKEM_KEY,
                                             &size) == 1 &&
             size == DUET__MLKEM_KEY;
    if (!ok) {
        EVP_PKEY_free(made);
        made = NULL;
    }
    DUET__PUBLIC(key, DUET__MLKEM_KEY);
    *pair = (struct duet__mlkem *)made;
    return ok ? DUET_OK : DUET_E_CRYPTO;
}

/** FIPS 203 §7.2: 1 when each of the key's 768 coefficients, of 12 bits, is reduced. The key is
 * public. */
static int
is_reduced(const uint8_t *key)
{
    enum { MODULUS = 3329, COEFFICIENTS = 1152 /* bytes */ };

    for (size_t i = 0; i < COEFFICIENTS; i += 3) {
        unsigned first = key[i] | (key[i + 1] & 15u) << 8;
        unsigned second = (unsigned)key[i + 1] >> 4 | (unsigned)key[i + 2] << 4;
        if (first >= MODULUS || second >= MODULUS)
            return 0;
    }
    return 1;
}

/** Encapsulate by a context of the key. Returns 1, or 0. */
static int
encapsulate(EVP_PKEY_CTX *context, uint8_t *text, uint8_t *shared, const uint8_t *draw)
{
    uint8_t copy[DUET__MLKEM_DRAW];
    size_t text_size = DUET__MLKEM_TEXT, shared_size = DUET__MLKEM_SHARED;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(PARAM_IKME, copy, sizeof copy),
                           OSSL_PARAM_construct_end()};

    memcpy(copy, draw, sizeof copy);
    int ok = context != NULL && EVP_PKEY_encapsulate_init(context, params) == 1 &&
             EVP_PKEY_encapsulate(context, text, &text_size, shared, &shared_size) == 1 &&
             text_size == DUET__MLKEM_TEXT && shared_size == DUET__MLKEM_SHARED;
    duet_wipe(copy, sizeof copy);
    return ok;
}

int
duet__mlkem_encapsulate(uint8_t text[DUET__MLKEM_TEXT], uint8_t shared[DUET__MLKEM_SHARED],
                        const uint8_t key[DUET__MLKEM_KEY], const uint8_t draw[DUET__MLKEM_DRAW])
{
    uint8_t copy[DUET__MLKEM_KEY];
    int result = DUET_E_CRYPTO;

    if (!is_reduced(key))
        return DUET_E_PROTOCOL;
    memcpy(copy, key, sizeof copy);
    EVP_PKEY *theirs = import_key(EVP_PKEY_CTX_new_from_pkey(NULL, any, NULL),
                                  OSSL_PKEY_PARAM_PUB_KEY, copy, sizeof copy, EVP_PKEY_PUBLIC_KEY);
    EVP_PKEY_CTX *context = theirs != NULL ? EVP_PKEY_CTX_new_from_pkey(NULL, theirs, NULL) : NULL;
    if (encapsulate(context, text, shared, draw))
        result = DUET_OK;
    else
        duet_wipe(shared, DUET__MLKEM_SHARED);
    DUET__PUBLIC(text, DUET__MLKEM_TEXT);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(theirs);
    return result;
}

int
duet__mlkem_decapsulate(uint8_t shared[DUET__MLKEM_SHARED], struct duet__mlkem *pair,
                        const uint8_t text[DUET__MLKEM_TEXT])
{
    size_t size = DUET__MLKEM_SHARED;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, (EVP_PKEY *)pair, NULL);
    int ok = context != NULL && EVP_PKEY_decapsulate_init(context, NULL) == 1 &&
             EVP_PKEY_decapsulate(context, shared, &size, text, DUET__MLKEM_TEXT) == 1 &&
             size == DUET__MLKEM_SHARED;

    EVP_PKEY_CTX_free(context);
    if (!ok)
        duet_wipe(shared, DUET__MLKEM_SHARED);
    return ok ? DUET_OK : DUET_E_CRYPTO;
}

void
duet__mlkem_free(struct duet__mlkem *pair)
{
    EVP_PKEY_free((EVP_PKEY *)pair);
}
