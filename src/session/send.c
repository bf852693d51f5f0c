/*
 * Sending: the application's frames, and what the session owes: its flight, READY and the frames of
 * the library (docs/protocol.md §1, §3, §4).
 */
#include "session/session.h"

#include <string.h>

/* ---- The application's frames ---- */

static int
may_seal(const struct duet_session *s, uint32_t code, size_t len)
{
    if (s->error != DUET_OK)
        return s->error;
    if (!duet__session_may_send(s) || s->tx.state != DUET__CIPHER_IDLE)
        return DUET_E_MISUSE;
    if (code > DUET_CODE_APP_MAX && code != WIRE_MORE && code != WIRE_PAD)
        return DUET_E_MISUSE;
    return len > s->tx_limit ? DUET_E_LENGTH : DUET_OK;
}

/** A frame that the application brought is sealed. */
static void
sealed(struct duet_session *s)
{
    s->tx_frames++;
    if (s->tx.code != WIRE_PAD) {
        s->tx_bytes += s->tx.length;
        s->tx_message = s->tx.code == WIRE_MORE;
    }
    duet__session_count(s, &s->tx);
}

int
duet__piece_sealed(struct duet_session *s, int result)
{
    if (result == DUET_OK && s->tx.state == DUET__CIPHER_IDLE)
        sealed(s);
    if (result == DUET_OK || result == DUET_E_MISUSE)
        return result;
    return duet__session_fail(s, result, NULL);
}

static int
begin(struct duet_session *s, uint8_t *header, uint32_t code, size_t len)
{
    int result = may_seal(s, code, len);

    if (result != DUET_OK)
        return result;
    result = duet__cipher_seal_begin(&s->tx, header, code, (uint32_t)len);
    return result == DUET_OK ? result : duet__session_fail(s, result, NULL);
}

int
duet_session_send_begin(duet_session *s, uint8_t *header, uint32_t code, uint32_t len)
{
    return code == WIRE_PAD && s->error == DUET_OK ? DUET_E_MISUSE : begin(s, header, code, len);
}

int
duet_session_send_piece(duet_session *s, uint8_t *out, size_t *put, const uint8_t *in, size_t len)
{
    *put = 0;
    if (s->error != DUET_OK)
        return s->error;
    return duet__piece_sealed(s, duet__cipher_seal_piece(&s->tx, out, put, in, len));
}

int
duet_session_send(duet_session *s, uint8_t *out, const uint8_t *payload, size_t len, uint32_t code)
{
    size_t put;

    if (len > UINT32_MAX)
        return s->error != DUET_OK ? s->error : DUET_E_LENGTH;
    int result = duet_session_send_begin(s, out, code, (uint32_t)len);
    if (result != DUET_OK)
        return result;
    return duet_session_send_piece(s, out + DUET_HEADER_SIZE, &put, payload, len);
}

int
duet_session_pad(duet_session *s, uint8_t *out, size_t len)
{
    size_t put;
    int result = begin(s, out, WIRE_PAD, len);

    if (result != DUET_OK)
        return result;
    memset(out + DUET_HEADER_SIZE, 0, len);
    return duet_session_send_piece(s, out + DUET_HEADER_SIZE, &put, out + DUET_HEADER_SIZE, len);
}

/* ---- What is owed, and its size ---- */

static const struct owed {
    enum duet__owed what;
    uint32_t code;
    uint8_t size; /* bytes of payload */
} owed_frames[] = {
    /* in the order in which they are paid */
    {DUET__OWE_DONE, WIRE_REFRESH, 1},
    {DUET__OWE_ANSWER, WIRE_REFRESH, 1 + WIRE_KEY},
    {DUET__OWE_PONG, WIRE_PONG, DUET_PING_SIZE},
    {DUET__OWE_PING, WIRE_PING, DUET_PING_SIZE},
    {DUET__OWE_ROTATE, WIRE_ROTATE, 0},
    {DUET__OWE_ASK, WIRE_REFRESH, 1 + WIRE_KEY},
    {DUET__OWE_CLOSE, WIRE_CLOSE, 0},
};

enum { OWED = sizeof owed_frames / sizeof *owed_frames };

static size_t
hello_size(const struct duet_session *s)
{
    return DUET_FRAME_OVERHEAD + s->initiation->handshake.message_size +
           duet__hello_padding(s).size;
}

