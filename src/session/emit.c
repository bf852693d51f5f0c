/*
 * What the session itself sends: its flight (prelude, opening, nonce, HELLO), READY, and the
 * library frames that are pending (docs/protocol.md §1, §3, §4). Nothing is emitted before
 * duet_session_flush() is called. The application's frames are in send.c; library.c is the
 * receiving side of this table.
 */
#include "session/session.h"

#include <string.h>

/* ---- The library's frames ---- */

static void
fill_ping(const struct duet_session *s, enum duet__pending what, uint8_t *payload)
{
    memcpy(payload, what == DUET__PENDING_PING ? s->ping : s->pong, DUET_PING_SIZE);
}

static void
ping_sent(struct duet_session *s, enum duet__pending what)
{
    (void)what;
    s->pinged = 1;
}

static void
rotate_sent(struct duet_session *s, enum duet__pending what)
{
    (void)what;
    duet__session_rotate(s, &s->tx, DUET__NO_BYTES);
}

static void
close_sent(struct duet_session *s, enum duet__pending what)
{
    (void)what;
    duet__session_close(s, (enum duet_role)s->role, &s->tx);
    s->tx_phase = DUET__TX_CLOSED;
}

/* In the order in which they are emitted. fill: writes the payload; sent: what follows the frame;
 * counted: 1: after that the count decides about a rotation; 0: the frame's own rule does (§3). */
static const struct pending_frame {
    enum duet__pending what;
    uint32_t code;
    uint8_t size; /* bytes of payload; of REFRESH: duet__refresh_size() */
    uint8_t counted;
    void (*fill)(const struct duet_session *s, enum duet__pending what, uint8_t *payload);
    void (*sent)(struct duet_session *s, enum duet__pending what);
} pending_frames[] = {
    {DUET__PENDING_DONE, WIRE_REFRESH, 0, 0, duet__refresh_fill, duet__refresh_sent},
    {DUET__PENDING_ANSWER, WIRE_REFRESH, 0, 0, duet__refresh_fill, duet__refresh_sent},
    {DUET__PENDING_PONG, WIRE_PONG, DUET_PING_SIZE, 1, fill_ping, NULL},
    {DUET__PENDING_PING, WIRE_PING, DUET_PING_SIZE, 1, fill_ping, ping_sent},
    {DUET__PENDING_ROTATE, WIRE_ROTATE, 0, 0, NULL, rotate_sent},
    {DUET__PENDING_ASK, WIRE_REFRESH, 0, 1, duet__refresh_fill, duet__refresh_sent},
    {DUET__PENDING_CLOSE, WIRE_CLOSE, 0, 0, NULL, close_sent},
};

enum { PENDING_FRAMES = sizeof pending_frames / sizeof *pending_frames };

/* ---- How much there is ---- */

/** Bytes of a pending frame's payload. */
static size_t
pending_frame_size(const struct duet_session *s, const struct pending_frame *frame)
{
    return frame->code == WIRE_REFRESH ? duet__refresh_size(s, frame->what) : frame->size;
}

static size_t
hello_frame_size(const struct duet_session *s)
{
    return DUET_FRAME_OVERHEAD + s->handshake->messages.message_size +
           duet__session_hello_padding(s).size;
}

/** 1 when pending frames may be emitted: our READY is sealed, or will be by the same flush; and the
 * peer's has come, or the application speaks first. */
static int
may_emit(const struct duet_session *s)
{
    if (s->tx_phase == DUET__TX_WAIT || s->tx_phase == DUET__TX_CLOSED ||
        s->rx_phase < DUET__RX_READY)
        return 0;
    return s->ready || s->config->speak_first;
}

/** Bytes that a flush writes, but for PAD frames. */
static size_t
unfilled_size(const struct duet_session *s)
{
    size_t ready = s->rx_phase >= DUET__RX_READY ? DUET_FRAME_OVERHEAD : 0;
    size_t size = 0;

    if (s->tx_phase == DUET__TX_FLIGHT && s->own != NULL)
        size = s->own->pending + ready;
    else if (s->tx_phase == DUET__TX_FLIGHT)
        size = s->config->profile.prelude_size[s->role] + s->psk->dialect.size[s->role] +
               WIRE_NONCE + hello_frame_size(s) + ready;
    else if (s->tx_phase == DUET__TX_THIRD)
        size = hello_frame_size(s) + ready;
    else if (s->tx_phase == DUET__TX_READY)
        size = ready;
    if (s->pending == 0)
        return size;
    for (size_t i = 0; i < PENDING_FRAMES && may_emit(s); i++)
        if (s->pending & pending_frames[i].what)
            size += DUET_FRAME_OVERHEAD + pending_frame_size(s, &pending_frames[i]);
    return size;
}

/** 1 when a flush fills its write: not the one that has our nonce, nor what is after our CLOSE. */
static int
may_fill(const struct duet_session *s)
{
    return s->tx_phase != DUET__TX_FLIGHT && s->tx_phase != DUET__TX_CLOSED;
}

size_t
duet__pending_size(const struct duet_session *s)
{
    size_t size = unfilled_size(s);

    return may_fill(s) ? size + duet__session_fill_size(s, size) : size;
}

/* ---- Emitting it ---- */

