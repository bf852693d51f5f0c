/*
 * Opening: one direction's frames from wire to payload (docs/protocol.md §1, "A receiver").
 */
#include "frame/stream.h"

#include "base/bytes.h"
#include "base/equal.h"
#include "base/public.h"
#include "base/wipe.h"

#include <string.h>

/* §1: CHECKSUM, then SEQ, then LENGTH */
static int
check_header(const struct duet__cipher *d, const uint8_t clear[DUET_HEADER_SIZE])
{
    uint32_t length = duet__load32(clear + WIRE_LENGTH);
    uint32_t code = duet__load32(clear + WIRE_CODE);
    uint32_t seq = duet__load32(clear + WIRE_SEQ);
    int wrong = (length ^ code ^ seq) != duet__load32(clear + WIRE_CHECKSUM);
    DUET__PUBLIC(&wrong, sizeof wrong);
    if (wrong)
        return DUET_E_CHECKSUM;
    DUET__PUBLIC(&seq, sizeof seq);
    if (seq != d->seq)
        return DUET_E_SEQUENCE;
    DUET__PUBLIC(&length, sizeof length);
    return length > d->limit ? DUET_E_TOO_LONG : DUET_OK;
}

int
duet__cipher_open_header(struct duet__cipher *d, const uint8_t *header)
{
    uint8_t clear[DUET_HEADER_SIZE];
    if (d->state == DUET__CIPHER_DEAD)
        return d->error;
    if (d->state != DUET__CIPHER_IDLE)
        return DUET_E_MISUSE;

    duet__stream_begin(d);
    struct duet__flow flow = {d, clear, header, sizeof clear};
    int result = duet__stream_run(&flow, DUET__OPENING);
    if (result == DUET_OK)
        result = check_header(d, clear);
    if (result != DUET_OK) {
        duet__cipher_kill(d, result);
        return result;
    }
    d->length = duet__load32(clear + WIRE_LENGTH);
    d->code = duet__load32(clear + WIRE_CODE);
    DUET__PUBLIC(&d->length, sizeof d->length);
    DUET__PUBLIC(&d->code, sizeof d->code);
    return DUET_OK;
}

/* The MAC's bytes as they came are all here: end the frame and compare. */
static int
check_mac(struct duet__cipher *d)
{
    uint8_t mac[DUET_MAC_SIZE];
    int result = duet__stream_end(d, mac);
    if (result != DUET_OK)
        return result;
    int right = duet__equal(mac, d->mac, DUET_MAC_SIZE);
    DUET__PUBLIC(&right, sizeof right);
    duet__wipe_small(mac, sizeof mac);
    return right ? DUET_OK : DUET_E_FORGED;
}

static int
check_piece(const struct duet__cipher *d, size_t len)
{
    if (d->state == DUET__CIPHER_DEAD)
        return d->error;
    if (d->state != DUET__CIPHER_IN_FRAME || len > duet__cipher_left(d))
        return DUET_E_MISUSE;
    return DUET_OK;
}

/* The payload among len bytes. */
static size_t
payload_of(const struct duet__cipher *d, size_t len)
{
    size_t payload = duet__cipher_payload_left(d);
    return len < payload ? len : payload;
}

/* A piece's payload is through; `rest` bytes of the MAC are behind it. */
static int
piece_done(int result, const struct duet__flow *flow, size_t rest)
{
    struct duet__cipher *d = flow->d;
    if (result == DUET_OK && rest > 0) {
        memcpy(d->mac + (d->at - DUET_HEADER_SIZE - d->length), flow->in, rest);
        d->at += rest;
    }
    if (result == DUET_OK)
        result = duet__cipher_left(d) > 0 ? DUET_AGAIN : check_mac(d);
    if (result != DUET_OK && result != DUET_AGAIN)
        duet__cipher_kill(d, result);
    return result;
}

int
duet__cipher_open_piece(struct duet__cipher *d, uint8_t *out, size_t *put, const uint8_t *in,
                        size_t len)
{
    *put = 0;
    int result = check_piece(d, len);
    if (result != DUET_OK)
        return result;
    *put = payload_of(d, len); /* also when it fails: so much of out is to be wiped */
    struct duet__flow flow = {d, out, in, *put};
    result = duet__stream_run(&flow, DUET__OPENING);
    return piece_done(result, &flow, len - *put);
}

void
duet__cipher_open_two(struct duet__piece piece[2])
{
    struct duet__flow flow[2];
    int ready = 1;
    for (size_t i = 0; i < 2; i++) {
        struct duet__piece *p = &piece[i];
        p->result = check_piece(p->d, p->len);
        p->put = p->result == DUET_OK ? payload_of(p->d, p->len) : 0;
        flow[i] = (struct duet__flow){p->d, p->out, p->in, p->put};
        ready &= p->result == DUET_OK;
    }
    int together = ready ? duet__stream_run2(flow, DUET__OPENING) : DUET_OK;
    for (size_t i = 0; i < 2; i++) {
        struct duet__piece *p = &piece[i];
        if (ready)
            p->result = piece_done(together, &flow[i], p->len - p->put);
        else if (p->result == DUET_OK)
            p->result = duet__cipher_open_piece(p->d, p->out, &p->put, p->in, p->len);
    }
}

uint32_t
duet__cipher_payload_left(const struct duet__cipher *d)
{
    uint64_t end = DUET_HEADER_SIZE + (uint64_t)d->length;
    return d->state == DUET__CIPHER_IN_FRAME && d->at < end ? (uint32_t)(end - d->at) : 0;
}

uint64_t
duet__cipher_left(const struct duet__cipher *d)
{
    uint64_t end = DUET_FRAME_OVERHEAD + (uint64_t)d->length;
    return d->state == DUET__CIPHER_IN_FRAME ? end - d->at : 0;
}

int
duet_open_header(duet_cipher *d, uint32_t *code, uint32_t *len,
                 const uint8_t header[DUET_HEADER_SIZE])
{
    struct duet__cipher *dir = (struct duet__cipher *)d;
    int result = duet__cipher_open_header(dir, header);
    if (result == DUET_OK) {
        *code = dir->code;
        *len = dir->length;
    }
    return result;
}

int
duet_open_piece(duet_cipher *d, uint8_t *out, size_t *put, const uint8_t *in, size_t len)
{
    return duet__cipher_open_piece((struct duet__cipher *)d, out, put, in, len);
}
