/*
 * OpenSSL as a peer: two ends of TLS 1.3 over memory BIOs.
 *
 * No session tickets are sent: they would be unused, and cost libssl time and bytes.
 */
#include "bench/peers/libssl.h"

#include "bench/peers/certificate.h"
#include "bench/peers/peer.h"

#include <stdlib.h>
#include <string.h>

enum { ENDS = 2, VARIETIES = 6 }; /* end 0 is the client, the near one */

struct pair {
    SSL *end[ENDS];
};

const struct bench_libssl bench_libssl_aes256 = {.suite = "TLS_AES_256_GCM_SHA384"};
static const struct bench_libssl chacha20 = {.suite = "TLS_CHACHA20_POLY1305_SHA256"};
static const struct bench_libssl psk = {.suite = "TLS_AES_256_GCM_SHA384", .psk = 1};
static const struct bench_libssl lean = {.suite = "TLS_AES_256_GCM_SHA384", .lean = 1};
static const struct bench_libssl hybrid = {.suite = "TLS_AES_256_GCM_SHA384", .hybrid = 1};
static const struct bench_libssl psk_hybrid = {
    .suite = "TLS_AES_256_GCM_SHA384", .psk = 1, .hybrid = 1};

/* ---- Contexts ---- */

/* A key of 32 bytes, bound to the suite's hash as TLS 1.3 requires. */
static SSL_SESSION *
new_psk(SSL *ssl)
{
    static const unsigned char key[32] = {1, 2, 3};
    static const unsigned char aes256[2] = {0x13, 0x02};
    SSL_SESSION *session = SSL_SESSION_new();
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, aes256);
    if (session != NULL && cipher != NULL &&
        SSL_SESSION_set1_master_key(session, key, sizeof key) &&
        SSL_SESSION_set_cipher(session, cipher) &&
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION))
        return session;
    SSL_SESSION_free(session);
    return NULL;
}

static int
use_psk(SSL *ssl, const EVP_MD *hash, const unsigned char **id, size_t *id_size,
        SSL_SESSION **session)
{
    static const unsigned char name[] = "bench";
    (void)hash;
    *id = name;
    *id_size = sizeof name - 1;
    *session = new_psk(ssl);
    return *session != NULL;
}

static int
find_psk(SSL *ssl, const unsigned char *id, size_t id_size, SSL_SESSION **session)
{
    (void)id;
    (void)id_size;
    *session = new_psk(ssl);
    return *session != NULL;
}

static int
set_certificate(SSL_CTX *context)
{
    const struct bench_certificate *own = bench_certificate();
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return own != NULL && SSL_CTX_use_certificate(context, own->certificate) &&
           SSL_CTX_use_PrivateKey(context, own->key) &&
           X509_STORE_add_cert(SSL_CTX_get_cert_store(context), own->certificate);
}

static SSL_CTX *
new_context(const struct bench_libssl *variety)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (context == NULL)
        return NULL;
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_psk_use_session_callback(context, variety->psk ? use_psk : NULL);
    SSL_CTX_set_psk_find_session_callback(context, variety->psk ? find_psk : NULL);
    if (variety->lean)
        SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) &&
        SSL_CTX_set_num_tickets(context, 0) && SSL_CTX_set_ciphersuites(context, variety->suite) &&
        SSL_CTX_set1_groups_list(context, variety->hybrid ? "X25519MLKEM768" : "X25519") &&
        (variety->psk || set_certificate(context)))
        return context;
    SSL_CTX_free(context);
    return NULL;
}

static SSL_CTX *
context_of(const struct bench_libssl *variety)
{
    static struct {
        const struct bench_libssl *variety;
        SSL_CTX *context;
    } made[VARIETIES];
    size_t i = 0;
    while (made[i].context != NULL && made[i].variety != variety)
        i++;
    if (made[i].context == NULL) {
        made[i].variety = variety;
        made[i].context = new_context(variety);
    }
    return made[i].context;
}

SSL *
bench_libssl_end(const struct bench_libssl *variety, int server)
{
    SSL_CTX *context = context_of(variety);
    SSL *ssl = context != NULL ? SSL_new(context) : NULL;
    if (ssl != NULL && server)
        SSL_set_accept_state(ssl);
    if (ssl != NULL && !server)
        SSL_set_connect_state(ssl);
    return ssl;
}

/* ---- A pair ---- */

/* Each end reads what the other writes. */
static int
join(struct pair *pair)
{
    BIO *wire[ENDS] = {BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
    if (wire[0] == NULL || wire[1] == NULL) {
        BIO_free(wire[0]);
        BIO_free(wire[1]);
        return -1;
    }
    for (int i = 0; i < ENDS; i++) {
        BIO_set_mem_eof_return(wire[i], -1);
        BIO_up_ref(wire[i]);
        SSL_set0_wbio(pair->end[i], wire[i]);
        SSL_set0_rbio(pair->end[!i], wire[i]);
    }
    return 0;
}

static int
handshake(struct pair *pair, struct peer_wire *wire)
{
    for (int from = 0; !SSL_is_init_finished(pair->end[0]) || !SSL_is_init_finished(pair->end[1]);
         from = !from) {
        SSL *ssl = pair->end[from];
        int result = SSL_do_handshake(ssl);
        size_t written = BIO_ctrl_pending(SSL_get_wbio(ssl));
        if ((result != 1 && SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ) ||
            (result != 1 && written == 0 && !SSL_is_init_finished(pair->end[!from])))
            return -1;
        peer_flight(wire, written);
    }
    return 0;
}

static void
close_pair(void *context)
{
    struct pair *pair = context;
    SSL_free(pair->end[0]);
    SSL_free(pair->end[1]);
    free(pair);
}

static void *
open_pair(const struct peer *peer, struct peer_wire *wire)
{
    struct pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL)
        return NULL;
    for (int i = 0; i < ENDS; i++)
        pair->end[i] = bench_libssl_end(peer->variety, i);
    if (pair->end[0] != NULL && pair->end[1] != NULL && join(pair) == 0 &&
        handshake(pair, wire) == 0)
        return pair;
    close_pair(pair);
    return NULL;
}

static int
carry(void *context, uint8_t *out, const uint8_t *in, size_t n)
{
    struct pair *pair = context;
    size_t put;
    size_t got = 0;
    if (!SSL_write_ex(pair->end[0], in, n, &put) || put != n)
        return -1;
    while (got < n) { /* a record at a time */
        if (!SSL_read_ex(pair->end[1], out + got, n - got, &put))
            return -1;
        got += put;
    }
    return 0;
}

static void
drop_far(void *context)
{
    struct pair *pair = context;
    SSL_free(pair->end[1]);
    pair->end[1] = NULL;
    SSL_set_bio(pair->end[0], NULL, NULL);
}

#define PEER(named, which)                                                                         \
    {                                                                                              \
        .name = (named), .variety = &(which), .open = open_pair, .carry = carry,                   \
        .drop_far = drop_far, .close = close_pair                                                  \
    }

const struct peer peer_libssl = PEER("libssl", bench_libssl_aes256);
const struct peer peer_libssl_chacha20 = PEER("libssl-chacha20", chacha20);
const struct peer peer_libssl_psk = PEER("libssl-psk", psk);
const struct peer peer_libssl_lean = PEER("libssl-lean", lean);
const struct peer peer_libssl_hybrid = PEER("libssl-hybrid", hybrid);
const struct peer peer_libssl_psk_hybrid = PEER("libssl-psk-hybrid", psk_hybrid);
