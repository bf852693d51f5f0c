/*
 * Receiving: bytes as they arrive, taken apart into prelude, opening, nonce and frames, one event
 * at a time (docs/protocol.md §1 "A receiver", §4). What a frame of the library's leads to is in
 * library.c.
 */
#include "session/session.h"

#include "base/public.h"

#include <stdlib.h>
#include <string.h>

/*
 *   what is awaited          taken by        kept in                       then
 *   -----------------------  --------------  ----------------------------  -----------------------
 *   prelude, opening, nonce, take_opening()  the handshake's `arrived`     HELLO, when a secret
 *   first header                                                           opened the header
 *   header                   take_header()   `held`, only while partial    BEGIN, or a body below
 *   application's payload,   take_payload()  the caller's step->out        FRAME
 *   MAC
 *   HELLO, MAC               take_hello()    `hello`: its message,         NONCE, LIBRARY
 *                                            allocated only when a secret
 *                                            opened the header
 *   library frame, MAC       take_library()  `held`: the first 33 bytes;   an event of library.c
 *                                            `large`: a hybrid REFRESH
 *
 * A call runs through these in order until it meets an event, or is out of bytes or room. A call
 * that ends at a header does not take what follows it.
 */

enum { SCRATCH = 512 }; /* bytes of a library frame that are decrypted at a time */

/** Bytes of the step's input that are not taken yet. */
static inline size_t
step_left(const struct duet_step *step)
{
    return step->in_size - step->used;
}

/** 1 when an event waits for its answer, and nothing may be received. */
static inline int
awaits_answer(const struct duet_session *s)
{
    return s->rx_phase == DUET__RX_ASKED || s->refresh_phase == DUET__REFRESH_RANDOM_WANTED;
}

/** Bytes of prelude, opening, nonce and first header that are still to come before secrets are
 * tried. */
static inline size_t
opening_left(const struct duet_session *s)
{
    const struct duet__session_handshake *hs = s->handshake;

    return s->config->profile.prelude_size[duet__peer_role(s)] + hs->opening_size + WIRE_NONCE +
           DUET_HEADER_SIZE - hs->opened;
}

/** Take prelude and opening (§6), nonce and first header, as far as they are here. */
static int
take_opening(struct duet_session *s, struct duet_step *step)
{
    struct duet__session_handshake *hs = s->handshake;
    const struct duet__profile *profile = &s->config->profile;
    enum duet_role peer = duet__peer_role(s);
    size_t prelude = profile->prelude_size[peer];
    int result = DUET_OK;

    if (hs->opened < prelude) {
        size_t n = duet__min(step_left(step), prelude - hs->opened);
        /* public: a prelude is on the wire in clear */
        if (n > 0 && memcmp(step->in + step->used, profile->prelude[peer] + hs->opened, n) != 0)
            return duet__session_fail(s, DUET_E_UNAUTHENTICATED,
                                      "the peer does not begin with the profile's prelude");
        hs->opened += n;
        step->used += n;
    }
    while (result == DUET_OK && s->rx_phase == DUET__RX_START && step_left(step) > 0) {
        size_t n = duet__min(step_left(step), opening_left(s));
        memcpy(hs->arrived + hs->opened - prelude, step->in + step->used, n);
        hs->opened += n;
        step->used += n;
        if (opening_left(s) == 0)
            result = duet__session_first_header(s);
    }
    return result;
}

/** Gather a header; open it when it is whole. */
static int
take_header(struct duet_session *s, struct duet_step *step)
{
    size_t n = duet__min(step_left(step), DUET_HEADER_SIZE - s->held_size);

    if (n == 0) /* nothing came: `in` may be NULL */
        return DUET_OK;
    const uint8_t *header = step->in + step->used;
    step->used += n;
    if (n < DUET_HEADER_SIZE) {
        memcpy(s->held + s->held_size, header, n);
        s->held_size = (uint16_t)(s->held_size + n);
        if (s->held_size < DUET_HEADER_SIZE)
            return DUET_OK;
        header = s->held;
    }
    s->held_size = 0;
    int result = duet__cipher_open_header(&s->rx, header);
    if (result != DUET_OK)
        return duet__session_fail(s, result, NULL);
    if (s->rx_phase == DUET__RX_ESTABLISHED && duet__is_application(s->rx.code)) {
        step->event = DUET_EVENT_BEGIN;
        step->code = s->rx.code;
        step->length = s->rx.length;
    }
    return DUET_OK;
}

