/*
 * The handshake within a session: which secret opens the first HELLO, what each HELLO leads to, and
 * the change of both directions to the session secret S (docs/protocol.md §4).
 *
 * The messages that HELLOs carry are written and read by handshake/; HELLO frames are sealed by
 * emit.c and opened by recv.c.
 */
#include "session/session.h"

#include <inttypes.h>
#include <stdlib.h>

enum { DRAW_SEED = 16 }; /* random bytes that draw what shows of our flights */

/* ---- Its beginning ---- */

/** The smallest size of a peer's opening, `least` at least, among the secrets of this listener; 0:
 * none, or no opening. */
static size_t
next_opening(const struct duet_session *s, size_t least)
{
    size_t next = 0;

    for (size_t i = 0; i < s->config->count; i++) {
        size_t size = s->config->psks[i].dialect.size[DUET_TOP];
        if (size >= least && (next == 0 || size < next))
            next = size;
    }
    return next;
}

/** Draw what shows of our flights: sizes, and under a dialect the opening (§6). */
static void
draw_sizes(struct duet_session *s, const uint8_t seed[DRAW_SEED])
{
    static const char what[] = WIRE_VERSION_TEXT " draws";
    struct duet__session_handshake *hs = s->handshake;
    uint8_t key[WIRE_DIGEST] = {0}; /* as HMAC fills a shorter one */
    uint8_t drawn[sizeof s->first_draw + sizeof hs->draws + sizeof hs->letters];
    size_t letters = s->config->profile.dialect ? sizeof hs->letters : 0;
    struct duet__reader from = duet__reader(drawn, sizeof drawn);

    memcpy(key, seed, DRAW_SEED);
    /* A random key needs no extraction (RFC 5869 §3.3). */
    duet__hkdf_expand(key, (struct duet__bytes){what, sizeof what - 1}, DUET__NO_BYTES, drawn,
                      sizeof drawn - sizeof hs->letters + letters);
    s->first_draw = duet__read64(&from);
    hs->draws[0] = duet__read64(&from);
    hs->draws[1] = duet__read64(&from);
    memcpy(hs->letters, duet__read(&from, letters), letters);
    duet_wipe(key, sizeof key);
    duet_wipe(drawn, sizeof drawn);
}

int
duet__session_begin_handshake(struct duet_session *s, const uint8_t random[DUET_RANDOM_SIZE],
                              uint64_t now_ms)
{
    const duet_config *config = s->config;
    struct duet__reader from = duet__reader(random, DUET_RANDOM_SIZE);
    struct duet__session_handshake *hs = calloc(1, sizeof *hs);

    if (hs == NULL)
        return DUET_E_MEMORY;
    s->handshake = hs;
    struct duet__handshake *messages = &hs->messages;
    hs->now_ms = now_ms;
    messages->role = (enum duet_role)s->role;
    messages->label = config->label;
    messages->identity = config->has_identity ? &config->identity : NULL;
    memcpy(messages->extensions, config->extensions, sizeof messages->extensions);
    messages->hybrid.setting = duet__config_hybrid(config);
    messages->mine = (struct duet__params){.rotate_frames = (uint8_t)config->profile.rotate_frames,
                                           .rotate_blocks = (uint8_t)config->profile.rotate_blocks,
                                           .max_payload = config->max_payload,
                                           .time_ms = now_ms};
    uint8_t *nonce = messages->nonces + (s->role == DUET_TOP ? 0 : WIRE_NONCE);
    memcpy(nonce, duet__read(&from, WIRE_NONCE), WIRE_NONCE);
    memcpy(messages->noise.e, duet__read(&from, WIRE_KEY), WIRE_KEY);
    draw_sizes(s, duet__read(&from, DRAW_SEED));
    memcpy(messages->hybrid.draw, duet__read(&from, DUET__MLKEM_SEED), DUET__MLKEM_SEED);
    if (s->role == DUET_BOTTOM) {
        hs->opening_size = next_opening(s, 0);
        return DUET_OK;
    }
    enum duet_pattern pattern = duet__config_offer(config);
    s->psk = messages->psk = duet__config_first(config, now_ms);
    hs->opening_size = s->psk->dialect.size[DUET_BOTTOM];
    duet__session_begin_first(s);
    s->pattern = (int8_t)pattern;
    s->tx_phase = DUET__TX_FLIGHT;
    int result = duet__handshake_make_room(messages);
    if (result == DUET_OK)
        result = duet__session_start_hello(s, &s->tx, DUET_TOP, s->psk);
    if (result == DUET_OK)
        result = duet__handshake_begin(messages, pattern);
    if (result == DUET_OK && pattern != DUET_PATTERN_SECRET)
        result = duet__hybrid_offer(&messages->hybrid);
    return result == DUET_OK ? duet__handshake_write(messages) : result;
}