/** Bytes of the phase's own: flight, third HELLO, READY. */
static size_t
phase_size(const struct duet_session *s)
{
    size_t ready = s->rx_phase >= DUET__RX_READY ? DUET_FRAME_OVERHEAD : 0;

    switch ((enum duet__tx_phase)s->tx_phase) {
    case DUET__TX_FLIGHT:
        return s->config->profile.prelude_size[s->role] + WIRE_NONCE + hello_size(s) + ready;
    case DUET__TX_THIRD:
        return hello_size(s) + ready;
    case DUET__TX_READY:
        return ready;
    default:
        return 0;
    }
}

/** 1 when our READY is sealed, or will be before what is owed; and the application may speak. */
static int
pays(const struct duet_session *s)
{
    int waits = s->tx_phase == DUET__TX_WAIT || s->tx_phase == DUET__TX_CLOSED ||
                s->rx_phase < DUET__RX_READY;
    return !waits && (s->ready || s->config->speak_first);
}

size_t
duet__owed_size(const struct duet_session *s)
{
    size_t size = phase_size(s);

    if (s->owed == 0) /* as before almost every frame */
        return size;
    for (size_t i = 0; i < OWED && pays(s); i++)
        if (s->owed & owed_frames[i].what)
            size += DUET_FRAME_OVERHEAD + owed_frames[i].size;
    return size;
}

/* ---- Paying it ---- */

/** Seal a frame of n bytes that lie in place. Returns DUET_OK, DUET_E_CRYPTO. */
static int
seal(struct duet_session *s, uint8_t *frame, uint32_t code, size_t n)
{
    size_t put;
    uint8_t *payload = frame + DUET_HEADER_SIZE;
    int result = duet__cipher_seal_begin(&s->tx, frame, code, (uint32_t)n);

    if (result == DUET_OK)
        result = duet__cipher_seal_piece(&s->tx, payload, &put, payload, n);
    s->tx_frames++;
    return result;
}

/** A HELLO with the message that is due, and padding. */
static int
pay_hello(struct duet_session *s, struct duet__writer *to)
{
    const struct duet__handshake *handshake = &s->initiation->handshake;
    struct duet__bytes padding = duet__hello_padding(s);
    uint8_t *frame = duet__room(to, hello_size(s));
    uint8_t *payload = frame + DUET_HEADER_SIZE;

    memcpy(payload, handshake->message, handshake->message_size);
    memset(payload + handshake->message_size, 0, padding.size);
    if (padding.data != NULL)
        memcpy(payload + handshake->message_size, padding.data, padding.size);
    int result = seal(s, frame, WIRE_HELLO, handshake->message_size + padding.size);
    if (result == DUET_OK)
        duet__hello_sent(s);
    return result;
}

/** §4: the flight's beginning, prelude and nonce */
static void
pay_opening(struct duet_session *s, struct duet__writer *to)
{
    const duet_profile *profile = &s->config->profile;
    const uint8_t *nonce = s->initiation->handshake.nonces + (s->role == DUET_TOP ? 0 : WIRE_NONCE);

    duet__write(to, profile->prelude[s->role], profile->prelude_size[s->role]);
    duet__write(to, nonce, WIRE_NONCE);
}

static int
pay_phase(struct duet_session *s, struct duet__writer *to)
{
    int result = DUET_OK;

    if (s->tx_phase == DUET__TX_FLIGHT)
        pay_opening(s, to);
    if (s->tx_phase == DUET__TX_FLIGHT || s->tx_phase == DUET__TX_THIRD)
        result = pay_hello(s, to);
    if (result != DUET_OK || s->tx_phase != DUET__TX_READY)
        return result;
    result = seal(s, duet__room(to, DUET_FRAME_OVERHEAD), WIRE_READY, 0);
    if (result != DUET_OK)
        return result;
    s->tx_phase = DUET__TX_OPEN;
    duet__session_count(s, &s->tx);
    return DUET_OK;
}

/** The payload of what is owed. */
static void
fill(const struct duet_session *s, enum duet__owed what, uint8_t *payload)
{
    switch (what) {
    case DUET__OWE_PONG:
        memcpy(payload, s->pong, sizeof s->pong);
        return;
    case DUET__OWE_PING:
        memcpy(payload, s->ping, sizeof s->ping);
        return;
    case DUET__OWE_ASK:
        payload[0] = WIRE_REFRESH_ASK;
        memcpy(payload + 1, s->refresh->asked, WIRE_KEY);
        return;
    case DUET__OWE_ANSWER:
        payload[0] = WIRE_REFRESH_ANSWER;
        memcpy(payload + 1, s->refresh->answered, WIRE_KEY);
        return;
    case DUET__OWE_DONE:
        payload[0] = WIRE_REFRESH_DONE;
        return;
    default:
        return;
    }
}

