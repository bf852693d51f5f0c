/*
 * duet's sessions as a peer: a pair over memory, for each handshake pattern, with and without ML-KEM.
 *
 * Configurations are made once for each of these and kept, as a program keeps its own.
 */
#include "bench/peers/duet.h"

#include "bench/peers/peer.h"
#include "os/os.h"

#include <stdlib.h>
#include <string.h>

enum { PATTERNS = 3, HYBRIDS = 2, FLIGHT_MOST = 4096, SECRET = 1024 };

/** Make a key and add it; bytes NULL: drawn. */
static int
add_key(duet_config *config, enum duet_kind kind, const uint8_t *bytes, size_t size)
{
    duet_key *key;
    if (duet_key_new(&key, kind, bytes, size, 0) != DUET_OK)
        return -1;
    int result = duet_config_add(config, key);
    duet_key_free(key);
    return result == DUET_OK ? 0 : -1;
}

duet_config *
bench_duet_new_config(const struct bench_duet_variety *variety)
{
    enum duet_hybrid hybrid = variety->hybrid ? DUET_HYBRID_REQUIRE : DUET_HYBRID_OFF;
    uint8_t secret[SECRET];
    memset(secret, 0x5a, sizeof secret); /* no real secret */
    duet_config *config = duet_config_new();
    if (config != NULL && add_key(config, DUET_KIND_SECRET, secret, sizeof secret) == 0 &&
        (variety->pattern != DUET_PATTERN_IDENTITY ||
         add_key(config, DUET_KIND_IDENTITY, NULL, 0) == 0) &&
        duet_config_set(config, DUET_SET_PATTERNS, 1u << variety->pattern) == DUET_OK &&
        duet_config_set(config, DUET_SET_HYBRID, hybrid) == DUET_OK)
        return config;
    duet_config_free(config);
    return NULL;
}

duet_config *
bench_duet_config(const struct bench_duet_variety *variety, enum duet_role role)
{
    static duet_config *configs[PATTERNS][HYBRIDS][BENCH_DUET_ENDS];
    duet_config **config = &configs[variety->pattern][variety->hybrid][role];
    if (*config == NULL)
        *config = bench_duet_new_config(variety);
    return *config;
}

/* Give one end what the other sent in the handshake. */
static int
deliver(duet_session *to, const uint8_t *bytes, size_t size)
{
    size_t used = 0;
    while (used < size) {
        duet_step step = {.in = bytes + used, .in_size = size - used};
        if (duet_session_recv(to, &step) != DUET_OK)
            return -1;
        if (step.event == DUET_EVENT_NONCE && duet_session_accept(to, 0) != DUET_OK)
            return -1;
        used += step.used;
    }
    return 0;
}

static size_t
pending_bytes(const struct bench_duet_pair *pair)
{
    duet_info info[BENCH_DUET_ENDS];
    duet_session_info(pair->end[DUET_TOP], &info[DUET_TOP]);
    duet_session_info(pair->end[DUET_BOTTOM], &info[DUET_BOTTOM]);
    return info[DUET_TOP].pending + info[DUET_BOTTOM].pending;
}

static int
initiate(struct bench_duet_pair *pair, struct peer_wire *wire)
{
    uint8_t flight[FLIGHT_MOST];
    for (int from = DUET_TOP; pending_bytes(pair) > 0; from = !from) {
        size_t put;
        if (duet_session_flush(pair->end[from], flight, sizeof flight, &put) != DUET_OK ||
            deliver(pair->end[!from], flight, put) != 0)
            return -1;
        peer_flight(wire, put);
    }
    duet_info info;
    duet_session_info(pair->end[DUET_BOTTOM], &info);
    return info.ready ? 0 : -1;
}

static void
close_pair(void *context)
{
    struct bench_duet_pair *pair = context;
    duet_session_free(pair->end[DUET_TOP]);
    duet_session_free(pair->end[DUET_BOTTOM]);
    free(pair->wire);
    free(pair);
}

static void *
open_pair(const struct peer *peer, struct peer_wire *wire)
{
    struct bench_duet_pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL)
        return NULL;
    for (int role = DUET_TOP; role <= DUET_BOTTOM; role++) {
        duet_config *config = bench_duet_config(peer->variety, (enum duet_role)role);
        uint8_t random[DUET_RANDOM_SIZE];
        if (config == NULL || duet__os_random(random, sizeof random) != 0 ||
            duet_session_new(&pair->end[role], config, (enum duet_role)role, random, 0) != DUET_OK)
            goto out;
    }
    if (initiate(pair, wire) == 0)
        return pair;
out:
    close_pair(pair);
    return NULL;
}

/* Open a frame of n bytes of payload. */
static int
open_frame(duet_session *session, uint8_t *out, const uint8_t *frame, size_t n)
{
    duet_step step = {.in = frame, .in_size = n + DUET_FRAME_OVERHEAD, .out = out, .out_size = n};
    size_t put = 0;
    do {
        if (duet_session_recv(session, &step) != DUET_OK)
            return -1;
        step.in += step.used;
        step.in_size -= step.used;
        step.out += step.put;
        step.out_size -= step.put;
        put += step.put;
    } while (step.event != DUET_EVENT_FRAME && step.in_size > 0);
    return step.event == DUET_EVENT_FRAME && put == n ? 0 : -1;
}

uint8_t *
bench_duet_wire(struct bench_duet_pair *pair)
{
    if (pair->wire == NULL)
        pair->wire = malloc(PEER_MESSAGE_MOST + DUET_FRAME_OVERHEAD);
    return pair->wire;
}

static int
carry(void *context, uint8_t *out, const uint8_t *in, size_t n)
{
    struct bench_duet_pair *pair = context;
    if (bench_duet_wire(pair) == NULL ||
        duet_session_send(pair->end[DUET_TOP], pair->wire, 0, in, n) != DUET_OK)
        return -1;
    return open_frame(pair->end[DUET_BOTTOM], out, pair->wire, n);
}

static void
drop_far(void *context)
{
    struct bench_duet_pair *pair = context;
    duet_session_free(pair->end[DUET_BOTTOM]);
    pair->end[DUET_BOTTOM] = NULL;
    free(pair->wire);
    pair->wire = NULL;
}

const struct bench_duet_variety bench_duet_ephemeral = {DUET_PATTERN_EPHEMERAL, 0};
static const struct bench_duet_variety identity = {DUET_PATTERN_IDENTITY, 0};
static const struct bench_duet_variety secret_alone = {DUET_PATTERN_SECRET, 0};
static const struct bench_duet_variety hybrid = {DUET_PATTERN_EPHEMERAL, 1};
static const struct bench_duet_variety identity_hybrid = {DUET_PATTERN_IDENTITY, 1};

#define PEER(named, which)                                                                         \
    {                                                                                              \
        .name = (named), .variety = &(which), .open = open_pair, .carry = carry,                   \
        .drop_far = drop_far, .close = close_pair                                                  \
    }

const struct peer peer_duet = PEER("duet", bench_duet_ephemeral);
const struct peer peer_duet_identity = PEER("duet-identity", identity);
const struct peer peer_duet_secret = PEER("duet-secret", secret_alone);
const struct peer peer_duet_hybrid = PEER("duet-hybrid", hybrid);
const struct peer peer_duet_identity_hybrid = PEER("duet-identity-hybrid", identity_hybrid);
