/*
 * Initiation within a session: which secret opens the first HELLO, what each HELLO leads to, and
 * the turn of both directions to the session secret (docs/protocol.md §4).
 */
#include "session/session.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- Beginning and end ---- */

/** A direction under the keys of §4: the sender's half, "hello", and the nonces that are known. */
static void
start(struct duet_session *s, struct duet__cipher *d, enum duet_role sender,
      const struct duet__psk *psk)
{
    size_t nonces = sender == DUET_TOP ? WIRE_NONCE : 2 * WIRE_NONCE;
    struct duet__cipher_start with = {
        &psk->half[sender], s->config->label, "hello", {s->initiation->handshake.nonces, nonces}};

    duet__cipher_start(d, &with);
    d->limit = WIRE_HELLO_MOST;
}

static void
prepare(struct duet_session *s, const uint8_t random[DUET_RANDOM_SIZE], uint64_t now_ms)
{
    const duet_config *config = s->config;
    struct duet__initiation *initiation = s->initiation;
    struct duet__handshake *handshake = &initiation->handshake;
    struct duet__reader from = duet__reader(random, DUET_RANDOM_SIZE);

    initiation->now_ms = now_ms;
    handshake->role = (enum duet_role)s->role;
    handshake->label = config->label;
    handshake->identity = config->has_identity ? &config->identity : NULL;
    handshake->extensions = config->extensions;
    handshake->mine =
        (struct duet__params){(uint8_t)config->profile.rotate_frames,
                              (uint8_t)config->profile.rotate_blocks, config->max_payload, now_ms};
    memcpy(handshake->nonces + (s->role == DUET_TOP ? 0 : WIRE_NONCE),
           duet__read(&from, WIRE_NONCE), WIRE_NONCE);
    memcpy(handshake->noise.e, duet__read(&from, WIRE_KEY), WIRE_KEY);
    initiation->draws[0] = duet__read64(&from);
    initiation->draws[1] = duet__read64(&from);
}

int
duet__initiate(struct duet_session *s, const uint8_t random[DUET_RANDOM_SIZE], uint64_t now_ms)
{
    s->initiation = calloc(1, sizeof *s->initiation);
    if (s->initiation == NULL)
        return DUET_E_MEMORY;
    prepare(s, random, now_ms);
    if (s->role == DUET_BOTTOM)
        return DUET_OK;

    struct duet__handshake *handshake = &s->initiation->handshake;
    enum duet_pattern pattern = duet__config_offer(s->config);
    s->psk = handshake->psk = &s->config->psks[0];
    s->pattern = (int8_t)pattern;
    s->tx_phase = DUET__TX_FLIGHT;
    start(s, &s->tx, DUET_TOP, s->psk);
    int result = duet__handshake_begin(handshake, pattern);
    return result == DUET_OK ? duet__handshake_write(handshake) : result;
}

static void
drop_hello(struct duet__initiation *initiation)
{
    if (initiation->hello != NULL)
        duet_wipe(initiation->hello, initiation->hello_size);
    free(initiation->hello);
    initiation->hello = NULL;
    initiation->hello_size = 0;
}

void
duet__initiation_free(struct duet_session *s)
{
    if (s->initiation == NULL)
        return;
    drop_hello(s->initiation);
    duet_wipe(s->initiation, sizeof *s->initiation);
    free(s->initiation);
    s->initiation = NULL;
}

/* ---- The first header ---- */

/** Does this secret open it? Leaves the receiving direction within the HELLO if so. */
static int
opens(struct duet_session *s, const struct duet__psk *psk, const uint8_t *header)
{
    start(s, &s->rx, duet__peer_role(s), psk);
    int result = duet__cipher_open_header(&s->rx, header);
    if (result == DUET_OK && s->rx.code != WIRE_HELLO)
        result = DUET_E_PROTOCOL;
    return result;
}