/** What follows a frame that was owed: the decision of §3 first of all. */
static void
paid(struct duet_session *s, enum duet__owed what)
{
    static const struct duet__bytes nothing = {NULL, 0};

    s->owed &= (uint8_t)~what;
    switch (what) {
    case DUET__OWE_CLOSE:
        duet__session_close(s, (enum duet_role)s->role, &s->tx);
        s->tx_phase = DUET__TX_CLOSED;
        return;
    case DUET__OWE_ROTATE:
        duet__session_rotate(s, &s->tx, nothing);
        return;
    case DUET__OWE_DONE:
    case DUET__OWE_ANSWER:
    case DUET__OWE_ASK:
        duet__refresh_sent(s, what);
        return;
    default:
        s->pinged = what == DUET__OWE_PING ? 1 : s->pinged;
        duet__session_count(s, &s->tx);
        return;
    }
}

static int
pay_owed(struct duet_session *s, struct duet__writer *to)
{
    for (size_t i = 0; i < OWED && pays(s); i++) {
        const struct owed *owed = &owed_frames[i];
        if (!(s->owed & owed->what))
            continue;
        uint8_t *frame = duet__room(to, (size_t)DUET_FRAME_OVERHEAD + owed->size);
        fill(s, owed->what, frame + DUET_HEADER_SIZE);
        int result = seal(s, frame, owed->code, owed->size);
        if (result != DUET_OK)
            return result;
        paid(s, owed->what);
    }
    return DUET_OK;
}

int
duet_session_flush(duet_session *s, uint8_t *out, size_t cap, size_t *put)
{
    struct duet__writer to = duet__writer(out, cap);

    *put = 0;
    if (s->error != DUET_OK)
        return s->error;
    size_t size = duet__owed_size(s);
    if (size == 0)
        return DUET_OK;
    if (s->tx.state == DUET__CIPHER_IN_FRAME)
        return DUET_AGAIN;
    if (cap < size)
        return DUET_E_ROOM;
    int result = pay_phase(s, &to);
    if (result == DUET_OK)
        result = pay_owed(s, &to);
    if (result != DUET_OK)
        return duet__session_fail(s, result, NULL);
    *put = to.used;
    return DUET_OK;
}

/* ---- What is asked for ---- */

static int
ask_close(struct duet_session *s)
{
    if (s->tx_phase == DUET__TX_CLOSED || s->tx_message || s->tx.state == DUET__CIPHER_IN_FRAME)
        return DUET_E_MISUSE;
    s->owed |= DUET__OWE_CLOSE;
    return DUET_OK;
}

/** ROTATE or PING: owed until our CLOSE. */
static int
ask_frame(struct duet_session *s, enum duet__owed what, const uint8_t *bytes)
{
    if (s->tx_phase == DUET__TX_CLOSED || (s->owed & DUET__OWE_CLOSE))
        return DUET_E_MISUSE;
    if (what == DUET__OWE_PING) {
        memcpy(s->ping, bytes, sizeof s->ping);
        s->pinged = 0;
    }
    s->owed |= (uint8_t)what;
    return DUET_OK;
}

int
duet_session_ask(duet_session *s, enum duet_request request, const uint8_t *bytes)
{
    int bare =
        request != DUET_ASK_PING && request != DUET_ASK_REFRESH && request != DUET_ASK_ANSWER;

    if (s->error != DUET_OK)
        return s->error;
    if (!bare && bytes == NULL)
        return DUET_E_MISUSE;
    switch (request) {
    case DUET_ASK_FRESH:
    case DUET_ASK_KNOWN:
        return duet__nonce_known(s, request, bytes);
    case DUET_ASK_CLOSE:
        return ask_close(s);
    case DUET_ASK_ROTATE:
        return ask_frame(s, DUET__OWE_ROTATE, NULL);
    case DUET_ASK_PING:
        return ask_frame(s, DUET__OWE_PING, bytes);
    case DUET_ASK_REFRESH:
        return duet__refresh_ask(s, bytes);
    case DUET_ASK_ANSWER:
        return duet__refresh_answer(s, bytes);
    }
    return DUET_E_MISUSE;
}
