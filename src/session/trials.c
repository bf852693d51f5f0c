/*
 * Which secret opens the peer's first header (docs/protocol.md §4 "Several secrets"): a listener's
 * are all tried, two at a time, from a place drawn at random, without a branch on which one fits.
 */
#include "session/session.h"

#include "base/public.h"
#include "frame/trial.h"

int
duet__session_start_hello(struct duet_session *s, struct duet__cipher *c, enum duet_role sender,
                          const struct duet__psk *psk)
{
    size_t nonces = sender == DUET_TOP ? WIRE_NONCE : 2 * WIRE_NONCE;
    struct duet__cipher_start with = {.schedule = duet__config_schedule(s->config),
                                      .sender = sender,
                                      .key = &psk->half[sender],
                                      .half = duet__psk_half(psk, sender),
                                      .use = "hello",
                                      .salt = {s->handshake->messages.nonces, nonces}};

    int result = duet__cipher_start(c, &with);
    if (result != DUET_OK)
        return duet__session_schedule_failed(s, result);
    c->limit = WIRE_HELLO_MOST;
    return DUET_OK;
}

/** Start the peer's direction with a secret and open its first header. Returns DUET_OK: it fits; 1:
 * it does not; or what ended the session. */
static int
open_header(struct duet_session *s, const struct duet__psk *psk,
            const uint8_t header[DUET_HEADER_SIZE])
{
    int result = duet__session_start_hello(s, &s->rx, duet__peer_role(s), psk);

    if (result != DUET_OK)
        return result;
    result = duet__cipher_open_header(&s->rx, header);
    if (result == DUET_E_CRYPTO)
        return duet__session_fail(s, result, NULL);
    return result == DUET_OK && s->rx.code == WIRE_HELLO ? DUET_OK : 1;
}

/** 1 when the opening that has arrived could be one of this secret's dialect (§6). */
static int
opening_fits(const struct duet_session *s, const struct duet__psk *psk)
{
    return duet__dialect_fits(&psk->dialect, duet__peer_role(s), s->handshake->arrived);
}

/** Which secrets a first header is tried with: those whose opening (§6) has the size that has
 * arrived, or a larger one. */
enum trial_of { TRIAL_DUE, TRIAL_LATER };

/** The trials of a listener's secrets on one header, two at a time. */
struct trials {
    struct duet__trial trial;
    size_t pair[2]; /* numbers of secrets */
    size_t waiting; /* of pair */
    size_t match;   /* 1 + the number of the first that fits; 0: none. No branch depends on it */
};

/** 1 when this is the clear header of a first HELLO (§1, §4), else 0; no branch depends on it. */
static size_t
is_first_hello(const uint8_t clear[DUET_HEADER_SIZE])
{
    uint32_t length = duet__load32(clear + WIRE_LENGTH);
    uint32_t code = duet__load32(clear + WIRE_CODE);
    uint32_t seq = duet__load32(clear + WIRE_SEQ);
    uint32_t wrong = (length ^ code ^ seq ^ duet__load32(clear + WIRE_CHECKSUM)) |
                     (code ^ WIRE_HELLO) | (seq ^ 1);
    uint64_t too_long = ((uint64_t)WIRE_HELLO_MOST - length) >> 63;

    return (size_t)((((uint64_t)wrong - 1) >> 63) & (too_long ^ 1));
}

/** Try the secrets that wait. One alone is tried beside itself, in the time of two. */
static int
try_pair(struct duet_session *s, struct trials *trials)
{
    const struct duet__psk *psks = s->config->psks;
    uint8_t clear[2][DUET_HEADER_SIZE];

    if (trials->waiting == 1)
        trials->pair[1] = trials->pair[0];
    const struct duet__hmac_key *const half[2] = {&psks[trials->pair[0]].half[DUET_TOP],
                                                  &psks[trials->pair[1]].half[DUET_TOP]};
    int result = duet__trial_two(&trials->trial, half, clear);
    for (size_t lane = 0; lane < 2; lane++) {
        size_t none = ((uint64_t)trials->match - 1) >> 63;
        size_t take = 0 - (is_first_hello(clear[lane]) & none);
        trials->match |= take & (trials->pair[lane] + 1);
    }
    trials->waiting = 0;
    duet_wipe(clear, sizeof clear);
    return result == DUET_OK ? result : duet__session_fail(s, result, NULL);
}

