/*
 * A handshake of the application's own: its turns, what may come of them, and the change of both
 * directions to the secret that it gives (docs/protocol.md §6 "An application's own").
 *
 * The functions are called only here and in session.c, which ends them. Whatever they return, the
 * session stays within its bounds: bytes each way, one question to the replay cache, values in
 * range. Each turn but the first takes at least one byte or that question, so turns are bounded
 * too.
 */
#include "session/session.h"

#include "base/equal.h"
#include "base/public.h"

#include <stdlib.h>

/* ---- Failing ---- */

/** The application's function broke its rules: how. */
#define own_misbehaved(s, how)                                                                     \
    duet__session_fail((s), DUET_E_CALLBACK, "the application's handshake %s", (how))

/** A turn returned a failure. */
static int
turn_failed(struct duet_session *s, int result, const char *detail)
{
    const duet_result_info *info = duet_explain(result);
    int theirs = info != NULL && info->kind == DUET_CLASS_THEIRS;

    if (!theirs && result != DUET_E_CRYPTO)
        result = DUET_E_CALLBACK;
    if (detail != NULL)
        return duet__session_fail(s, result, "%s", detail);
    if (theirs)
        return duet__session_fail(s, result, "the application's handshake refused the peer: %s",
                                  info->sentence);
    return duet__session_fail(s, result, "the application's handshake failed: %s",
                              info != NULL ? info->sentence : "a result that is not duet's");
}

/* ---- What was agreed ---- */

static void
set_defaults(struct duet_session *s)
{
    const duet_config *config = s->config;
    duet_agreement *agreement = &s->own->agreement;

    memset(agreement, 0, sizeof *agreement);
    agreement->size = sizeof *agreement;
    for (int role = 0; role < 2; role++) {
        agreement->rotate_frames[role] = (uint8_t)config->profile.rotate_frames;
        agreement->rotate_blocks[role] = (uint8_t)config->profile.rotate_blocks;
        agreement->max_payload[role] = config->max_payload;
    }
}

static int
is_exponent(unsigned value)
{
    return value >= WIRE_ROTATE_LEAST && value <= WIRE_ROTATE_MOST;
}

/** 1 when the agreement is within its bounds, and its secret is there. */
static int
agreement_fits(const struct duet_session *s)
{
    static const uint8_t zeros[DUET_OWN_SECRET_MOST];
    const duet_agreement *agreement = &s->own->agreement;
    size_t size = agreement->secret_size;

    if (size < DUET_SECRET_LEAST || size > DUET_OWN_SECRET_MOST || size % 2 != 0 ||
        agreement->salt_size < WIRE_SALT_LEAST || agreement->salt_size > DUET_OWN_SALT_MOST)
        return 0;
    int missing = duet__equal(agreement->secret, zeros, size / 2) |
                  duet__equal(agreement->secret + size / 2, zeros, size / 2);
    DUET__PUBLIC(&missing, sizeof missing);
    for (int role = 0; role < 2; role++)
        if (!is_exponent(agreement->rotate_frames[role]) ||
            !is_exponent(agreement->rotate_blocks[role]) ||
            agreement->max_payload[role] < WIRE_MAX_PAYLOAD_LEAST)
            return 0;
    return !missing && agreement->max_payload[s->role] <= s->config->max_payload;
}

/** Trusted peers hold for an own handshake too: a peer that proves no key is not among them. Our
 * own key is never a peer's. */
static int
check_peer(struct duet_session *s)
{
    const duet_agreement *agreement = &s->own->agreement;

    if (agreement->has_peer_key) {
        memcpy(s->peer_key, agreement->peer_key, sizeof s->peer_key);
        s->has_peer_key = 1;
    }
    int is_ours = agreement->has_peer_key && s->config->has_identity &&
                  duet__equal(s->peer_key, s->config->identity.public_key, sizeof s->peer_key);
    if (is_ours)
        return duet__session_fail(s, DUET_E_UNTRUSTED, NULL);
    if (!s->config->has_peers ||
        (agreement->has_peer_key && duet__config_trusts(s->config, s->peer_key)))
        return DUET_OK;
    return duet__session_fail(s, DUET_E_UNTRUSTED, NULL);
}

