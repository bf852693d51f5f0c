/*
 * Refresh: a Diffie-Hellman step within a session (docs/protocol.md §5).
 *
 * The asker sends 0x01 ‖ e, the answerer 0x02 ‖ e' and turns, the asker 0x03 and turns; each end
 * turns its receiving direction where the other turns its sending one.
 */
#include "session/session.h"

#include "base/public.h"

#include "crypto/x25519.h"

#include <stdlib.h>
#include <string.h>

enum { FRESH = 7 + 3 * WIRE_KEY }; /* bytes: "refresh" ‖ e ‖ e' ‖ DH */

/** Forget the refresh that is under way. */
static void
forget(struct duet_session *s)
{
    if (s->refresh != NULL)
        duet_wipe(s->refresh, sizeof *s->refresh);
    free(s->refresh);
    s->refresh = NULL;
    s->owed &= (uint8_t) ~(DUET__OWE_ASK | DUET__OWE_ANSWER | DUET__OWE_DONE);
}

void
duet__refresh_drop(struct duet_session *s)
{
    forget(s);
    s->refresh_phase = DUET__REFRESH_NONE;
}

/** Rotate a direction with what both ends have agreed on. */
static void
turn(struct duet_session *s, struct duet__cipher *d)
{
    const struct duet__refresh *refresh = s->refresh;
    uint8_t fresh[FRESH];
    struct duet__writer to = duet__writer(fresh, sizeof fresh);

    duet__write(&to, "refresh", 7);
    duet__write(&to, refresh->asked, WIRE_KEY);
    duet__write(&to, refresh->answered, WIRE_KEY);
    duet__write(&to, refresh->dh, WIRE_KEY);
    duet__session_rotate(s, d, (struct duet__bytes){fresh, to.used});
    duet_wipe(fresh, sizeof fresh);
}

/** A block for a refresh with a key pair of ours; the public key goes to public_key. */
static int
begin(struct duet__refresh **refresh, const uint8_t *random, uint8_t public_key[WIRE_KEY])
{
    *refresh = calloc(1, sizeof **refresh);
    if (*refresh == NULL)
        return DUET_E_MEMORY;
    memcpy((*refresh)->private_key, random, WIRE_KEY);
    int result = duet__x25519_public(public_key, random);
    if (result == DUET_OK)
        return result;
    duet_wipe(*refresh, sizeof **refresh);
    free(*refresh);
    *refresh = NULL;
    return result;
}

static int
agree(struct duet_session *s, const uint8_t my_key[WIRE_KEY], const uint8_t their_key[WIRE_KEY])
{
    struct duet__refresh *refresh = s->refresh;
    const struct duet__x25519_pair mine = {refresh->private_key, my_key};
    int result = duet__x25519(refresh->dh, &mine, their_key);

    duet_wipe(refresh->private_key, sizeof refresh->private_key);
    if (result == DUET_OK)
        return result;
    return duet__session_fail(s, result, "the peer's key in REFRESH is no key");
}

/* ---- What this side does ---- */

int
duet__refresh_ask(struct duet_session *s, const uint8_t random[DUET_FRESH_SIZE])
{
    struct duet__refresh *refresh;
    uint8_t public_key[WIRE_KEY];

    if (!s->ready || !duet__session_may_send(s) || s->rx_phase == DUET__RX_CLOSED ||
        s->refresh_phase != DUET__REFRESH_NONE)
        return DUET_E_MISUSE;
    int result = begin(&refresh, random, public_key);
    if (result == DUET_E_MEMORY)
        return result;
    if (result != DUET_OK)
        return duet__session_fail(s, result, NULL);
    memcpy(refresh->asked, public_key, WIRE_KEY);
    s->refresh = refresh;
    s->refresh_phase = DUET__REFRESH_OWED;
    s->owed |= DUET__OWE_ASK;
    return DUET_OK;
}

