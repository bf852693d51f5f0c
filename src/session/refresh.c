/*
 * Refresh, the DH ratchet: a fresh X25519 exchange mixed into both directions' keys
 * (docs/protocol.md §5). session.h has the table of its phases.
 *
 * The asker sends 0x01 ‖ e; the answerer sends 0x02 ‖ e' and rotates its sending direction; the
 * asker sends 0x03 and rotates its own. Each end rotates its receiving direction after the frame
 * after which the peer rotated. In a hybrid session the two also bear an ML-KEM-768 key and a
 * ciphertext for it. Timing and randomness are the caller's.
 */
#include "session/session.h"

#include "base/public.h"

#include "crypto/x25519.h"

#include <stdlib.h>
#include <string.h>

/* bytes: "refresh" ‖ e ‖ e' ‖ DH, in a hybrid session ‖ SHA-256(ek ‖ ct) ‖ ss */
enum { FRESH = 7 + 3 * WIRE_KEY + WIRE_DIGEST + DUET__MLKEM_SHARED };

/** The payload of the REFRESH that is being received. */
static const uint8_t *
refresh_payload(const struct duet_session *s)
{
    return s->large != NULL ? s->large : s->held;
}

/** Rotate a direction with what both ends have agreed on. */
static void
rotate_fresh(struct duet_session *s, struct duet__cipher *c)
{
    const struct duet__refresh *refresh = s->refresh;
    uint8_t fresh[FRESH];
    struct duet__writer to = duet__writer(fresh, sizeof fresh);

    duet__write(&to, "refresh", 7);
    duet__write(&to, refresh->asked, WIRE_KEY);
    duet__write(&to, refresh->answered, WIRE_KEY);
    duet__write(&to, refresh->dh, WIRE_KEY);
    if (s->hybrid) {
        duet__write(&to, refresh->kem_hash, WIRE_DIGEST);
        duet__write(&to, refresh->shared, DUET__MLKEM_SHARED);
    }
    duet__session_rotate(s, c, (struct duet__bytes){fresh, to.used});
    duet_wipe(fresh, sizeof fresh);
}

/** Make s->refresh with a key pair of ours; the public key goes to public_key. Without memory
 * nothing is changed; another failure is fatal. */
static int
begin_refresh(struct duet_session *s, const uint8_t *random, uint8_t public_key[WIRE_KEY])
{
    struct duet__refresh *refresh = calloc(1, sizeof *refresh);

    if (refresh == NULL)
        return DUET_E_MEMORY;
    s->refresh = refresh;
    memcpy(refresh->private_key, random, WIRE_KEY);
    int result = duet__x25519_public(public_key, random);
    return result == DUET_OK ? result : duet__session_fail(s, result, NULL);
}

/** Compute the DH of our key pair, of which this is the public half, and the peer's key. */
static int
compute_dh(struct duet_session *s, const uint8_t my_key[WIRE_KEY],
           const uint8_t their_key[WIRE_KEY])
{
    struct duet__refresh *refresh = s->refresh;
    const struct duet__x25519_pair mine = {refresh->private_key, my_key};
    int result = duet__x25519(refresh->dh, &mine, their_key);

    duet_wipe(refresh->private_key, sizeof refresh->private_key);
    if (result == DUET_OK)
        return result;
    return duet__session_fail(s, result, "the public key in the peer's REFRESH is not valid");
}

/** Keep SHA-256(ek ‖ ct). */
static void
hash_kem(struct duet__refresh *refresh, const uint8_t *key, const uint8_t *text)
{
    struct duet__sha256 hash;
    uint32_t chain[8];

    duet__sha256_begin(&hash, duet__sha256_initial);
    duet__sha256_update(&hash, key, DUET__MLKEM_KEY);
    duet__sha256_update(&hash, text, DUET__MLKEM_TEXT);
    duet__sha256_end(&hash, chain);
    duet__chain_store(refresh->kem_hash, chain);
}

/** Asker: make the key pair of which 0x01 bears the key. */
static int
offer_kem(struct duet_session *s, const uint8_t *seed)
{
    if (!s->hybrid)
        return DUET_OK;
    int result = duet__mlkem_generate(&s->refresh->pair, s->refresh->kem_mine, seed);
    return result == DUET_OK ? result : duet__session_fail(s, result, NULL);
}