/** Start a direction with the sender's half. Returns DUET_OK or a fatal result. */
static int
start_own(struct duet_session *s, struct duet__cipher *c, enum duet_role sender)
{
    const duet_agreement *agreement = &s->own->agreement;
    size_t half = agreement->secret_size / 2;
    struct duet__hmac_key key;
    struct duet__cipher_start with = {
        .schedule = duet__config_schedule(s->config),
        .sender = sender,
        .key = &key,
        .half = {agreement->secret + (sender == DUET_TOP ? 0 : half), half},
        .use = "own",
        .salt = {agreement->salt, agreement->salt_size}};

    duet__cipher_prepare(&key, sender, with.half.data, half);
    int result = duet__cipher_start(c, &with);
    duet_wipe(&key, sizeof key);
    if (result != DUET_OK)
        return duet__session_schedule_failed(s, result);
    c->rotate_frames = agreement->rotate_frames[sender];
    c->rotate_blocks = agreement->rotate_blocks[sender];
    return DUET_OK;
}

/* §6: X = HKDF-Expand(HKDF-Extract("duet/1 own", secret), info("export") ‖ salt, 32) */
static void
derive_exporter(struct duet_session *s)
{
    static const char label[] = WIRE_VERSION_TEXT " own";
    const duet_agreement *agreement = &s->own->agreement;
    struct duet__info info = duet__info("export", s->config->label);
    struct duet__hmac_key key;
    uint8_t prk[WIRE_DIGEST];

    duet__hkdf_extract(prk, (struct duet__bytes){label, sizeof label - 1},
                       (struct duet__bytes){agreement->secret, agreement->secret_size});
    duet__hmac_set_key(&key, prk, sizeof prk);
    duet__hkdf_expand_by(&key, (struct duet__bytes){info.bytes, info.size},
                         (struct duet__bytes){agreement->salt, agreement->salt_size}, s->exporter,
                         sizeof s->exporter);
    duet_wipe(prk, sizeof prk);
    duet_wipe(&key, sizeof key);
}

/** The agreement is complete: both directions begin under its keys, with READY. */
static int
own_done(struct duet_session *s)
{
    const duet_agreement *agreement = &s->own->agreement;
    enum duet_role peer = duet__peer_role(s);

    if (!agreement_fits(s))
        return own_misbehaved(s, "agreed on a value that is out of range");
    int result = check_peer(s);
    if (result == DUET_OK)
        result = start_own(s, &s->rx, peer);
    if (result == DUET_OK)
        result = start_own(s, &s->tx, (enum duet_role)s->role);
    if (result == DUET_OK)
        result = duet__session_check_keys(s);
    if (result != DUET_OK)
        return result;
    derive_exporter(s);
    s->rx_limit = agreement->max_payload[s->role];
    s->tx_limit = agreement->max_payload[peer];
    s->rx.limit = (uint32_t)duet__min(s->rx_limit, WIRE_READY_MOST);
    s->rx_phase = DUET__RX_READY;
    duet__session_drop_own_state(s);
    if (s->tx_phase == DUET__TX_WAIT) { /* nothing is pending before READY */
        s->tx_phase = DUET__TX_READY;
        duet__session_drop_own(s);
    }
    return DUET_OK;
}

/* ---- Turns ---- */

/** Make room for what a turn writes, after what is pending. Returns DUET_OK, DUET_E_MEMORY. */
static int
make_room(struct duet_session *s, size_t room)
{
    struct duet__own *own = s->own;
    uint8_t *out = malloc(own->pending + room + 1);

    if (out == NULL)
        return DUET_E_MEMORY;
    if (own->pending > 0)
        memcpy(out, own->out, own->pending);
    if (own->out != NULL)
        duet_wipe(own->out, own->pending);
    free(own->out);
    own->out = out;
    return DUET_OK;
}

/** Act on what a turn said. */
static int
turn_taken(struct duet_session *s, const duet_handshake_turn *turn)
{
    struct duet__own *own = s->own;
    int check = turn->check_nonce != 0, done = turn->done != 0;

    if (turn->put > turn->out_room)
        return own_misbehaved(s, "wrote more than there is room for");
    if ((turn->need > 0) + check + done != 1)
        return own_misbehaved(s, "does not say how it goes on");
    if (turn->need > DUET_OWN_WIRE_MOST - own->received)
        return own_misbehaved(s, "asks for more bytes than a handshake may take");
    if (check && (own->nonce_checked || own->received == 0))
        return own_misbehaved(s, "asks the replay cache twice, or before a byte has come");
    own->pending += turn->put;
    own->sent += turn->put;
    own->need = turn->need;
    own->received += turn->need;
    if (own->pending > 0)
        s->tx_phase = DUET__TX_FLIGHT;
    if (done)
        return own_done(s);
    if (check) {
        memcpy(own->nonce, turn->nonce, sizeof own->nonce);
        own->nonce_checked = 1;
        own->nonce_stored = 0;
        s->rx_phase = DUET__RX_ASKED;
    }
    return DUET_OK;
}

