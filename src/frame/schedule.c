/*
 * The key schedule of one direction: start, enter, rotate (docs/protocol.md §3). rotate is a rekey:
 * new key, new counter block, and secret material into the MAC's chain.
 *
 * An application may bring functions of its own (<duet/own.h>): they give the key, the counter
 * block and the chain's material; what is done with them is the same.
 */
#include "frame/cipher.h"

#include "base/bytes.h"
#include "base/equal.h"
#include "base/public.h"

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

/* ---- An epoch ---- */

/** Use K ‖ C ‖ Z, and wipe them. Z goes into the chain as if it were a frame that is never sent. */
static void
use_epoch(struct duet__cipher *c, uint8_t epoch[WIRE_EPOCH])
{
    struct duet__sha256 hash;

    duet_wipe(&c->key, sizeof c->key);
    duet__kernel()->set_key(&c->key, epoch);
    memcpy(c->block, epoch + WIRE_KEY, WIRE_BLOCK);
    duet__sha256_begin(&hash, c->chain);
    duet__sha256_update(&hash, epoch + WIRE_KEY + WIRE_BLOCK, WIRE_DIGEST);
    duet__sha256_end(&hash, c->chain);
    c->frames = 0;
    c->blocks = 0;
    duet_wipe(epoch, WIRE_EPOCH);
}

/* §3 enter, of the standard schedule */
static void
enter_epoch(struct duet__cipher *c, const uint8_t *label)
{
    uint8_t epoch[WIRE_EPOCH];
    struct duet__info info = duet__info("epoch", label);

    duet__derive(c->root, &info, epoch, sizeof epoch);
    use_epoch(c, epoch);
}

/* ---- A schedule of the application's (§6 "An application's own") ---- */

_Static_assert(sizeof(duet_epoch) == WIRE_EPOCH, "duet_epoch is K, C and Z without gaps");

typedef int own_function(void *context, const duet_schedule_input *input, uint8_t root[32],
                         duet_epoch *epoch);

/** 1 when a block is `least` to `most` blocks before `end`. */
static int
lies_before(const uint8_t block[WIRE_BLOCK], const uint8_t end[WIRE_BLOCK], uint64_t least,
            uint64_t most)
{
    const size_t half = WIRE_BLOCK / 2;
    uint64_t low = duet__load64(end + half) - duet__load64(block + half);
    uint64_t borrow = duet__load64(end + half) < duet__load64(block + half);
    uint64_t high = duet__load64(end) - duet__load64(block) - borrow;

    return high == 0 && low >= least && low <= most;
}

int
duet__cipher_shares(const struct duet__cipher *c, const struct duet__cipher *other)
{
    int same = duet__equal(c->key.bytes, other->key.bytes, sizeof c->key.bytes);

    DUET__PUBLIC(&same, sizeof same);
    return same && (lies_before(c->block, other->block, 0, other->blocks) ||
                    lies_before(other->block, c->block, 0, c->blocks));
}

/** Derive by a function of the application's, and use what it gave. */
static int
enter_own(struct duet__cipher *c, const duet_schedule_ops *own, own_function *derive,
          duet_schedule_input *input)
{
    static const uint8_t zeros[WIRE_DIGEST];
    duet_epoch epoch = {{0}, {0}, {0}};

    input->size = sizeof *input;
    input->sender = (enum duet_role)c->sender;
    input->epoch = c->epoch;
    int result = derive(own->context, input, c->root, &epoch);
    struct duet__key key = {{0}}; /* a kernel may fill a part */
    duet__kernel()->set_key(&key, epoch.key);
    int same = duet__equal(key.bytes, c->key.bytes, sizeof key.bytes);
    int missing = duet__equal(epoch.key, zeros, sizeof epoch.key) |
                  duet__equal(epoch.chain, zeros, sizeof epoch.chain);
    duet_wipe(&key, sizeof key);
    DUET__PUBLIC(&result, sizeof result);
    DUET__PUBLIC(&missing, sizeof missing);
    DUET__PUBLIC(&same, sizeof same);
    if (result == DUET_OK && !missing &&
        !(same && lies_before(epoch.block, c->block, 1, c->blocks))) {
        use_epoch(c, (uint8_t *)&epoch);
        return DUET_OK;
    }
    duet_wipe(&epoch, sizeof epoch);
    result = result == DUET_E_CRYPTO ? result : DUET_E_CALLBACK;
    duet__cipher_kill(c, result);
    return result;
}

/* ---- start and rotate ---- */

/* §3 start */
int
duet__cipher_start(struct duet__cipher *c, const struct duet__cipher_start *with)
{
    const duet_schedule_ops *own = with->schedule.own;
    struct duet__info info = duet__info(with->use, with->schedule.label);

    memset(c, 0, sizeof *c);
    memcpy(c->chain, duet__sha256_initial, sizeof c->chain);
    c->seq = 1;
    c->sender = (uint8_t)with->sender;
    c->rotate_frames = WIRE_ROTATE_MOST;
    c->rotate_blocks = WIRE_ROTATE_MOST;
    c->state = DUET__CIPHER_IDLE;
    if (own != NULL) {
        duet_schedule_input input = {.use = with->use,
                                     .label = with->schedule.label,
                                     .secret = with->half.data,
                                     .secret_size = with->half.size,
                                     .salt = with->salt.data,
                                     .salt_size = with->salt.size};
        return enter_own(c, own, own->start, &input);
    }
    duet__hkdf_expand_by(with->key, (struct duet__bytes){info.bytes, info.size}, with->salt,
                         c->root, sizeof c->root);
    enter_epoch(c, with->schedule.label);
    return DUET_OK;
}

/* §3 rotate */
int
duet__cipher_rotate(struct duet__cipher *c, const struct duet__schedule *schedule,
                    struct duet__bytes fresh)
{
    const duet_schedule_ops *own = schedule->own;
    uint8_t salt[WIRE_DIGEST];
    struct duet__info info = duet__info("rotate", schedule->label);

    c->epoch++;
    if (own != NULL) {
        duet_schedule_input input = {.label = schedule->label,
                                     .fresh = fresh.size > 0 ? fresh.data : NULL,
                                     .fresh_size = fresh.size};
        return enter_own(c, own, own->rotate, &input);
    }
    duet__derive(c->root, &info, salt, sizeof salt);
    duet__hkdf_extract(c->root, (struct duet__bytes){salt, sizeof salt}, fresh);
    enter_epoch(c, schedule->label);
    duet_wipe(salt, sizeof salt);
    return DUET_OK;
}

void
duet__cipher_kill(struct duet__cipher *c, int error)
{
    duet_wipe(c, sizeof *c);
    c->state = DUET__CIPHER_DEAD;
    c->error = (int8_t)error;
}
