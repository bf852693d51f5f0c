/*
 * GnuTLS as a peer: two ends of TLS 1.3, AES-256-GCM, with push and pull functions in memory.
 */
#include "bench/peers/certificate.h"
#include "bench/peers/peer.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

enum { ENDS = 2, WIRE_LEAST = 4096 };

/* What one end pushed and the other has not pulled yet. */
struct wire {
    size_t begin, end, room;
    uint8_t *bytes;
};

struct end {
    gnutls_session_t session;
    struct wire *to, *from;
};

struct pair {
    struct end end[ENDS]; /* end 0 is the client, the near one */
    struct wire wire[ENDS];
};

static gnutls_certificate_credentials_t credentials;

/* ---- The wire ---- */

/* Room for size bytes more. */
static int
grow(struct wire *wire, size_t size)
{
    if (size <= wire->room - wire->end)
        return 0;
    size_t room = 2 * wire->room + size + WIRE_LEAST;
    uint8_t *bytes = realloc(wire->bytes, room);
    if (bytes == NULL)
        return -1;
    wire->bytes = bytes;
    wire->room = room;
    return 0;
}

static ssize_t
push(gnutls_transport_ptr_t context, const void *data, size_t size)
{
    struct end *end = context;
    struct wire *wire = end->to;
    if (grow(wire, size) != 0) {
        gnutls_transport_set_errno(end->session, ENOMEM);
        return -1;
    }
    memcpy(wire->bytes + wire->end, data, size);
    wire->end += size;
    return (ssize_t)size;
}

static ssize_t
pull(gnutls_transport_ptr_t context, void *data, size_t size)
{
    struct end *end = context;
    struct wire *wire = end->from;
    size_t n = wire->end - wire->begin;
    if (n == 0) {
        gnutls_transport_set_errno(end->session, EAGAIN);
        return -1;
    }
    n = n < size ? n : size;
    memcpy(data, wire->bytes + wire->begin, n);
    wire->begin += n;
    if (wire->begin == wire->end)
        wire->begin = wire->end = 0;
    return (ssize_t)n;
}

/* ---- Credentials ---- */

static int
load(gnutls_certificate_credentials_t into, const struct bench_certificate *own)
{
    unsigned char *key = NULL, *certificate = NULL;
    int key_size = i2d_PrivateKey(own->key, &key);
    int size = i2d_X509(own->certificate, &certificate);
    int result = -1;
    if (key_size > 0 && size > 0) {
        gnutls_datum_t key_datum = {key, (unsigned)key_size};
        gnutls_datum_t datum = {certificate, (unsigned)size};
        if (gnutls_certificate_set_x509_key_mem(into, &datum, &key_datum, GNUTLS_X509_FMT_DER) ==
                GNUTLS_E_SUCCESS &&
            gnutls_certificate_set_x509_trust_mem(into, &datum, GNUTLS_X509_FMT_DER) == 1)
            result = 0;
    }
    OPENSSL_free(key);
    OPENSSL_free(certificate);
    return result;
}

static int
prepare(void)
{
    const struct bench_certificate *own = bench_certificate();
    if (credentials != NULL)
        return 0;
    if (own == NULL || gnutls_certificate_allocate_credentials(&credentials) != GNUTLS_E_SUCCESS)
        return -1;
    return load(credentials, own);
}

/* ---- A pair ---- */

static int
open_end(struct end *end, unsigned flags)
{
    static const char priority[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM:"
                                   "-GROUP-ALL:+GROUP-X25519";
    if (gnutls_init(&end->session, flags | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS) !=
            GNUTLS_E_SUCCESS ||
        gnutls_priority_set_direct(end->session, priority, NULL) != GNUTLS_E_SUCCESS ||
        gnutls_credentials_set(end->session, GNUTLS_CRD_CERTIFICATE, credentials) !=
            GNUTLS_E_SUCCESS)
        return -1;
    if (flags & GNUTLS_SERVER)
        gnutls_certificate_server_set_request(end->session, GNUTLS_CERT_REQUIRE);
    gnutls_session_set_verify_cert(end->session, NULL, 0);
    gnutls_handshake_set_timeout(end->session, GNUTLS_INDEFINITE_TIMEOUT);
    gnutls_transport_set_ptr(end->session, end);
    gnutls_transport_set_push_function(end->session, push);
    gnutls_transport_set_pull_function(end->session, pull);
    return 0;
}

static int
handshake(struct pair *pair, struct peer_wire *wire)
{
    int done[ENDS] = {0};
    for (int from = 0; !done[0] || !done[1]; from = !from) {
        struct end *end = &pair->end[from];
        if (!done[from]) {
            int result = gnutls_handshake(end->session);
            if (result != GNUTLS_E_SUCCESS && result != GNUTLS_E_AGAIN)
                return -1;
            done[from] = result == GNUTLS_E_SUCCESS;
        }
        peer_flight(wire, end->to->end - end->to->begin);
    }
    return 0;
}

static void
release_wires(struct pair *pair)
{
    for (int i = 0; i < ENDS; i++) {
        free(pair->wire[i].bytes);
        memset(&pair->wire[i], 0, sizeof pair->wire[i]);
    }
}

static void
close_pair(void *context)
{
    struct pair *pair = context;
    for (int i = 0; i < ENDS; i++)
        if (pair->end[i].session != NULL)
            gnutls_deinit(pair->end[i].session);
    release_wires(pair);
    free(pair);
}

static void *
open_pair(const struct peer *peer, struct peer_wire *wire)
{
    struct pair *pair = calloc(1, sizeof *pair);
    (void)peer;
    if (pair == NULL)
        return NULL;
    for (int i = 0; i < ENDS; i++)
        pair->end[i].to = pair->end[!i].from = &pair->wire[i];
    if (prepare() == 0 && open_end(&pair->end[0], GNUTLS_CLIENT) == 0 &&
        open_end(&pair->end[1], GNUTLS_SERVER) == 0 && handshake(pair, wire) == 0)
        return pair;
    close_pair(pair);
    return NULL;
}

static int
carry(void *context, uint8_t *out, const uint8_t *in, size_t n)
{
    struct pair *pair = context;
    for (size_t sent = 0; sent < n;) { /* a record at a time, both ways */
        ssize_t put = gnutls_record_send(pair->end[0].session, in + sent, n - sent);
        if (put <= 0)
            return -1;
        sent += (size_t)put;
    }
    for (size_t got = 0; got < n;) {
        ssize_t put = gnutls_record_recv(pair->end[1].session, out + got, n - got);
        if (put <= 0)
            return -1;
        got += (size_t)put;
    }
    return 0;
}

static void
drop_far(void *context)
{
    struct pair *pair = context;
    gnutls_deinit(pair->end[1].session);
    pair->end[1].session = NULL;
    release_wires(pair);
}

const struct peer peer_gnutls = {
    .name = "gnutls",
    .open = open_pair,
    .carry = carry,
    .drop_far = drop_far,
    .close = close_pair,
};