/** The peer's first header is not opened. */
static int
refuse_header(struct duet_session *s, size_t tried)
{
    if (s->role == DUET_TOP || s->config->count == 1)
        return duet__session_fail(
            s, DUET_E_UNAUTHENTICATED,
            tried == 0 ? "the secret is past its NotAfter: make a new one, for both ends"
                       : "the peer sent bytes that the secret does not open: another secret, "
                         "another profile, or not duet");
    if (tried < s->config->count)
        return duet__session_fail(s, DUET_E_UNAUTHENTICATED,
                                  "the peer sent bytes that none of %zu secrets opens; %zu "
                                  "other(s) are past their NotAfter",
                                  tried, s->config->count - tried);
    return duet__session_fail(s, DUET_E_UNAUTHENTICATED,
                              "the peer sent bytes that none of %zu secrets opens: another "
                              "secret, another profile, or not duet",
                              tried);
}

/* §4 "Several secrets" */
int
duet__session_first_header(struct duet_session *s)
{
    struct duet__session_handshake *hs = s->handshake;
    struct duet__handshake *messages = &hs->messages;
    const uint8_t *nonce = hs->arrived + hs->opening_size;
    const struct duet__psk *match = NULL;

    memcpy(messages->nonces + (s->role == DUET_TOP ? WIRE_NONCE : 0), nonce, WIRE_NONCE);
    int result = duet__session_try_secrets(s, nonce, &match);
    if (result < 0)
        return result;
    if (match == NULL) {
        size_t next = s->role == DUET_TOP ? 0 : next_opening(s, hs->opening_size + 1);
        if (next == 0)
            return refuse_header(s, hs->tried);
        hs->opening_size = next;
        return DUET_OK;
    }
    s->psk = messages->psk = match;
    if (s->role == DUET_BOTTOM)
        duet__session_begin_first(s);
    s->rx_phase = DUET__RX_HELLO;
    return DUET_OK;
}

/* ---- The change to the session secret ---- */

/** Rotate a direction with the sender's half of S; params: what the sender announced. Returns
 * DUET_OK or a fatal result. */
static int
change_keys(struct duet_session *s, struct duet__cipher *c, enum duet_role sender,
            const struct duet__params *params)
{
    const struct duet__handshake *messages = &s->handshake->messages;
    const struct duet__schedule schedule = duet__config_schedule(s->config);
    const size_t half = sizeof messages->secret / 2;
    const struct duet__bytes fresh = {messages->secret + (sender == DUET_TOP ? 0 : half), half};

    int result = duet__cipher_rotate(c, &schedule, fresh);
    if (result != DUET_OK)
        return duet__session_schedule_failed(s, result);
    c->rotate_frames = params->rotate_frames;
    c->rotate_blocks = params->rotate_blocks;
    return DUET_OK;
}

/** S is known and our last HELLO sealed. The handshake's block is not needed any more. */
static int
change_tx(struct duet_session *s)
{
    int result = change_keys(s, &s->tx, (enum duet_role)s->role, &s->handshake->messages.mine);

    if (result == DUET_OK)
        result = duet__session_check_keys(s);
    if (result != DUET_OK)
        return result;
    s->tx_phase = DUET__TX_READY;
    duet__session_drop_handshake(s);
    return DUET_OK;
}

/** All messages are written and read: derive S, and change the peer's direction, whose last HELLO
 * has been read. */
static int
change_rx(struct duet_session *s)
{
    struct duet__handshake *messages = &s->handshake->messages;

    s->hybrid = messages->hybrid.agreed != 0;
    duet__handshake_finish(messages, s->exporter);
    int result = change_keys(s, &s->rx, duet__peer_role(s), &messages->theirs);
    if (result != DUET_OK)
        return result;
    /* §4: up to READY a direction may take 64 KiB on the wire */
    s->rx.limit = (uint32_t)duet__min(s->config->max_payload, WIRE_READY_MOST);
    s->tx_limit = messages->theirs.max_payload;
    s->rx_phase = DUET__RX_READY;
    return DUET_OK;
}

int
duet__session_hello_sent(struct duet_session *s)
{
    s->handshake->hellos++;
    if (s->rx_phase == DUET__RX_READY)
        return change_tx(s);
    s->tx_phase = DUET__TX_WAIT;
    return DUET_OK;
}

/* §6 hello_size: what is missing of a size that is drawn anew for each HELLO */
struct duet__bytes
duet__session_hello_padding(const struct duet_session *s)
{
    const struct duet__profile *profile = &s->config->profile;
    const struct duet__session_handshake *hs = s->handshake;
    struct duet__range range = {profile->hello_least, profile->hello_most};
    struct duet__bytes padding = hs->padding[hs->hellos];

    if (padding.data != NULL)
        return padding;
    if (s->psk->dialect.used && !profile->hello_given)
        range = s->psk->dialect.hello_size;
    size_t size = duet__range_draw(range, hs->draws[hs->hellos]);
    size_t flight = DUET_FRAME_OVERHEAD + hs->messages.message_size;
    if (hs->hellos == 0)
        flight += WIRE_NONCE;
    padding.size = size > flight ? size - flight : 0;
    return padding;
}

/* ---- What each HELLO leads to ---- */

