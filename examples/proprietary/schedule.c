/*
 * Own nonce rule and own rotation. The counter block is the epoch's number, the sender and zeros;
 * each epoch has a fresh key from HKDF-SHA512 over what the epoch before left, so a pair of key and
 * block never comes twice (own.h, "Uniqueness").
 */
#include "proprietary.h"

#include <string.h>

enum { ROOT = 32 };

/** K, C and Z of the epoch that root stands for. */
static int
fill_epoch(const duet_schedule_input *input, const uint8_t root[ROOT], duet_epoch *epoch)
{
    const struct px_bytes key = {root, ROOT}, none = {"", 0};
    int result = px_derive(epoch->key, sizeof epoch->key, key, "px key", none);

    if (result == DUET_OK)
        result = px_derive(epoch->chain, sizeof epoch->chain, key, "px chain", none);
    memset(epoch->block, 0, sizeof epoch->block);
    for (int i = 0; i < 8; i++)
        epoch->block[i] = (uint8_t)(input->epoch >> (56 - 8 * i));
    epoch->block[8] = (uint8_t)input->sender; /* the last 7 bytes count blocks */
    return result;
}

/** The first epoch: the sender's half, the salt of this session, and what it is for. */
static int
start(void *context, const duet_schedule_input *input, uint8_t root[ROOT], duet_epoch *epoch)
{
    uint8_t bound[32];
    const struct px_bytes key = {input->secret, input->secret_size};
    const struct px_bytes salt = {input->salt, input->salt_size};

    (void)context;
    int result = px_derive(bound, sizeof bound, key, input->use, salt);
    if (result == DUET_OK)
        result = px_derive(root, ROOT, (struct px_bytes){bound, sizeof bound},
                           input->sender == DUET_TOP ? "px top" : "px bottom",
                           (struct px_bytes){input->label, 32});
    duet_wipe(bound, sizeof bound);
    return result == DUET_OK ? fill_epoch(input, root, epoch) : result;
}

/** The next epoch: one way from the root before, and with all that is fresh. */
static int
rotate(void *context, const duet_schedule_input *input, uint8_t root[ROOT], duet_epoch *epoch)
{
    const struct px_bytes fresh = {input->fresh_size > 0 ? input->fresh : (const uint8_t *)"",
                                   input->fresh_size};
    uint8_t next[ROOT];

    (void)context;
    int result = px_derive(next, sizeof next, (struct px_bytes){root, ROOT}, "px next", fresh);
    if (result == DUET_OK) {
        memcpy(root, next, ROOT);
        result = fill_epoch(input, root, epoch);
    }
    duet_wipe(next, sizeof next);
    return result;
}

duet_schedule_ops
px_schedule(void)
{
    return (duet_schedule_ops){.size = sizeof(duet_schedule_ops), .start = start, .rotate = rotate};
}