/** Answerer: 0x01 lies in s->large; make a ciphertext for its key. */
static int
answer_kem(struct duet_session *s, const uint8_t *draw)
{
    struct duet__refresh *refresh = s->refresh;

    if (!s->hybrid)
        return DUET_OK;
    const uint8_t *key = s->large + DUET__HELD;
    int result = duet__mlkem_encapsulate(refresh->kem_mine, refresh->shared, key, draw);
    if (result != DUET_OK)
        return duet__session_fail(s, result, "the ML-KEM key in the peer's REFRESH is not valid");
    hash_kem(refresh, key, refresh->kem_mine);
    duet__session_drop_large(s);
    return DUET_OK;
}

/** Asker: 0x02 lies in s->large; open its ciphertext. */
static int
open_kem(struct duet_session *s)
{
    struct duet__refresh *refresh = s->refresh;

    if (!s->hybrid)
        return DUET_OK;
    const uint8_t *text = s->large + DUET__HELD;
    int result = duet__mlkem_decapsulate(refresh->shared, refresh->pair, text);
    if (result != DUET_OK)
        return duet__session_fail(s, result, NULL);
    hash_kem(refresh, refresh->kem_mine, text);
    duet__mlkem_free(refresh->pair);
    refresh->pair = NULL;
    return DUET_OK;
}

/* ---- What the caller asks for ---- */

int
duet__session_may_refresh(const struct duet_session *s)
{
    return s->error == DUET_OK && !s->raw && s->ready && duet__session_may_send(s) &&
           s->rx_phase != DUET__RX_CLOSED && s->refresh_phase == DUET__REFRESH_NONE;
}

static int
ask_refresh(struct duet_session *s, const uint8_t random[DUET_FRESH_SIZE])
{
    uint8_t public_key[WIRE_KEY];

    if (!duet__session_may_refresh(s))
        return DUET_E_MISUSE;
    int result = begin_refresh(s, random, public_key);
    if (result == DUET_OK)
        result = offer_kem(s, random + WIRE_KEY);
    if (result != DUET_OK)
        return result;
    memcpy(s->refresh->asked, public_key, WIRE_KEY);
    s->refresh_phase = DUET__REFRESH_ASK_PENDING;
    s->pending |= DUET__PENDING_ASK;
    return DUET_OK;
}

/** The 0x01 that is answered is still in s->held or s->large: nothing is received until this is
 * done. */
static int
answer_refresh(struct duet_session *s, const uint8_t random[DUET_FRESH_SIZE])
{
    uint8_t public_key[WIRE_KEY];

    if (s->tx_phase == DUET__TX_CLOSED) { /* our CLOSE was emitted meanwhile: there is no answer */
        s->refresh_phase = DUET__REFRESH_UNANSWERED;
        duet__session_drop_large(s);
        return DUET_OK;
    }
    int result = begin_refresh(s, random, public_key);
    if (result != DUET_OK)
        return result;
    memcpy(s->refresh->asked, refresh_payload(s) + 1, WIRE_KEY);
    memcpy(s->refresh->answered, public_key, WIRE_KEY);
    s->refresh_phase = DUET__REFRESH_ANSWER_PENDING;
    s->pending |= DUET__PENDING_ANSWER;
    result = compute_dh(s, s->refresh->answered, s->refresh->asked);
    return result == DUET_OK ? answer_kem(s, random + WIRE_KEY) : result;
}

int
duet_session_refresh(duet_session *s, const uint8_t random[DUET_FRESH_SIZE])
{
    if (s->error != DUET_OK)
        return s->error;
    if (random == NULL)
        return DUET_E_MISUSE;
    return s->refresh_phase == DUET__REFRESH_RANDOM_WANTED ? answer_refresh(s, random)
                                                           : ask_refresh(s, random);
}

/* ---- What is emitted ---- */

size_t
duet__refresh_size(const struct duet_session *s, enum duet__pending what)
{
    if (what == DUET__PENDING_DONE)
        return 1;
    if (!s->hybrid)
        return DUET__HELD;
    return (size_t)DUET__HELD + (what == DUET__PENDING_ASK ? DUET__MLKEM_KEY : DUET__MLKEM_TEXT);
}