/** Read the peer's message from the HELLO that has arrived. */
static int
read_message(struct duet_session *s)
{
    struct duet__session_handshake *hs = s->handshake;
    int result = duet__handshake_read(&hs->messages, hs->hello, hs->hello_size);

    duet__session_drop_hello(s);
    if (result == DUET_E_FORGED)
        return duet__session_fail(s, result,
                                  "the peer's HELLO holds a Noise message that does not decrypt");
    if (result == DUET_E_UNTRUSTED)
        return duet__session_fail(s, DUET_E_UNAUTHENTICATED,
                                  "hybrid is required here, and the peer's is off, or its "
                                  "libcrypto is too old (OpenSSL before 3.5)");
    if (result != DUET_OK)
        return duet__session_fail(s, result, "the peer's HELLO is malformed");
    return DUET_OK;
}

static int
write_message(struct duet_session *s)
{
    int result = duet__handshake_write(&s->handshake->messages);

    return result == DUET_OK ? result
                             : duet__session_fail(s, result, "the peer's public key is not valid");
}

/* §4 "Identities": judged before anything is answered to it */
static int
check_identity(struct duet_session *s)
{
    if (s->pattern != DUET_PATTERN_IDENTITY)
        return DUET_OK;
    memcpy(s->peer_key, s->handshake->messages.noise.rs, sizeof s->peer_key);
    s->has_peer_key = 1;
    if (duet__config_trusts(s->config, s->peer_key))
        return DUET_OK;
    return duet__session_fail(s, DUET_E_UNTRUSTED, NULL);
}

int
duet__session_hello_received(struct duet_session *s)
{
    int third = s->rx_phase == DUET__RX_THIRD;

    if (s->role == DUET_BOTTOM && !third) { /* m1 is read once its nonce is known to be new */
        s->rx_phase = DUET__RX_ASKED;
        return DUET_OK;
    }
    int result = read_message(s);
    if (result == DUET_OK)
        result = check_identity(s);
    if (result != DUET_OK)
        return result;
    if (!third && s->pattern == DUET_PATTERN_IDENTITY) { /* TOP has m2, and answers with m3 */
        result = write_message(s);
        if (result != DUET_OK)
            return result;
        s->tx_phase = DUET__TX_THIRD;
        return change_rx(s);
    }
    result = change_rx(s);
    return result == DUET_OK ? change_tx(s) : result;
}

/** Begin with m1's pattern, if this listener accepts it. */
static int
accept_pattern(struct duet_session *s)
{
    struct duet__session_handshake *hs = s->handshake;
    unsigned pattern;

    if (duet__handshake_peek(hs->hello, hs->hello_size, &pattern) != DUET_OK)
        return duet__session_fail(s, DUET_E_PROTOCOL, "the peer's HELLO is malformed");
    if (pattern >= DUET_PATTERN_COUNT ||
        !(duet__config_patterns(s->config, DUET_BOTTOM) & 1u << pattern))
        return duet__session_fail(
            s, DUET_E_PROTOCOL, "the peer offers pattern %u, which is not accepted here", pattern);
    s->pattern = (int8_t)pattern;
    int result = duet__handshake_begin(&hs->messages, (enum duet_pattern)pattern);
    return result == DUET_OK ? result : duet__session_fail(s, result, NULL);
}

/* §4 "Replay": clocks count only where max_skew is set */
static int
check_time(struct duet_session *s, uint64_t now_ms)
{
    uint64_t skew = s->config->max_skew_ms;
    uint64_t theirs = s->handshake->messages.theirs.time_ms;
    uint64_t mine = now_ms != 0 ? now_ms : s->handshake->now_ms;
    uint64_t apart = theirs > mine ? theirs - mine : mine - theirs;

    if (skew == 0 || (theirs != 0 && apart <= skew))
        return DUET_OK;
    return duet__session_fail(s, DUET_E_PROTOCOL,
                              "the peer's clock is %" PRIu64 " ms off, more than is accepted here",
                              apart);
}

int
duet__session_refuse(struct duet_session *s)
{
    if (s->error != DUET_OK)
        return s->error;
    if (s->rx_phase != DUET__RX_ASKED)
        return DUET_E_MISUSE;
    return duet__session_fail(s, DUET_E_UNAUTHENTICATED,
                              "the peer's first flight was seen before: it is a replay");
}

/* BOTTOM's replay cache has looked m1's nonce up: if it is new, answer m1 with m2. */
int
duet_session_accept(duet_session *s, uint64_t now_ms)
{
    if (s->error != DUET_OK)
        return s->error;
    if (s->rx_phase != DUET__RX_ASKED)
        return DUET_E_MISUSE;
    if (s->own != NULL)
        return duet__own_accepted(s);
    int result = accept_pattern(s);
    if (result == DUET_OK)
        result = read_message(s);
    if (result == DUET_OK)
        result = check_time(s, now_ms);
    if (result == DUET_OK)
        result = write_message(s);
    if (result != DUET_OK)
        return result;
    result = duet__session_start_hello(s, &s->tx, DUET_BOTTOM, s->psk);
    if (result != DUET_OK)
        return result;
    s->tx_phase = DUET__TX_FLIGHT;
    s->rx_phase = DUET__RX_THIRD;
    return duet__handshake_done(&s->handshake->messages) ? change_rx(s) : DUET_OK;
}