/** Take payload and MAC of the application's frame, as much as is here and has room. */
static int
take_payload(struct duet_session *s, struct duet_step *step)
{
    size_t n = duet__min(step_left(step), duet__cipher_left(&s->rx));

    if (duet__cipher_payload_left(&s->rx) > step->out_size)
        n = duet__min(n, step->out_size);
    if (n == 0)
        return DUET_OK;
    int result = duet__cipher_open_piece(&s->rx, step->out, &step->put, step->in + step->used, n);
    step->used += n;
    if (result == DUET_AGAIN)
        return DUET_OK;
    if (result != DUET_OK)
        return duet__session_fail(s, result, NULL);
    s->rx_frames++;
    s->rx_bytes += s->rx.length;
    s->rx_message = s->rx.code == WIRE_MORE;
    step->event = DUET_EVENT_FRAME;
    step->code = s->rx.code;
    step->length = s->rx.length;
    duet__session_rotate_if_due(s, &s->rx);
    return DUET_OK;
}

/** The result of opening a piece of a library frame: act on the frame once it is verified. */
static int
library_opened(struct duet_session *s, struct duet_step *step, int result)
{
    if (result == DUET_AGAIN)
        return DUET_OK;
    if (result != DUET_OK)
        return duet__session_fail(s, result, NULL);
    s->rx_frames++;
    step->event = DUET_EVENT_LIBRARY;
    result = duet__library_received(s, &step->event);
    s->held_size = 0;
    if (s->refresh_phase != DUET__REFRESH_RANDOM_WANTED) /* else it is still to be answered */
        duet__session_drop_large(s);
    if (step->event == DUET_EVENT_NONCE)
        step->nonce = s->handshake->messages.nonces;
    return result;
}

/** Decrypt into a scratch, and hold the first bytes. */
static int
take_library(struct duet_session *s, struct duet_step *step)
{
    uint8_t scratch[SCRATCH];
    int result = DUET_AGAIN;

    if (s->hybrid && s->large == NULL && s->rx.code == WIRE_REFRESH && s->rx.length > DUET__HELD) {
        s->large = malloc(DUET__REFRESH_MOST);
        if (s->large == NULL)
            return DUET_E_MEMORY;
    }
    uint8_t *held = s->large != NULL ? s->large : s->held;
    size_t room = s->large != NULL ? DUET__REFRESH_MOST : DUET__HELD;
    while (result == DUET_AGAIN && step_left(step) > 0) {
        size_t n = duet__min(duet__min(step_left(step), sizeof scratch), duet__cipher_left(&s->rx));
        size_t put;
        result = duet__cipher_open_piece(&s->rx, scratch, &put, step->in + step->used, n);
        size_t hold = duet__min(put, room - s->held_size);
        memcpy(held + s->held_size, scratch, hold);
        s->held_size = (uint16_t)(s->held_size + hold);
        step->used += n;
    }
    duet_wipe(scratch, sizeof scratch);
    return library_opened(s, step, result);
}

/** Have room for the message of the arriving HELLO, as far as its size is known: it is not proven
 * yet, and no more is kept than it says. With its last bytes comes the room for our answer. */
static int
prepare_hello(struct duet_session *s, const struct duet_step *step)
{
    struct duet__session_handshake *hs = s->handshake;
    size_t size = duet__min(s->rx.length, WIRE_MESSAGE_USUAL);

    if (hs->hello != NULL && hs->hello_size >= WIRE_HELLO_HEAD) {
        /* public, as LENGTH is: patterns and extensions have known sizes */
        DUET__PUBLIC(hs->hello, WIRE_HELLO_HEAD);
        size = duet__min(s->rx.length, WIRE_HELLO_HEAD + duet__load16(hs->hello + 1));
    }
    int result = DUET_OK;
    if (step_left(step) >= duet__cipher_left(&s->rx))
        result = duet__handshake_make_room(&hs->messages);
    if (result != DUET_OK || (hs->hello != NULL && size <= hs->hello_room))
        return result;
    result = duet__session_make_room(s, size);
    return result != DUET_E_ROOM
               ? result
               : duet__session_fail(s, DUET_E_PROTOCOL, "too many HELLOs are as long as this");
}