/** One turn, with all the bytes that the turn before asked for. Returns DUET_OK; DUET_E_MEMORY with
 * nothing changed; or a fatal result. */
static int
own_turn(struct duet_session *s)
{
    const duet_handshake_ops *ops = &s->config->handshake;
    struct duet__own *own = s->own;
    size_t room = duet__min(ops->turn_most, DUET_OWN_WIRE_MOST - own->sent);

    if (make_room(s, room) != DUET_OK)
        return DUET_E_MEMORY;
    duet_handshake_turn turn = {.size = sizeof turn,
                                .in = own->in,
                                .in_size = own->need,
                                .out = own->out + own->pending,
                                .out_room = room,
                                .agreement = &own->agreement};
    set_defaults(s);
    int result = ops->turn(ops->context, own->state, &turn);
    if (own->in != NULL)
        duet_wipe(own->in, own->need);
    free(own->in);
    own->in = NULL;
    own->got = own->need = 0;
    DUET__PUBLIC(&result, sizeof result);
    DUET__PUBLIC(&turn, sizeof turn);
    DUET__PUBLIC(own->out + own->pending, duet__min(turn.put, room));
    result = result == DUET_OK ? turn_taken(s, &turn) : turn_failed(s, result, turn.detail);
    duet_wipe(&turn, sizeof turn);
    return result;
}

/* ---- What the session calls ---- */

/** Allocate and begin the application's state. */
static int
begin_state(struct duet_session *s, const duet_handshake_input *input)
{
    const duet_handshake_ops *ops = &s->config->handshake;
    void *state = calloc(1, ops->state_size + 1);

    if (state == NULL)
        return DUET_E_MEMORY;
    int result = ops->begin(ops->context, state, input);
    if (result == DUET_OK) {
        s->own->state = state;
        return DUET_OK;
    }
    duet_wipe(state, ops->state_size);
    free(state);
    return result == DUET_E_MEMORY || result == DUET_E_CRYPTO ? result : DUET_E_CALLBACK;
}

int
duet__own_begin(struct duet_session *s, const uint8_t random[DUET_RANDOM_SIZE], uint64_t now_ms)
{
    duet_handshake_input input = {.size = sizeof input,
                                  .role = (enum duet_role)s->role,
                                  .random = random,
                                  .random_size = DUET_RANDOM_SIZE,
                                  .now_ms = now_ms};

    s->own = calloc(1, sizeof *s->own);
    if (s->own == NULL)
        return DUET_E_MEMORY;
    memcpy(s->own->nonce, random, sizeof s->own->nonce);
    int result = begin_state(s, &input);
    return result == DUET_OK ? own_turn(s) : result;
}

int
duet__own_take(struct duet_session *s, struct duet_step *step)
{
    struct duet__own *own = s->own;
    size_t n = duet__min(step->in_size, own->need - own->got);

    if (n == 0) /* nothing came: `in` may be NULL */
        return DUET_OK;
    if (own->in == NULL)
        own->in = malloc(own->need);
    if (own->in == NULL)
        return DUET_E_MEMORY;
    memcpy(own->in + own->got, step->in, n);
    if (own->got + n < own->need) {
        own->got += n;
        step->used = n;
        return DUET_OK;
    }
    int result = own_turn(s);
    if (result == DUET_E_MEMORY)
        return result;
    step->used = n;
    if (result == DUET_OK && s->rx_phase == DUET__RX_ASKED) {
        step->event = DUET_EVENT_NONCE;
        step->nonce = own->nonce;
    } else if (result == DUET_OK) {
        step->event = DUET_EVENT_LIBRARY;
    }
    return result;
}

int
duet__own_accepted(struct duet_session *s)
{
    s->rx_phase = DUET__RX_START;
    int result = own_turn(s);
    if (result == DUET_E_MEMORY)
        s->rx_phase = DUET__RX_ASKED;
    return result;
}

void
duet__own_emit(struct duet_session *s, struct duet__writer *to)
{
    struct duet__own *own = s->own;
    size_t n = duet__min(own->pending, to->size - to->used);

    duet__write(to, own->out, n);
    own->pending -= n;
    memmove(own->out, own->out + n, own->pending);
    duet_wipe(own->out + own->pending, n);
    if (own->pending > 0)
        return;
    free(own->out);
    own->out = NULL;
    s->tx_phase = DUET__TX_WAIT;
    if (s->rx_phase < DUET__RX_READY)
        return;
    s->tx_phase = DUET__TX_READY;
    duet__session_drop_own(s);
}