void
duet__refresh_fill(const struct duet_session *s, enum duet__pending what, uint8_t *payload)
{
    if (what == DUET__PENDING_DONE) {
        payload[0] = WIRE_REFRESH_DONE;
        return;
    }
    int ask = what == DUET__PENDING_ASK;
    payload[0] = ask ? WIRE_REFRESH_ASK : WIRE_REFRESH_ANSWER;
    memcpy(payload + 1, ask ? s->refresh->asked : s->refresh->answered, WIRE_KEY);
    if (s->hybrid)
        memcpy(payload + DUET__HELD, s->refresh->kem_mine,
               duet__refresh_size(s, what) - DUET__HELD);
}

void
duet__refresh_sent(struct duet_session *s, enum duet__pending what)
{
    if (what == DUET__PENDING_ASK) {
        s->refresh_phase = DUET__REFRESH_ASKED;
        return;
    }
    rotate_fresh(s, &s->tx);
    s->refreshes++;
    s->refresh_phase = DUET__REFRESH_ANSWERED;
    /* No 0x03 will come from a peer that has closed. */
    if (what == DUET__PENDING_DONE || s->rx_phase == DUET__RX_CLOSED)
        duet__session_drop_refresh(s);
}

/* ---- What is received ---- */

/* A frame of ours that is pending is still emitted. */
void
duet__refresh_peer_closed(struct duet_session *s)
{
    if (s->refresh_phase != DUET__REFRESH_DONE_PENDING &&
        s->refresh_phase != DUET__REFRESH_ANSWER_PENDING)
        duet__session_drop_refresh(s);
}

/* 0x01. While our own is unanswered TOP's stands: TOP ignores the peer's, BOTTOM gives way. */
static int
ask_received(struct duet_session *s, enum duet_event *event)
{
    int crossed = s->refresh_phase == DUET__REFRESH_ASKED;
    int allowed = s->refresh_phase == DUET__REFRESH_NONE ||
                  s->refresh_phase == DUET__REFRESH_ASK_PENDING ||
                  (crossed && !s->refresh->ignored);

    if (!allowed)
        return duet__session_violation(s, "REFRESH 0x01 within a refresh");
    duet__session_rotate_if_due(s, &s->rx);
    if (crossed && s->role == DUET_TOP) {
        s->refresh->ignored = 1;
        return DUET_OK;
    }
    duet__session_drop_refresh(s);
    if (s->tx_phase == DUET__TX_CLOSED) {
        s->refresh_phase = DUET__REFRESH_UNANSWERED;
        return DUET_OK;
    }
    s->refresh_phase = DUET__REFRESH_RANDOM_WANTED;
    *event = DUET_EVENT_RANDOM;
    return DUET_OK;
}

/* 0x02 */
static int
answer_received(struct duet_session *s)
{
    if (s->refresh_phase != DUET__REFRESH_ASKED)
        return duet__session_violation(s, "REFRESH 0x02 without a 0x01");
    memcpy(s->refresh->answered, refresh_payload(s) + 1, WIRE_KEY);
    int result = compute_dh(s, s->refresh->asked, s->refresh->answered);
    if (result == DUET_OK)
        result = open_kem(s);
    if (result != DUET_OK)
        return result;
    rotate_fresh(s, &s->rx);
    if (s->tx_phase == DUET__TX_CLOSED) {
        duet__session_drop_refresh(s);
        return DUET_OK;
    }
    s->refresh_phase = DUET__REFRESH_DONE_PENDING;
    s->pending |= DUET__PENDING_DONE;
    return DUET_OK;
}

/* 0x03 */
static int
done_received(struct duet_session *s)
{
    if (s->refresh_phase != DUET__REFRESH_ANSWERED)
        return duet__session_violation(s, "REFRESH 0x03 without a 0x02");
    rotate_fresh(s, &s->rx);
    duet__session_drop_refresh(s);
    return DUET_OK;
}

int
duet__refresh_received(struct duet_session *s, enum duet_event *event)
{
    uint32_t size = s->rx.length;

    if (s->raw)
        return duet__session_violation(s, "REFRESH on raw directions");
    const uint8_t *payload = refresh_payload(s);
    DUET__PUBLIC(payload, 1);
    int kind = size > 0 ? payload[0] : 0;
    if (kind == WIRE_REFRESH_ASK && size == duet__refresh_size(s, DUET__PENDING_ASK))
        return ask_received(s, event);
    if (kind == WIRE_REFRESH_ANSWER && size == duet__refresh_size(s, DUET__PENDING_ANSWER))
        return answer_received(s);
    if (kind == WIRE_REFRESH_DONE && size == 1)
        return done_received(s);
    return duet__session_violation(s, "a REFRESH of unknown kind or wrong size");
}