/** Try one more secret. Under a schedule of the application's each is tried by itself. */
static int
try_secret(struct duet_session *s, struct trials *trials, size_t i,
           const uint8_t header[DUET_HEADER_SIZE])
{
    s->handshake->tried++;
    if (duet__config_schedule(s->config).own == NULL) {
        trials->pair[trials->waiting++] = i;
        return trials->waiting < 2 ? DUET_OK : try_pair(s, trials);
    }
    int result = open_header(s, &s->config->psks[i], header);
    if (result == DUET_OK && trials->match == 0)
        trials->match = i + 1;
    return result < 0 ? result : DUET_OK;
}

/** Try secrets on the peer's first header, from a place that this side's nonce draws: how long it
 * takes must not show which one fits. Returns DUET_OK with the match, if any, or what ended the
 * session. */
static int
try_secrets(struct duet_session *s, const uint8_t *nonce, enum trial_of which,
            const struct duet__psk **match)
{
    const duet_config *config = s->config;
    struct duet__session_handshake *hs = s->handshake;
    const uint8_t *header = nonce + WIRE_NONCE;
    size_t start = duet__load32(hs->messages.nonces + WIRE_NONCE) % config->count;
    struct trials trials = {.waiting = 0, .match = 0};
    int result = DUET_OK;

    duet__trial_begin(&trials.trial, duet__config_schedule(config).label, nonce, header);
    for (size_t k = 0; k < config->count && result == DUET_OK; k++) {
        size_t i = (start + k) % config->count;
        size_t size = config->psks[i].dialect.size[DUET_TOP];
        int due = which == TRIAL_DUE ? size == hs->opening_size : size > hs->opening_size;
        if (due && duet__psk_valid(&config->psks[i], hs->now_ms))
            result = try_secret(s, &trials, i, header);
    }
    if (result == DUET_OK && trials.waiting > 0)
        result = try_pair(s, &trials);
    size_t found = trials.match;
    duet_wipe(&trials, sizeof trials);
    DUET__PUBLIC(&found, sizeof found);
    if (result == DUET_OK && found > 0 && which == TRIAL_DUE &&
        opening_fits(s, &config->psks[found - 1]))
        *match = &config->psks[found - 1];
    return result;
}

/** Open the peer's first header by the only secret that there is. Returns as try_secrets(). */
static int
try_only(struct duet_session *s, const uint8_t *nonce, const struct duet__psk **match)
{
    struct duet__session_handshake *hs = s->handshake;
    const struct duet__psk *psk = s->role == DUET_TOP ? s->psk : s->config->psks;

    if (!duet__psk_valid(psk, hs->now_ms))
        return DUET_OK;
    hs->tried = 1;
    int result = open_header(s, psk, nonce + WIRE_NONCE);
    if (result == DUET_OK && opening_fits(s, psk))
        *match = psk;
    return result < 0 ? result : DUET_OK;
}

/** A listener's secrets, all but those that have expired, without an end at the match: then the one
 * that fits opens the header. */
static int
try_all(struct duet_session *s, const uint8_t *nonce, const struct duet__psk **match)
{
    int result = try_secrets(s, nonce, TRIAL_DUE, match);

    if (result != DUET_OK || *match == NULL)
        return result;
    result = try_secrets(s, nonce, TRIAL_LATER, match); /* for their time alone */
    return result == DUET_OK ? open_header(s, *match, nonce + WIRE_NONCE) : result;
}

int
duet__session_try_secrets(struct duet_session *s, const uint8_t *nonce,
                          const struct duet__psk **match)
{
    if (s->role == DUET_TOP || s->config->count == 1)
        return try_only(s, nonce, match);
    return try_all(s, nonce, match);
}