/* §4 "Several secrets": TOP has one, a listener tries its secrets in turn. */
int
duet__first_header(struct duet_session *s, const uint8_t header[DUET_HEADER_SIZE])
{
    const duet_config *config = s->config;
    size_t count = s->role == DUET_TOP ? 1 : config->count;
    struct duet__initiation *initiation = s->initiation;
    uint8_t *place = initiation->handshake.nonces + (s->role == DUET_TOP ? WIRE_NONCE : 0);

    memcpy(place, initiation->opening, WIRE_NONCE);
    for (size_t i = 0; i < count; i++) {
        int result = opens(s, &config->psks[i], header);
        if (result == DUET_E_CRYPTO)
            return duet__session_fail(s, result, NULL);
        if (result != DUET_OK)
            continue;
        s->psk = initiation->handshake.psk = &config->psks[i];
        s->rx_phase = DUET__RX_HELLO;
        return DUET_OK;
    }
    return duet__session_fail(s, DUET_E_UNAUTHENTICATED,
                              "the peer sent bytes that none of %zu secrets opens: another "
                              "secret, another profile, or not duet",
                              count);
}

/* ---- The turn to the session secret ---- */

static struct duet__bytes
half_of_secret(const struct duet__handshake *handshake, enum duet_role role)
{
    const size_t half = sizeof handshake->secret / 2;
    struct duet__bytes bytes = {handshake->secret + (role == DUET_TOP ? 0 : half), half};
    return bytes;
}

/** Rotate our direction behind our last HELLO, once S is known. Then nothing of initiation is
 * needed any more. */
static void
turn_tx(struct duet_session *s)
{
    const struct duet__handshake *handshake = &s->initiation->handshake;

    duet__cipher_rotate(&s->tx, s->config->label,
                        half_of_secret(handshake, (enum duet_role)s->role));
    s->tx.rotate_frames = handshake->mine.rotate_frames;
    s->tx.rotate_blocks = handshake->mine.rotate_blocks;
    s->tx_phase = DUET__TX_READY;
    duet__initiation_free(s);
}

/** S can be had: rotate the peer's direction at once, as its last HELLO is read. */
static void
turn_rx(struct duet_session *s)
{
    struct duet__handshake *handshake = &s->initiation->handshake;

    duet__handshake_finish(handshake, s->exporter);
    duet__cipher_rotate(&s->rx, s->config->label, half_of_secret(handshake, duet__peer_role(s)));
    s->rx.rotate_frames = handshake->theirs.rotate_frames;
    s->rx.rotate_blocks = handshake->theirs.rotate_blocks;
    /* §4: until READY is verified, all that a direction may take on the wire is 64 KiB */
    s->rx.limit =
        s->config->max_payload < WIRE_READY_MOST ? s->config->max_payload : WIRE_READY_MOST;
    s->tx_limit = handshake->theirs.max_payload;
    s->rx_phase = DUET__RX_READY;
}

void
duet__hello_sent(struct duet_session *s)
{
    s->initiation->hellos++;
    if (s->rx_phase == DUET__RX_READY)
        turn_tx(s);
    else
        s->tx_phase = DUET__TX_WAIT;
}

/* §6 hello_pad: between least and most, both included, drawn anew for each HELLO */
struct duet__bytes
duet__hello_padding(const struct duet_session *s)
{
    const duet_profile *profile = &s->config->profile;
    const struct duet__initiation *initiation = s->initiation;
    uint64_t span = (uint64_t)profile->hello_pad_most - profile->hello_pad_least + 1;
    struct duet__bytes padding = initiation->padding[initiation->hellos];

    if (padding.data == NULL)
        padding.size =
            (size_t)(profile->hello_pad_least + initiation->draws[initiation->hellos] % span);
    return padding;
}

/* ---- What each HELLO leads to ---- */

/** Take the peer's next message out of the HELLO that has come. */
static int
read_message(struct duet_session *s)
{
    struct duet__initiation *initiation = s->initiation;
    int result =
        duet__handshake_read(&initiation->handshake, initiation->hello, initiation->hello_size);

    drop_hello(initiation);
    if (result == DUET_E_FORGED)
        return duet__session_fail(s, result,
                                  "the peer's HELLO holds a Noise message that does not "
                                  "open");
    if (result != DUET_OK)
        return duet__session_fail(s, result, "the peer's HELLO is malformed");
    return DUET_OK;
}

static int
write_message(struct duet_session *s)
{
    int result = duet__handshake_write(&s->initiation->handshake);
    return result == DUET_OK ? result : duet__session_fail(s, result, "the peer's key is no key");
}

