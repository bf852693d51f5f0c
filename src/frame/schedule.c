/*
 * The key schedule of one direction: start, enter, rotate (docs/protocol.md §3).
 */
#include "frame/cipher.h"

#include "base/bytes.h"

#include <string.h>

static const struct duet__bytes nothing = {NULL, 0};

void
duet__cipher_prepare(struct duet__hmac_key *key, enum duet_role role, const uint8_t *half,
                     size_t size)
{
    uint8_t prk[WIRE_DIGEST];
    static const char *const salts[2] = {WIRE_VERSION_TEXT " top", WIRE_VERSION_TEXT " bottom"};
    struct duet__bytes salt = {salts[role], strlen(salts[role])};
    struct duet__bytes ikm = {half, size};
    duet__hkdf_extract(prk, salt, ikm);
    duet__hmac_set_key(key, prk, sizeof prk);
    duet_wipe(prk, sizeof prk);
}

/* §3 enter: K ‖ C ‖ Z, and Z into the chain as if it were a frame that is never sent */
static void
enter(struct duet__cipher *d, const uint8_t *label)
{
    uint8_t epoch[WIRE_EPOCH];
    struct duet__info info = duet__info("epoch", label);
    struct duet__sha256 hash;

    duet__derive(d->root, &info, nothing, epoch, sizeof epoch);
    duet_wipe(&d->key, sizeof d->key);
    duet__kernel()->set_key(&d->key, epoch);
    memcpy(d->block, epoch + WIRE_KEY, WIRE_BLOCK);
    duet__sha256_begin(&hash, d->chain);
    duet__sha256_update(&hash, epoch + WIRE_KEY + WIRE_BLOCK, WIRE_DIGEST);
    duet__sha256_end(&hash, d->chain);
    d->frames = 0;
    d->blocks = 0;
    duet_wipe(epoch, sizeof epoch);
}

/* §3 start */
void
duet__cipher_start(struct duet__cipher *d, const struct duet__cipher_start *with)
{
    struct duet__info info = duet__info(with->use, with->label);
    memset(d, 0, sizeof *d);
    duet__hkdf_expand_by(with->key, (struct duet__bytes){info.bytes, info.size}, with->salt,
                         d->root, sizeof d->root);
    memcpy(d->chain, duet__sha256_initial, sizeof d->chain);
    d->seq = 1;
    d->rotate_frames = WIRE_ROTATE_MOST;
    d->rotate_blocks = WIRE_ROTATE_MOST;
    d->state = DUET__CIPHER_IDLE;
    enter(d, with->label);
}

/* §3 rotate */
void
duet__cipher_rotate(struct duet__cipher *d, const uint8_t *label, struct duet__bytes fresh)
{
    uint8_t salt[WIRE_DIGEST];
    struct duet__info info = duet__info("rotate", label);

    duet__derive(d->root, &info, nothing, salt, sizeof salt);
    duet__hkdf_extract(d->root, (struct duet__bytes){salt, sizeof salt}, fresh);
    enter(d, label);
    duet_wipe(salt, sizeof salt);
}

int
duet__cipher_due(const struct duet__cipher *d)
{
    return d->frames >= (uint32_t)1 << d->rotate_frames || d->blocks >= (uint64_t)1
                                                                            << d->rotate_blocks;
}

void
duet__cipher_kill(struct duet__cipher *d, int error)
{
    duet_wipe(d, sizeof *d);
    d->state = DUET__CIPHER_DEAD;
    d->error = (int8_t)error;
}
