/*
 * Secrets tried on a first header: the beginning of start() for two of them at once (trial.h).
 */
#include "frame/trial.h"

#include "base/bytes.h"

#include <string.h>

/** Lay out info ‖ more ‖ number from `at`, which is in the first group, and pad it for HMAC. */
static void
lay_out(uint8_t *groups, size_t at, const struct duet__info *info, struct duet__bytes more,
        uint8_t number)
{
    memcpy(groups + at, info->bytes, info->size);
    at += info->size;
    if (more.size > 0)
        memcpy(groups + at, more.data, more.size);
    at += more.size;
    groups[at] = number;
    duet__hmac_pad(groups, at + 1);
}

void
duet__trial_begin(struct duet__trial *trial, const uint8_t label[WIRE_DIGEST],
                  const uint8_t nonce[WIRE_NONCE], const uint8_t header[DUET_HEADER_SIZE])
{
    const struct duet__info hello = duet__info("hello", label);
    const struct duet__info epoch = duet__info("epoch", label);

    memset(trial, 0, sizeof *trial);
    memcpy(trial->header, header, sizeof trial->header);
    lay_out(trial->hello, 0, &hello, (struct duet__bytes){nonce, WIRE_NONCE}, 1);
    lay_out(trial->first, 0, &epoch, DUET__NO_BYTES, 1);
    for (size_t lane = 0; lane < 2; lane++)
        lay_out(trial->second[lane], WIRE_KEY, &epoch, DUET__NO_BYTES, 2);
}

/** Decrypt the header by K and the block that C is the beginning of. */
static int
decrypt_header(struct duet__trial *trial, const uint8_t key[WIRE_KEY], const uint8_t *block,
               uint8_t clear[DUET_HEADER_SIZE])
{
    uint8_t stream[WIRE_GROUP];

    duet__kernel()->set_key(&trial->key, key);
    int failed = duet__kernel()->keystream(&trial->key, block, stream);
    for (size_t i = 0; i < DUET_HEADER_SIZE; i++)
        clear[i] = trial->header[i] ^ stream[i];
    duet_wipe(stream, sizeof stream);
    return failed ? DUET_E_CRYPTO : DUET_OK;
}

int
duet__trial_two(struct duet__trial *trial, const struct duet__hmac_key *const half[2],
                uint8_t clear[2][DUET_HEADER_SIZE])
{
    const uint8_t *const hello[2] = {trial->hello, trial->hello};
    const uint8_t *const first[2] = {trial->first, trial->first};
    const uint8_t *const second[2] = {trial->second[0], trial->second[1]};
    const struct duet__hmac_key *const root[2] = {&trial->root[0], &trial->root[1]};

    duet__hmac_padded2(half, hello, 2, trial->out);
    duet__hmac_set_key2(trial->root, trial->out);
    duet__hmac_padded2(root, first, 1, trial->out);
    for (size_t lane = 0; lane < 2; lane++)
        memcpy(trial->second[lane], trial->out[lane], WIRE_KEY);
    duet__hmac_padded2(root, second, 2, trial->out);
    int result = decrypt_header(trial, trial->second[0], trial->out[0], clear[0]);
    if (result == DUET_OK)
        result = decrypt_header(trial, trial->second[1], trial->out[1], clear[1]);
    return result;
}