/* §4 "Identities": judged before anything is answered to it */
static int
judge(struct duet_session *s)
{
    if (s->pattern != DUET_PATTERN_IDENTITY)
        return DUET_OK;
    memcpy(s->peer_key, s->initiation->handshake.noise.rs, sizeof s->peer_key);
    s->has_peer_key = 1;
    if (duet__config_trusts(s->config, s->peer_key))
        return DUET_OK;
    return duet__session_fail(s, DUET_E_UNTRUSTED, NULL);
}

/** TOP has m2. */
static int
second(struct duet_session *s)
{
    int result = read_message(s);

    if (result == DUET_OK)
        result = judge(s);
    if (result != DUET_OK)
        return result;
    if (s->pattern != DUET_PATTERN_IDENTITY) {
        turn_rx(s);
        turn_tx(s);
        return DUET_OK;
    }
    result = write_message(s);
    if (result != DUET_OK)
        return result;
    turn_rx(s);
    s->tx_phase = DUET__TX_THIRD;
    return DUET_OK;
}

/** BOTTOM has m3. */
static int
third(struct duet_session *s)
{
    int result = read_message(s);

    if (result == DUET_OK)
        result = judge(s);
    if (result != DUET_OK)
        return result;
    turn_rx(s);
    turn_tx(s);
    return DUET_OK;
}

int
duet__hello_done(struct duet_session *s)
{
    if (s->rx_phase == DUET__RX_THIRD)
        return third(s);
    if (s->role == DUET_TOP)
        return second(s);
    s->rx_phase = DUET__RX_ASKED;
    return DUET_OK;
}

/** Is m1's pattern one that this listener takes? */
static int
choose(struct duet_session *s)
{
    const struct duet__initiation *initiation = s->initiation;
    unsigned pattern;

    if (duet__handshake_peek(initiation->hello, initiation->hello_size, &pattern) != DUET_OK)
        return duet__session_fail(s, DUET_E_PROTOCOL, "the peer's HELLO is malformed");
    if (pattern > DUET_PATTERN_IDENTITY ||
        !(duet__config_patterns(s->config, DUET_BOTTOM) & 1u << pattern))
        return duet__session_fail(
            s, DUET_E_PROTOCOL, "the peer offers pattern %u, which is not accepted here", pattern);
    s->pattern = (int8_t)pattern;
    int result = duet__handshake_begin(&s->initiation->handshake, (enum duet_pattern)pattern);
    return result == DUET_OK ? result : duet__session_fail(s, result, NULL);
}

/* §4 "Replay": clocks count only where max_skew is set */
static int
check_time(struct duet_session *s, const uint8_t *now)
{
    uint64_t skew = s->config->max_skew_ms;
    uint64_t theirs = s->initiation->handshake.theirs.time_ms;
    uint64_t mine = now != NULL ? duet__load64(now) : s->initiation->now_ms;
    uint64_t apart = theirs > mine ? theirs - mine : mine - theirs;

    if (skew == 0 || (theirs != 0 && apart <= skew))
        return DUET_OK;
    return duet__session_fail(s, DUET_E_PROTOCOL,
                              "the peer's clock is %" PRIu64 " ms off, more than is accepted here",
                              apart);
}

/** BOTTOM has an m1 that is new: answer it with m2. */
static int
first(struct duet_session *s, const uint8_t *now)
{
    int result = choose(s);

    if (result == DUET_OK)
        result = read_message(s);
    if (result == DUET_OK)
        result = check_time(s, now);
    if (result == DUET_OK)
        result = write_message(s);
    if (result != DUET_OK)
        return result;
    start(s, &s->tx, DUET_BOTTOM, s->psk);
    s->tx_phase = DUET__TX_FLIGHT;
    s->rx_phase = DUET__RX_THIRD;
    if (duet__handshake_done(&s->initiation->handshake))
        turn_rx(s);
    return DUET_OK;
}

int
duet__nonce_known(struct duet_session *s, enum duet_request answer, const uint8_t *now)
{
    if (s->rx_phase != DUET__RX_ASKED)
        return DUET_E_MISUSE;
    if (answer == DUET_ASK_FRESH)
        return first(s, now);
    return duet__session_fail(s, DUET_E_UNAUTHENTICATED,
                              "the peer's first flight was seen before: it is a replay");
}
