/*
 * The raw direction: K, C, H and seq as the caller gives them (docs/protocol.md §3 "The raw
 * direction").
 */
#include "frame/cipher.h"

#include <duet/duet.h>
#include <string.h>

int
duet_cipher_init_raw(duet_cipher *d, const uint8_t key[32], const uint8_t block[16],
                     const uint8_t chain[32], uint32_t seq, uint32_t limit)
{
    struct duet__cipher *dir = (struct duet__cipher *)d;
    memset(d, 0, sizeof *d);
    if (duet_init() != DUET_OK)
        return DUET_E_CRYPTO;
    duet__kernel()->set_key(&dir->key, key);
    memcpy(dir->block, block, WIRE_BLOCK);
    duet__chain_load(dir->chain, chain);
    dir->seq = seq;
    dir->limit = limit;
    dir->state = DUET__CIPHER_IDLE;
    return DUET_OK;
}

void
duet_cipher_wipe(duet_cipher *d)
{
    if (d != NULL)
        duet_wipe(d, sizeof *d);
}
