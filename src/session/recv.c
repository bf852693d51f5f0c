/*
 * Receiving: bytes as they came, cut into prelude, nonce and frames, one event at a time
 * (docs/protocol.md §1 "A receiver", §4).
 *
 * Nothing is kept of a payload but the 33 bytes that a library frame may need, and a HELLO, whose
 * memory is taken only after its header was opened by a secret.
 */
#include "session/session.h"

#include <stdlib.h>
#include <string.h>

enum { SCRATCH = 512 }; /* bytes of a library frame that are deciphered at a time */

static size_t
least_of(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

static size_t
left(const struct duet_step *step)
{
    return step->in_size - step->used;
}

/* ---- Prelude, nonce and header ---- */

/** The peer's prelude (§6). */
static struct duet__bytes
prelude_of(const struct duet_session *s)
{
    enum duet_role peer = duet__peer_role(s);
    struct duet__bytes prelude = {s->config->profile.prelude[peer],
                                  s->config->profile.prelude_size[peer]};
    return prelude;
}

static int
take_prelude(struct duet_session *s, struct duet_step *step)
{
    struct duet__initiation *initiation = s->initiation;
    struct duet__bytes prelude = prelude_of(s);

    if (initiation->opened >= prelude.size)
        return DUET_OK;
    size_t n = least_of(left(step), prelude.size - initiation->opened);
    const uint8_t *expected = (const uint8_t *)prelude.data + initiation->opened;
    /* public: a prelude is on the wire in clear */
    if (n > 0 && memcmp(step->in + step->used, expected, n) != 0)
        return duet__session_fail(s, DUET_E_UNAUTHENTICATED,
                                  "the peer does not begin with the profile's prelude");
    initiation->opened += n;
    step->used += n;
    return DUET_OK;
}

static void
take_nonce(struct duet_session *s, struct duet_step *step)
{
    struct duet__initiation *initiation = s->initiation;
    size_t prelude = prelude_of(s).size;

    if (initiation->opened < prelude)
        return;
    size_t at = initiation->opened - prelude;
    size_t n = least_of(left(step), WIRE_NONCE - at);
    if (n > 0)
        memcpy(initiation->opening + at, step->in + step->used, n);
    initiation->opened += n;
    step->used += n;
}

/** Bytes of prelude and nonce that are still to come. */
static size_t
opening_left(const struct duet_session *s)
{
    if (s->rx_phase != DUET__RX_START)
        return 0;
    return prelude_of(s).size + WIRE_NONCE - s->initiation->opened;
}

/** Gather a header; NULL while it is not whole. */
static const uint8_t *
take_header(struct duet_session *s, struct duet_step *step)
{
    size_t n = least_of(left(step), DUET_HEADER_SIZE - s->held_size);

    if (n == 0) /* nothing came: `in` may be NULL */
        return NULL;
    const uint8_t *in = step->in + step->used;
    if (n == DUET_HEADER_SIZE) {
        step->used += n;
        return in;
    }
    memcpy(s->held + s->held_size, in, n);
    s->held_size = (uint8_t)(s->held_size + n);
    step->used += n;
    return s->held_size == DUET_HEADER_SIZE ? s->held : NULL;
}

/** 1 when the frame under way is the application's. */
static int
is_application(const struct duet_session *s)
{
    return s->rx_phase == DUET__RX_OPEN &&
           (s->rx.code <= DUET_CODE_APP_MAX || s->rx.code == WIRE_MORE);
}

static int
open_header(struct duet_session *s, struct duet_step *step)
{
    const uint8_t *header = take_header(s, step);

    if (header == NULL)
        return DUET_OK;
    s->held_size = 0;
    if (s->rx_phase == DUET__RX_START)
        return duet__first_header(s, header);
    int result = duet__cipher_open_header(&s->rx, header);
    if (result != DUET_OK)
        return duet__session_fail(s, result, NULL);
    if (is_application(s)) {
        step->event = DUET_EVENT_BEGIN;
        step->code = s->rx.code;
        step->length = s->rx.length;
    }
    return DUET_OK;
}

/* ---- Payload and MAC ---- */

static int
application_done(struct duet_session *s, struct duet_step *step)
{
    s->rx_frames++;
    s->rx_bytes += s->rx.length;
    s->rx_message = s->rx.code == WIRE_MORE;
    step->event = DUET_EVENT_FRAME;
    step->code = s->rx.code;
    step->length = s->rx.length;
    duet__session_count(s, &s->rx);
    return DUET_OK;
}

/** The next bytes of the application's frame, as many as are here and have room. */
static struct duet__piece
application_piece(struct duet_session *s, const struct duet_step *step)
{
    struct duet__piece piece = {.d = &s->rx,
                                .out = step->out,
                                .in = step->in,
                                .len = least_of(left(step), duet__cipher_left(&s->rx))};

    if (step->used > 0)
        piece.in += step->used;
    if (duet__cipher_payload_left(&s->rx) > step->out_size)
        piece.len = least_of(piece.len, step->out_size);
    return piece;
}

static int
application_opened(struct duet_session *s, struct duet_step *step, const struct duet__piece *piece)
{
    step->put = piece->put;
    step->used += piece->len;
    if (piece->result == DUET_AGAIN)
        return DUET_OK;
    return piece->result == DUET_OK ? application_done(s, step)
                                    : duet__session_fail(s, piece->result, NULL);
}

static int
application_body(struct duet_session *s, struct duet_step *step)
{
    struct duet__piece piece = application_piece(s, step);

    if (piece.len == 0)
        return DUET_OK;
    piece.result = duet__cipher_open_piece(&s->rx, piece.out, &piece.put, piece.in, piece.len);
    return application_opened(s, step, &piece);
}

/** A frame that the session takes itself is verified. */
static int
library_done(struct duet_session *s, struct duet_step *step)
{
    s->rx_frames++;
    step->event = DUET_EVENT_LIBRARY;
    int result = duet__library_frame(s, &step->event);
    s->held_size = 0;
    if (step->event == DUET_EVENT_NONCE)
        step->nonce = s->initiation->handshake.nonces;
    return result;
}

/** Decipher into a scratch, and hold the first bytes. */
static int
library_body(struct duet_session *s, struct duet_step *step)
{
    uint8_t scratch[SCRATCH];
    int result = DUET_AGAIN;

    while (result == DUET_AGAIN && left(step) > 0) {
        size_t n = least_of(least_of(left(step), sizeof scratch), duet__cipher_left(&s->rx));
        size_t put;
        result = duet__cipher_open_piece(&s->rx, scratch, &put, step->in + step->used, n);
        size_t hold = least_of(put, sizeof s->held - s->held_size);
        memcpy(s->held + s->held_size, scratch, hold);
        s->held_size = (uint8_t)(s->held_size + hold);
        step->used += n;
    }
    duet_wipe(scratch, sizeof scratch);
    if (result == DUET_AGAIN)
        return DUET_OK;
    return result == DUET_OK ? library_done(s, step) : duet__session_fail(s, result, NULL);
}

static int
hello_body(struct duet_session *s, struct duet_step *step)
{
    struct duet__initiation *initiation = s->initiation;
    size_t n = least_of(left(step), duet__cipher_left(&s->rx));
    size_t put;

    if (n == 0)
        return DUET_OK;
    if (initiation->hello == NULL)
        initiation->hello = malloc(s->rx.length + 1u);
    if (initiation->hello == NULL)
        return DUET_E_MEMORY;
    uint8_t *out = initiation->hello + initiation->hello_size;
    int result = duet__cipher_open_piece(&s->rx, out, &put, step->in + step->used, n);
    initiation->hello_size += put;
    step->used += n;
    if (result == DUET_AGAIN)
        return DUET_OK;
    return result == DUET_OK ? library_done(s, step) : duet__session_fail(s, result, NULL);
}

static int
take_body(struct duet_session *s, struct duet_step *step)
{
    if (is_application(s))
        return application_body(s, step);
    if (s->rx_phase == DUET__RX_HELLO ||
        (s->rx_phase == DUET__RX_THIRD && s->rx.code == WIRE_HELLO))
        return hello_body(s, step);
    return library_body(s, step);
}

/* ---- One call ---- */

/** 1 when an event awaits its answer. */
static int
awaits_answer(const struct duet_session *s)
{
    return s->rx_phase == DUET__RX_ASKED || s->refresh_phase == DUET__REFRESH_WANTED;
}

/** Bytes that end what is awaited. */
static size_t
needed(const struct duet_session *s)
{
    if (s->rx_phase == DUET__RX_CLOSED || awaits_answer(s))
        return 0;
    if (s->rx.state == DUET__CIPHER_IN_FRAME)
        return (size_t)duet__cipher_left(&s->rx);
    return opening_left(s) + DUET_HEADER_SIZE - s->held_size;
}

static int
take(struct duet_session *s, struct duet_step *step)
{
    int result = DUET_OK;

    if (s->rx_phase == DUET__RX_START) {
        result = take_prelude(s, step);
        if (result == DUET_OK)
            take_nonce(s, step);
    }
    if (result == DUET_OK && opening_left(s) == 0 && s->rx.state != DUET__CIPHER_IN_FRAME)
        result = open_header(s, step);
    if (result == DUET_OK && step->event == DUET_EVENT_NONE && s->rx.state == DUET__CIPHER_IN_FRAME)
        result = take_body(s, step);
    return result;
}

static void
begin_step(struct duet_step *step)
{
    step->used = 0;
    step->put = 0;
    step->event = DUET_EVENT_NONE;
    step->nonce = NULL;
    step->need = 0;
}

int
duet__payload_next(struct duet_session *s, struct duet_step *step, struct duet__piece *piece)
{
    begin_step(step);
    if (s->error != DUET_OK || awaits_answer(s) || s->rx.state != DUET__CIPHER_IN_FRAME ||
        !is_application(s))
        return 0;
    *piece = application_piece(s, step);
    return piece->len > 0;
}

int
duet__payload_done(struct duet_session *s, struct duet_step *step, const struct duet__piece *piece)
{
    int result = application_opened(s, step, piece);
    if (result == DUET_OK)
        step->need = needed(s);
    return result;
}

int
duet_session_recv(duet_session *s, duet_step *step)
{
    begin_step(step);
    if (s->error != DUET_OK)
        return s->error;
    if (s->rx_phase == DUET__RX_CLOSED)
        return DUET_CLOSED;
    if (awaits_answer(s) || (s->role == DUET_TOP && s->tx_phase == DUET__TX_FLIGHT))
        return DUET_E_MISUSE;
    int result = take(s, step);
    if (result == DUET_OK)
        step->need = needed(s);
    return result;
}