/** The 0x01 that is answered lies in held: nothing is received until this is done. */
int
duet__refresh_answer(struct duet_session *s, const uint8_t random[DUET_FRESH_SIZE])
{
    struct duet__refresh *refresh;
    uint8_t public_key[WIRE_KEY];

    if (s->refresh_phase != DUET__REFRESH_WANTED)
        return DUET_E_MISUSE;
    if (s->tx_phase == DUET__TX_CLOSED) { /* our CLOSE went out in between: there is no answer */
        s->refresh_phase = DUET__REFRESH_MUTE;
        return DUET_OK;
    }
    int result = begin(&refresh, random, public_key);
    if (result == DUET_E_MEMORY)
        return result;
    if (result != DUET_OK)
        return duet__session_fail(s, result, NULL);
    memcpy(refresh->asked, s->held + 1, WIRE_KEY);
    memcpy(refresh->answered, public_key, WIRE_KEY);
    s->refresh = refresh;
    s->refresh_phase = DUET__REFRESH_REPLYING;
    s->owed |= DUET__OWE_ANSWER;
    return agree(s, refresh->answered, refresh->asked);
}

void
duet__refresh_sent(struct duet_session *s, enum duet__owed which)
{
    if (which == DUET__OWE_ASK) {
        s->refresh_phase = DUET__REFRESH_ASKED;
        duet__session_count(s, &s->tx);
        return;
    }
    turn(s, &s->tx);
    s->refresh_phase = DUET__REFRESH_ANSWERED;
    /* The asker's 0x03 does not come from a peer that has closed. */
    if (which == DUET__OWE_DONE || s->rx_phase == DUET__RX_CLOSED)
        duet__refresh_drop(s);
}

/** A party waits for nothing from a peer that has closed; what it owes, it still pays. */
void
duet__refresh_peer_closed(struct duet_session *s)
{
    if (s->refresh_phase != DUET__REFRESH_TURNING && s->refresh_phase != DUET__REFRESH_REPLYING)
        duet__refresh_drop(s);
}

/* ---- What the peer sends ---- */

/** The peer asks while our own 0x01 is unanswered: TOP's stands. Returns 1 when the peer's is to be
 * answered. */
static int
yields(struct duet_session *s)
{
    if (s->role == DUET_TOP) {
        s->refresh->ignored = 1;
        return 0;
    }
    duet__refresh_drop(s);
    return 1;
}

/* 0x01 */
static int
asked(struct duet_session *s, enum duet_event *event)
{
    int crossed = s->refresh_phase == DUET__REFRESH_ASKED;
    int answerable = s->refresh_phase == DUET__REFRESH_NONE ||
                     s->refresh_phase == DUET__REFRESH_OWED || (crossed && !s->refresh->ignored);

    if (!answerable)
        return duet__session_broke(s, "REFRESH 0x01 within a refresh");
    duet__session_count(s, &s->rx);
    if (crossed && !yields(s))
        return DUET_OK;
    forget(s);
    if (s->tx_phase == DUET__TX_CLOSED) {
        s->refresh_phase = DUET__REFRESH_MUTE;
        return DUET_OK;
    }
    s->refresh_phase = DUET__REFRESH_WANTED;
    *event = DUET_EVENT_RANDOM;
    return DUET_OK;
}

/* 0x02 */
static int
answered(struct duet_session *s)
{
    if (s->refresh_phase != DUET__REFRESH_ASKED)
        return duet__session_broke(s, "REFRESH 0x02 that nobody asked for");
    memcpy(s->refresh->answered, s->held + 1, WIRE_KEY);
    int result = agree(s, s->refresh->asked, s->refresh->answered);
    if (result != DUET_OK)
        return result;
    turn(s, &s->rx);
    if (s->tx_phase == DUET__TX_CLOSED) {
        duet__refresh_drop(s);
        return DUET_OK;
    }
    s->refresh_phase = DUET__REFRESH_TURNING;
    s->owed |= DUET__OWE_DONE;
    return DUET_OK;
}

/* 0x03 */
static int
done(struct duet_session *s)
{
    if (s->refresh_phase != DUET__REFRESH_ANSWERED)
        return duet__session_broke(s, "REFRESH 0x03 that nothing led to");
    turn(s, &s->rx);
    duet__refresh_drop(s);
    return DUET_OK;
}

int
duet__refresh_frame(struct duet_session *s, enum duet_event *event)
{
    uint32_t size = s->rx.length;
    DUET__PUBLIC(s->held, 1);
    int kind = size > 0 ? s->held[0] : 0;

    if (kind == WIRE_REFRESH_ASK && size == 1 + WIRE_KEY)
        return asked(s, event);
    if (kind == WIRE_REFRESH_ANSWER && size == 1 + WIRE_KEY)
        return answered(s);
    if (kind == WIRE_REFRESH_DONE && size == 1)
        return done(s);
    return duet__session_broke(s, "a REFRESH of another kind or size");
}
