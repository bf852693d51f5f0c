/*
 * Opening: one direction's frames from wire to payload (docs/protocol.md §1 "A receiver").
 *
 * Any failure kills the cipher. Payload is written before its MAC is checked, so callers count
 * nothing before DUET_OK. The public calls are in raw.c.
 */
#include "frame/stream.h"

#include "base/bytes.h"
#include "base/equal.h"
#include "base/public.h"
#include "base/wipe.h"

#include <string.h>

/** §1: CHECKSUM, then SEQ (the sequence number), then LENGTH. Keeps code and length of a correct
 * header. */
static int
check_header(struct duet__cipher *c, const uint8_t clear[DUET_HEADER_SIZE])
{
    uint32_t length = duet__load32(clear + WIRE_LENGTH);
    uint32_t code = duet__load32(clear + WIRE_CODE);
    uint32_t seq = duet__load32(clear + WIRE_SEQ);
    int wrong = (length ^ code ^ seq) != duet__load32(clear + WIRE_CHECKSUM);

    DUET__PUBLIC(&wrong, sizeof wrong);
    if (wrong)
        return DUET_E_CHECKSUM;
    DUET__PUBLIC(&seq, sizeof seq);
    if (seq != c->seq)
        return DUET_E_SEQUENCE;
    DUET__PUBLIC(&length, sizeof length);
    DUET__PUBLIC(&code, sizeof code);
    c->length = length;
    c->code = code;
    return length > c->limit ? DUET_E_TOO_LONG : DUET_OK;
}

int
duet__cipher_open_header(struct duet__cipher *c, const uint8_t *header)
{
    uint8_t clear[DUET_HEADER_SIZE];
    struct duet__flow flow = {c, clear, header, sizeof clear};

    if (c->state == DUET__CIPHER_DEAD)
        return c->error;
    if (c->state != DUET__CIPHER_IDLE)
        return DUET_E_MISUSE;
    c->at = 0;
    c->state = DUET__CIPHER_IN_FRAME;
    int result = duet__stream_run(&flow, DUET__OPENING);
    if (result == DUET_OK)
        result = check_header(c, clear);
    if (result != DUET_OK)
        duet__cipher_kill(c, result);
    return result;
}

/** Payload and MAC are all here: end the frame and compare. */
static int
check_mac(struct duet__cipher *c)
{
    uint8_t mac[DUET_MAC_SIZE];
    int result = duet__stream_end(c, mac);

    if (result != DUET_OK)
        return result;
    int right = duet__equal(mac, c->mac, DUET_MAC_SIZE);
    DUET__PUBLIC(&right, sizeof right);
    duet__wipe_small(mac, sizeof mac);
    return right ? DUET_OK : DUET_E_FORGED;
}

int
duet__cipher_open_piece(struct duet__cipher *c, uint8_t *out, size_t *put, const uint8_t *in,
                        size_t len)
{
    size_t payload = duet__cipher_payload_left(c);
    struct duet__flow flow = {c, out, in, len < payload ? len : payload};

    *put = 0;
    if (c->state == DUET__CIPHER_DEAD)
        return c->error;
    if (c->state != DUET__CIPHER_IN_FRAME || len > duet__cipher_left(c))
        return DUET_E_MISUSE;
    *put = flow.n; /* also on failure: the caller wipes that much of out */
    size_t mac = len - flow.n;
    int result = duet__stream_run(&flow, DUET__OPENING);
    if (result == DUET_OK && mac > 0) {
        memcpy(c->mac + (c->at - DUET_HEADER_SIZE - c->length), flow.in, mac);
        c->at += mac;
    }
    if (result == DUET_OK)
        result = duet__cipher_left(c) > 0 ? DUET_AGAIN : check_mac(c);
    if (result != DUET_OK && result != DUET_AGAIN)
        duet__cipher_kill(c, result);
    return result;
}
