/*
 * Sealing: one direction's frames from payload to wire (docs/protocol.md §1).
 */
#include "frame/stream.h"

#include "base/bytes.h"

int
duet__cipher_seal_begin(struct duet__cipher *d, uint8_t *header, uint32_t code, uint32_t len)
{
    uint8_t clear[DUET_HEADER_SIZE];
    if (d->state == DUET__CIPHER_DEAD)
        return d->error;
    if (d->state != DUET__CIPHER_IDLE)
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
        duet__cipher_kill(d, result);
    return result;
}

static int
check_piece(const struct duet__cipher *d, size_t len)
{
    if (d->state == DUET__CIPHER_DEAD)
        return d->error;
    if (d->state != DUET__CIPHER_IN_FRAME || len > duet__cipher_payload_left(d))
        return DUET_E_MISUSE;
    return DUET_OK;
}

/* A piece of len bytes is through; behind the last one comes the MAC. */
static int
piece_done(int result, const struct duet__flow *flow, size_t len, size_t *put)
{
    struct duet__cipher *d = flow->d;
    size_t mac = duet__cipher_payload_left(d) == 0 ? DUET_MAC_SIZE : 0;
    if (result == DUET_OK && mac > 0)
        result = duet__stream_end(d, flow->out);
    if (result == DUET_OK)
        *put = len + mac;
    else
        duet__cipher_kill(d, result);
    return result;
}

int
duet__cipher_seal_piece(struct duet__cipher *d, uint8_t *out, size_t *put, const uint8_t *in,
                        size_t len)
{
    struct duet__flow flow = {d, out, in, len};
    *put = 0;
    int result = check_piece(d, len);
    if (result != DUET_OK)
        return result;
    result = duet__stream_run(&flow, DUET__SEALING);
    return piece_done(result, &flow, len, put);
}

void
duet__cipher_seal_two(struct duet__piece piece[2])
{
    struct duet__flow flow[2];
    int ready = 1;
    for (size_t i = 0; i < 2; i++) {
        struct duet__piece *p = &piece[i];
        flow[i] = (struct duet__flow){p->d, p->out, p->in, p->len};
        p->put = 0;
        p->result = check_piece(p->d, p->len);
        ready &= p->result == DUET_OK;
    }
    int together = ready ? duet__stream_run2(flow, DUET__SEALING) : DUET_OK;
    for (size_t i = 0; i < 2; i++) {
        struct duet__piece *p = &piece[i];
        if (ready)
            p->result = piece_done(together, &flow[i], p->len, &p->put);
        else if (p->result == DUET_OK)
            p->result = duet__cipher_seal_piece(p->d, p->out, &p->put, p->in, p->len);
    }
}

int
duet_seal_begin(duet_cipher *d, uint8_t header[DUET_HEADER_SIZE], uint32_t code, uint32_t len)
{
    return duet__cipher_seal_begin((struct duet__cipher *)d, header, code, len);
}

int
duet_seal_piece(duet_cipher *d, uint8_t *out, size_t *put, const uint8_t *in, size_t len)
{
    return duet__cipher_seal_piece((struct duet__cipher *)d, out, put, in, len);
}

int
duet_seal(duet_cipher *d, uint8_t *frame, const uint8_t *payload, size_t len, uint32_t code)
{
    size_t put;
    if (len > UINT32_MAX)
        return DUET_E_MISUSE;
    int result = duet_seal_begin(d, frame, code, (uint32_t)len);
    if (result != DUET_OK)
        return result;
    return duet_seal_piece(d, frame + DUET_HEADER_SIZE, &put, payload, len);
}
