/*
 * Sealing: one direction's frames from payload to wire (docs/protocol.md §1).
 */
#include "frame/stream.h"

#include "base/octets.h"

int
duet__dir_seal_begin(struct duet__dir *d, uint8_t *header, uint32_t code, uint32_t len)
{
    uint8_t clear[DUET_HEADER_SIZE];
    if (d->state == DUET__DIR_DEAD)
        return d->error;
    if (d->state != DUET__DIR_IDLE)
        return DUET_E_MISUSE;

    duet__store32(clear + WIRE_LENGTH, len);
    duet__store32(clear + WIRE_CODE, code);
    duet__store32(clear + WIRE_SEQ, d->seq);
    duet__store32(clear + WIRE_CHECKSUM, len ^ code ^ d->seq);
    d->code = code;
    d->length = len;
    duet__stream_begin(d);
    struct duet__flow flow = {d, header, clear, sizeof clear};
    int result = duet__stream_run(&flow, DUET__SEALING);
    if (result != DUET_OK)
        duet__dir_kill(d, result);
    return result;
}

int
duet__dir_seal_piece(struct duet__dir *d, uint8_t *out, size_t *put, const uint8_t *in, size_t len)
{
    *put = 0;
    if (d->state == DUET__DIR_DEAD)
        return d->error;
    if (d->state != DUET__DIR_IN_FRAME || len > duet__dir_payload_left(d))
        return DUET_E_MISUSE;

    int last = len == duet__dir_payload_left(d);
    struct duet__flow flow = {d, out, in, len};
    int result = duet__stream_run(&flow, DUET__SEALING);
    if (result == DUET_OK && last)
        result = duet__stream_end(d, len > 0 ? out + len : out);
    if (result != DUET_OK) {
        duet__dir_kill(d, result);
        return result;
    }
    *put = len + (last ? DUET_MAC_SIZE : 0);
    return DUET_OK;
}

int
duet_seal_begin(duet_dir *d, uint8_t header[DUET_HEADER_SIZE], uint32_t code, uint32_t len)
{
    return duet__dir_seal_begin((struct duet__dir *)d, header, code, len);
}

int
duet_seal_piece(duet_dir *d, uint8_t *out, size_t *put, const uint8_t *in, size_t len)
{
    return duet__dir_seal_piece((struct duet__dir *)d, out, put, in, len);
}

int
duet_seal(duet_dir *d, uint8_t *frame, const uint8_t *payload, size_t len, uint32_t code)
{
    size_t put;
    if (len > UINT32_MAX)
        return DUET_E_MISUSE;
    int result = duet_seal_begin(d, frame, code, (uint32_t)len);
    if (result != DUET_OK)
        return result;
    return duet_seal_piece(d, frame + DUET_HEADER_SIZE, &put, payload, len);
}