/** Keep the message of a HELLO. Padding behind it goes through the MAC as it comes. */
static int
take_hello(struct duet_session *s, struct duet_step *step)
{
    struct duet__session_handshake *hs = s->handshake;
    uint8_t padding[SCRATCH];
    int result = DUET_AGAIN;

    if (step_left(step) == 0)
        return DUET_OK;
    while (result == DUET_AGAIN && step_left(step) > 0) {
        int prepared = prepare_hello(s, step);
        if (prepared != DUET_OK) {
            duet_wipe(padding, sizeof padding);
            return prepared;
        }
        size_t room = hs->hello_room - hs->hello_size, put;
        uint8_t *out = room > 0 ? hs->hello + hs->hello_size : padding;
        size_t n = duet__min(step_left(step), duet__cipher_left(&s->rx));
        n = duet__min(n, room > 0 ? room : sizeof padding);
        result = duet__cipher_open_piece(&s->rx, out, &put, step->in + step->used, n);
        hs->hello_size += room > 0 ? put : 0;
        step->used += n;
    }
    duet_wipe(padding, sizeof padding);
    return library_opened(s, step, result);
}

/** Bytes that end what is awaited. */
static size_t
bytes_needed(const struct duet_session *s)
{
    if (s->rx_phase == DUET__RX_CLOSED || awaits_answer(s))
        return 0;
    if (s->own != NULL && s->rx_phase == DUET__RX_START)
        return s->own->need - s->own->got;
    if (s->rx.state == DUET__CIPHER_IN_FRAME)
        return (size_t)duet__cipher_left(&s->rx);
    if (s->rx_phase == DUET__RX_START)
        return opening_left(s);
    return DUET_HEADER_SIZE - (size_t)s->held_size;
}

/** A handshake of the application's own (§6) takes its bytes. */
static int
take_own(struct duet_session *s, struct duet_step *step)
{
    int result = duet__own_take(s, step);

    if (result == DUET_OK)
        step->need = bytes_needed(s);
    return result;
}

int
duet_session_recv(duet_session *s, duet_step *step)
{
    int result = DUET_OK;

    step->used = 0;
    step->put = 0;
    step->event = DUET_EVENT_NONE;
    step->nonce = NULL;
    step->need = 0;
    if (s->error != DUET_OK)
        return s->error;
    if (s->rx_phase == DUET__RX_CLOSED)
        return DUET_CLOSED;
    if (awaits_answer(s) ||
        (s->role == DUET_TOP && s->tx_phase == DUET__TX_FLIGHT && s->own == NULL))
        return DUET_E_MISUSE;
    if (s->own != NULL && s->rx_phase == DUET__RX_START)
        return take_own(s, step);
    if (s->rx_phase == DUET__RX_START)
        result = take_opening(s, step);
    if (result == DUET_OK && s->rx_phase != DUET__RX_START && s->rx.state != DUET__CIPHER_IN_FRAME)
        result = take_header(s, step);
    if (result == DUET_OK && step->event == DUET_EVENT_NONE &&
        s->rx.state == DUET__CIPHER_IN_FRAME) {
        if (s->rx_phase == DUET__RX_ESTABLISHED && duet__is_application(s->rx.code))
            result = take_payload(s, step);
        else if (s->rx_phase == DUET__RX_HELLO ||
                 (s->rx_phase == DUET__RX_THIRD && s->rx.code == WIRE_HELLO))
            result = take_hello(s, step);
        else
            result = take_library(s, step);
    }
    if (result == DUET_OK)
        step->need = bytes_needed(s);
    return result;
}
