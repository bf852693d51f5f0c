/*
 * Sending the application's frames: whole, in pieces, and PAD (docs/protocol.md §1).
 *
 * What the session sends by itself is in emit.c and goes out by duet_session_flush(); the caller
 * does that first. Splitting data into frames is the caller's.
 */
#include "session/session.h"

#include <string.h>

/** Begin a frame that the application brings, PAD included. */
static int
begin_frame(struct duet_session *s, uint8_t *header, uint32_t code, size_t len)
{
    if (s->error != DUET_OK)
        return s->error;
    if ((!duet__is_application(code) && code != WIRE_PAD) || !duet__session_may_send(s) ||
        s->tx.state != DUET__CIPHER_IDLE)
        return DUET_E_MISUSE;
    if (len > s->tx_limit)
        return DUET_E_LENGTH;
    int result = duet__cipher_seal_begin(&s->tx, header, code, (uint32_t)len);
    return result == DUET_OK ? result : duet__session_fail(s, result, NULL);
}

int
duet_session_send_begin(duet_session *s, uint8_t *header, uint32_t code, uint32_t len)
{
    return begin_frame(s, header, code, len);
}

int
duet_session_send_piece(duet_session *s, uint8_t *out, size_t *put, const uint8_t *in, size_t len)
{
    *put = 0;
    if (s->error != DUET_OK)
        return s->error;
    int result = duet__cipher_seal_piece(&s->tx, out, put, in, len);
    if (result == DUET_E_MISUSE)
        return result;
    if (result != DUET_OK)
        return duet__session_fail(s, result, NULL);
    if (s->tx.state != DUET__CIPHER_IDLE)
        return DUET_OK;
    s->tx_frames++;
    if (s->tx.code != WIRE_PAD) {
        s->tx_bytes += s->tx.length;
        s->tx_message = s->tx.code == WIRE_MORE;
    }
    duet__session_rotate_if_due(s, &s->tx);
    return DUET_OK;
}

int
duet_session_send(duet_session *s, uint8_t *out, uint32_t code, const uint8_t *payload, size_t len)
{
    uint8_t *sealed = out + DUET_HEADER_SIZE;
    size_t put;

    if (s->error == DUET_OK && payload == NULL && len > 0 && code != WIRE_PAD)
        return DUET_E_MISUSE;
    int result = begin_frame(s, out, code, len);
    if (result != DUET_OK)
        return result;
    if (payload == NULL && len > 0) {
        memset(sealed, 0, len);
        payload = sealed;
    }
    return duet_session_send_piece(s, sealed, &put, payload, len);
}