/** A HELLO with the message that is due, and padding. */
static int
emit_hello(struct duet_session *s, struct duet__writer *to)
{
    const struct duet__handshake *messages = &s->handshake->messages;
    struct duet__bytes padding = duet__session_hello_padding(s);
    uint8_t *frame = duet__room(to, hello_frame_size(s));
    uint8_t *payload = frame + DUET_HEADER_SIZE;

    memcpy(payload, messages->message, messages->message_size);
    memset(payload + messages->message_size, 0, padding.size);
    if (padding.data != NULL)
        memcpy(payload + messages->message_size, padding.data, padding.size);
    int result = duet__session_seal(s, frame, WIRE_HELLO, messages->message_size + padding.size);
    return result == DUET_OK ? duet__session_hello_sent(s) : result;
}

/** The opening of our dialect (§6). */
static void
emit_opening(const struct duet_session *s, struct duet__writer *to)
{
    const struct duet__dialect *dialect = &s->psk->dialect;
    const struct duet__session_handshake *hs = s->handshake;
    enum duet_role role = (enum duet_role)s->role;
    uint8_t *opening = duet__room(to, dialect->size[role]);

    duet__dialect_opening(dialect, role, opening, hs->letters);
    if (hs->opening.data != NULL)
        memcpy(opening, hs->opening.data, duet__min(hs->opening.size, dialect->size[role]));
}

/** What the handshake has us send: prelude, opening and nonce (§4), HELLO, READY. */
static int
emit_handshake(struct duet_session *s, struct duet__writer *to)
{
    const struct duet__profile *profile = &s->config->profile;
    int result = DUET_OK;

    if (s->tx_phase == DUET__TX_FLIGHT && s->own != NULL) {
        duet__own_emit(s, to);
    } else if (s->tx_phase == DUET__TX_FLIGHT) {
        size_t nonce = s->role == DUET_TOP ? 0 : WIRE_NONCE;
        duet__write(to, profile->prelude[s->role], profile->prelude_size[s->role]);
        emit_opening(s, to);
        duet__write(to, s->handshake->messages.nonces + nonce, WIRE_NONCE);
    }
    if (s->tx_phase == DUET__TX_FLIGHT || s->tx_phase == DUET__TX_THIRD)
        result = emit_hello(s, to);
    if (result != DUET_OK || s->tx_phase != DUET__TX_READY)
        return result;
    result = duet__session_seal(s, duet__room(to, DUET_FRAME_OVERHEAD), WIRE_READY, 0);
    if (result != DUET_OK)
        return result;
    s->tx_phase = DUET__TX_ESTABLISHED;
    duet__session_rotate_if_due(s, &s->tx);
    return DUET_OK;
}

/** The pending frames; fill: bytes of PAD frames after all of them but CLOSE; NULL: the write goes
 * on and is filled by its end. */
static int
emit_pending(struct duet_session *s, struct duet__writer *to, const size_t *fill)
{
    for (size_t i = 0; i < PENDING_FRAMES && may_emit(s); i++) {
        const struct pending_frame *row = &pending_frames[i];
        if (!(s->pending & row->what))
            continue;
        if (row->what == DUET__PENDING_CLOSE && fill != NULL) {
            int filled = duet__session_fill(s, to, *fill);
            if (filled != DUET_OK)
                return filled;
            fill = NULL;
        }
        size_t size = pending_frame_size(s, row);
        uint8_t *frame = duet__room(to, DUET_FRAME_OVERHEAD + size);
        if (row->fill != NULL)
            row->fill(s, row->what, frame + DUET_HEADER_SIZE);
        int result = duet__session_seal(s, frame, row->code, size);
        if (result != DUET_OK)
            return result;
        s->pending &= (uint8_t)~row->what;
        if (row->sent != NULL)
            row->sent(s, row->what);
        if (row->counted)
            duet__session_rotate_if_due(s, &s->tx);
    }
    return fill != NULL ? duet__session_fill(s, to, *fill) : DUET_OK;
}

int
duet__session_flush(duet_session *s, uint8_t *out, size_t cap, size_t *put, size_t next)
{
    struct duet__writer to = duet__writer(out, cap);

    *put = 0;
    if (s->error != DUET_OK)
        return s->error;
    if (duet__session_quiet(s))
        return DUET_OK;
    size_t size = duet__pending_size(s);
    if (size == 0)
        return DUET_OK;
    if (s->tx.state == DUET__CIPHER_IN_FRAME)
        return DUET_AGAIN;
    if (cap < size && cap > 0 && s->tx_phase == DUET__TX_FLIGHT && s->own != NULL) {
        duet__own_emit(s, &to);
        *put = to.used;
        return DUET_OK;
    }
    if (cap < size)
        return DUET_E_ROOM;
    size_t unfilled = unfilled_size(s), fill = size - unfilled;
    int fills = may_fill(s) && (next == 0 || next > cap - unfilled);
    int result = emit_handshake(s, &to);
    if (result == DUET_OK)
        result = emit_pending(s, &to, fills ? &fill : NULL);
    if (result != DUET_OK)
        return duet__session_fail(s, result, NULL);
    *put = to.used;
    return DUET_OK;
}

int
duet_session_flush(duet_session *s, uint8_t *out, size_t cap, size_t *put)
{
    return duet__session_flush(s, out, cap, put, 0);
}
