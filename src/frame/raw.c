/*
 * The public calls of <duet/frame.h>, "the raw direction": K, C, H and seq as the caller gives
 * them, and frames under any code (docs/protocol.md §3 "The raw cipher").
 */
#include "frame/cipher.h"

#include "crypto/init.h"

#include <duet/duet.h>
#include <string.h>

int
duet_cipher_init(duet_cipher *cipher, const uint8_t key[32], const uint8_t block[16],
                 const uint8_t chain[32], uint32_t seq, uint32_t limit)
{
    struct duet__cipher *c = (struct duet__cipher *)cipher;

    memset(cipher, 0, sizeof *cipher);
    if (duet__init() != DUET_OK)
        return DUET_E_CRYPTO;
    duet__kernel()->set_key(&c->key, key);
    memcpy(c->block, block, WIRE_BLOCK);
    duet__chain_load(c->chain, chain);
    c->seq = seq;
    c->limit = limit;
    c->state = DUET__CIPHER_IDLE;
    return DUET_OK;
}

int
duet_cipher_rekey(duet_cipher *cipher, const uint8_t key[32], const uint8_t block[16],
                  const uint8_t *material)
{
    struct duet__cipher *c = (struct duet__cipher *)cipher;
    struct duet__sha256 hash;

    if (c->state == DUET__CIPHER_DEAD)
        return c->error;
    if (c->state != DUET__CIPHER_IDLE)
        return DUET_E_MISUSE;
    duet_wipe(&c->key, sizeof c->key);
    duet__kernel()->set_key(&c->key, key);
    memcpy(c->block, block, WIRE_BLOCK);
    c->frames = 0;
    c->blocks = 0;
    if (material == NULL)
        return DUET_OK;
    duet__sha256_begin(&hash, c->chain); /* §3 enter: as a frame that is never sent */
    duet__sha256_update(&hash, material, DUET_MATERIAL_SIZE);
    duet__sha256_end(&hash, c->chain);
    return DUET_OK;
}

int
duet_cipher_seal_begin(duet_cipher *cipher, uint8_t header[DUET_HEADER_SIZE], uint32_t code,
                       uint32_t len)
{
    return duet__cipher_seal_begin((struct duet__cipher *)cipher, header, code, len);
}

int
duet_cipher_seal_piece(duet_cipher *cipher, uint8_t *out, size_t *put, const uint8_t *in,
                       size_t len)
{
    return duet__cipher_seal_piece((struct duet__cipher *)cipher, out, put, in, len);
}

int
duet_cipher_open_header(duet_cipher *cipher, uint32_t *code, uint32_t *len,
                        const uint8_t header[DUET_HEADER_SIZE])
{
    struct duet__cipher *c = (struct duet__cipher *)cipher;
    int result = duet__cipher_open_header(c, header);

    if (result == DUET_OK) {
        *code = c->code;
        *len = c->length;
    }
    return result;
}

int
duet_cipher_open_piece(duet_cipher *cipher, uint8_t *out, size_t *put, const uint8_t *in,
                       size_t len)
{
    return duet__cipher_open_piece((struct duet__cipher *)cipher, out, put, in, len);
}
