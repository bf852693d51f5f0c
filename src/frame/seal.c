/*
 * Sealing: one direction's frames from payload to wire, with header and MAC, the authentication tag
 * (docs/protocol.md §1).
 *
 * What may be sealed when is decided in session/; the public calls are in raw.c.
 */
#include "frame/stream.h"

#include "base/bytes.h"

int
duet__cipher_seal_begin(struct duet__cipher *c, uint8_t *header, uint32_t code, uint32_t len)
{
    uint8_t clear[DUET_HEADER_SIZE];
    struct duet__flow flow = {c, header, clear, sizeof clear};

    if (c->state == DUET__CIPHER_DEAD)
        return c->error;
    if (c->state != DUET__CIPHER_IDLE)
        return DUET_E_MISUSE;
    duet__store32(clear + WIRE_LENGTH, len);
    duet__store32(clear + WIRE_CODE, code);
    duet__store32(clear + WIRE_SEQ, c->seq);
    duet__store32(clear + WIRE_CHECKSUM, len ^ code ^ c->seq);
    c->code = code;
    c->length = len;
    c->at = 0;
    c->state = DUET__CIPHER_IN_FRAME;
    int result = duet__stream_run(&flow, DUET__SEALING);
    if (result != DUET_OK)
        duet__cipher_kill(c, result);
    return result;
}

int
duet__cipher_seal_piece(struct duet__cipher *c, uint8_t *out, size_t *put, const uint8_t *in,
                        size_t len)
{
    struct duet__flow flow = {c, out, in, len};

    *put = 0;
    if (c->state == DUET__CIPHER_DEAD)
        return c->error;
    if (c->state != DUET__CIPHER_IN_FRAME || len > duet__cipher_payload_left(c))
        return DUET_E_MISUSE;
    size_t mac = len == duet__cipher_payload_left(c) ? DUET_MAC_SIZE : 0;
    int result = duet__stream_run(&flow, DUET__SEALING);
    if (result == DUET_OK && mac > 0)
        result = duet__stream_end(c, flow.out);
    if (result == DUET_OK)
        *put = len + mac;
    else
        duet__cipher_kill(c, result);
    return result;
}
