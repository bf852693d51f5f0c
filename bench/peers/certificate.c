/*
 * Making the certificate (see certificate.h).
 */
#include "bench/peers/certificate.h"

#include <openssl/ec.h>
#include <openssl/evp.h>

enum { DAY = 24 * 60 * 60, VERSION_3 = 2 };

/* Issuer and subject are the same. */
static int
set_names(X509 *certificate)
{
    static const unsigned char name[] = "bench";
    X509_NAME *subject = X509_get_subject_name(certificate);
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, sizeof name - 1, -1, 0) &&
           X509_set_issuer_name(certificate, subject);
}

static X509 *
new_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    if (certificate != NULL && X509_set_version(certificate, VERSION_3) &&
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(certificate), DAY) != NULL && set_names(certificate) &&
        X509_set_pubkey(certificate, key) && X509_sign(certificate, key, EVP_sha256()) > 0)
        return certificate;
    X509_free(certificate);
    return NULL;
}

const struct bench_certificate *
bench_certificate(void)
{
    static struct bench_certificate made;
    if (made.certificate != NULL)
        return &made;
    if (made.key == NULL)
        made.key = EVP_EC_gen("P-256");
    if (made.key == NULL)
        return NULL;
    made.certificate = new_certificate(made.key);
    return made.certificate != NULL ? &made : NULL;
}
