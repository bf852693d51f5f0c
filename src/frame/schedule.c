/*
 * The key schedule of one direction: start, enter, rotate (docs/protocol.md §3). rotate is a rekey:
 * new key, new counter block, and secret material into the MAC's chain.
 */
#include "frame/cipher.h"

#include "base/bytes.h"

#include <string.h>

void
duet__cipher_prepare(struct duet__hmac_key *key, enum duet_role role, const uint8_t *half,
                     size_t size)
{
    static const char *const salts[2] = {WIRE_VERSION_TEXT " top", WIRE_VERSION_TEXT " bottom"};
    uint8_t prk[WIRE_DIGEST];

    duet__hkdf_extract(prk, (struct duet__bytes){salts[role], strlen(salts[role])},
                       (struct duet__bytes){half, size});
    duet__hmac_set_key(key, prk, sizeof prk);
    duet_wipe(prk, sizeof prk);
}

/* §3 enter: K ‖ C ‖ Z, and Z into the chain as if it were a frame that is never sent */
static void
enter_epoch(struct duet__cipher *c, const uint8_t *label)
{
    uint8_t epoch[WIRE_EPOCH];
    struct duet__info info = duet__info("epoch", label);
    struct duet__sha256 hash;

    duet__derive(c->root, &info, epoch, sizeof epoch);
    duet_wipe(&c->key, sizeof c->key);
    duet__kernel()->set_key(&c->key, epoch);
    memcpy(c->block, epoch + WIRE_KEY, WIRE_BLOCK);
    duet__sha256_begin(&hash, c->chain);
    duet__sha256_update(&hash, epoch + WIRE_KEY + WIRE_BLOCK, WIRE_DIGEST);
    duet__sha256_end(&hash, c->chain);
    c->frames = 0;
    c->blocks = 0;
    duet_wipe(epoch, sizeof epoch);
}

/* §3 start */
void
duet__cipher_start(struct duet__cipher *c, const struct duet__cipher_start *with)
{
    struct duet__info info = duet__info(with->use, with->label);

    memset(c, 0, sizeof *c);
    duet__hkdf_expand_by(with->key, (struct duet__bytes){info.bytes, info.size}, with->salt,
                         c->root, sizeof c->root);
    memcpy(c->chain, duet__sha256_initial, sizeof c->chain);
    c->seq = 1;
    c->rotate_frames = WIRE_ROTATE_MOST;
    c->rotate_blocks = WIRE_ROTATE_MOST;
    c->state = DUET__CIPHER_IDLE;
    enter_epoch(c, with->label);
}

/* §3 rotate */
void
duet__cipher_rotate(struct duet__cipher *c, const uint8_t *label, struct duet__bytes fresh)
{
    uint8_t salt[WIRE_DIGEST];
    struct duet__info info = duet__info("rotate", label);

    duet__derive(c->root, &info, salt, sizeof salt);
    duet__hkdf_extract(c->root, (struct duet__bytes){salt, sizeof salt}, fresh);
    enter_epoch(c, label);
    duet_wipe(salt, sizeof salt);
}

void
duet__cipher_kill(struct duet__cipher *c, int error)
{
    duet_wipe(c, sizeof *c);
    c->state = DUET__CIPHER_DEAD;
    c->error = (int8_t)error;
}
