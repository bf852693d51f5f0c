/*
 * Configurations: secrets, identity, trusted peers, profile and numbers, and the rules that follow
 * from them: which patterns a role may use, which peers it trusts (docs/protocol.md §2, §4, §6).
 *
 * Reads no files: that is secret/.
 */
#include "session/config.h"

#include "base/equal.h"

#include "base/public.h"
#include "base/wipe.h"
#include "crypto/init.h"
#include "crypto/x25519.h"
#include "os/os.h"

#include <duet/duet.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_PAYLOAD = 1 << 20, /* bytes; the default of §1 */
    FRAME_SIZE = 16384,    /* bytes: small enough to flow, large enough for speed */
    FRAME_SIZE_MOST = 65536,
    REFRESH_SECONDS = 3600, /* §5, and: */
    REFRESH_BYTES = 1 << 30,
    YEAR_S = 366 * 24 * 3600,
    ALL_PATTERNS = (1 << DUET_PATTERN_COUNT) - 1
};

#define SKEW_MOST_MS ((uint64_t)366 * 24 * 3600 * 1000) /* a year: a larger one checks nothing */

static void
hash_label(struct duet_config *config)
{
    duet__sha256(config->label, config->profile.label, config->profile.label_size);
}

/** Derive the dialect of a secret, or none, as the profile says. */
static void
derive_dialect(const struct duet_config *config, struct duet__psk *psk)
{
    memset(&psk->dialect, 0, sizeof psk->dialect);
    if (config->profile.dialect)
        duet__dialect_derive(&psk->dialect, (struct duet__bytes){psk->secret, psk->size},
                             config->label);
}

static void
derive_dialects(struct duet_config *config)
{
    for (size_t i = 0; i < config->count; i++)
        derive_dialect(config, &config->psks[i]);
}

duet_config *
duet_config_new(void)
{
    if (duet__init() != DUET_OK)
        return NULL;
    duet_config *config = duet__os_locked_new(sizeof *config);
    if (config == NULL)
        return NULL;
    atomic_init(&config->users, 1);
    atomic_init(&config->process, duet__os_process());
    duet__profile_init(&config->profile);
    config->max_payload = MAX_PAYLOAD;
    config->frame_size = FRAME_SIZE;
    config->refresh_bytes = REFRESH_BYTES;
    config->refresh_seconds = REFRESH_SECONDS;
    config->hybrid = duet_has_hybrid() ? DUET_HYBRID_OFFER : DUET_HYBRID_OFF;
    hash_label(config);
    return config;
}

const struct duet_config *
duet__config_default(void)
{
    static struct duet_config config = {
        .users = 1, .frozen = 1, .max_payload = MAX_PAYLOAD, .frame_size = FRAME_SIZE};

    return &config;
}

/* Sessions see a configuration as const, and only the count and the mark of its use may change:
 * no configuration is a const object, so the change is valid. */
static struct duet_config *
config_writable(const struct duet_config *config)
{
    union {
        const struct duet_config *shared;
        struct duet_config *writable;
    } pointer = {config};

    return pointer.writable;
}

/** In the child of a fork: lock all of it again. */
static void
lock_again(struct duet_config *config, uint32_t process)
{
    atomic_store_explicit(&config->process, process, memory_order_relaxed);
    duet__os_locked_again(config, sizeof *config);
    for (size_t i = 0; i < config->count; i++)
        duet__os_locked_again(config->psks[i].secret, config->psks[i].size);
    if (config->psks != NULL)
        duet__os_locked_again(config->psks, config->count * sizeof *config->psks);
}

void
duet__config_retain(const struct duet_config *config)
{
    struct duet_config *used = config_writable(config);
    uint32_t locked = atomic_load_explicit(&used->process, memory_order_relaxed);

    atomic_fetch_add_explicit(&used->users, 1, memory_order_relaxed);
    if (locked != 0 && locked != duet__os_process())
        lock_again(used, duet__os_process());
}

void
duet__config_freeze(const struct duet_config *config)
{
    atomic_store_explicit(&config_writable(config)->frozen, 1, memory_order_relaxed);
}

void
duet__config_release(const struct duet_config *config)
{
    struct duet_config *last = config_writable(config);

    /* The last user must see what the others did before they released it. */
    if (atomic_fetch_sub_explicit(&last->users, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < last->count; i++)
        duet__psk_wipe(&last->psks[i]);
    duet__os_locked_free(last->psks, last->count * sizeof *last->psks);
    free(last->peers.list);
    duet__os_locked_free(last, sizeof *last);
}

void
duet_config_free(duet_config *config)
{
    if (config != NULL)
        duet__config_release(config);
}

int
duet__config_add_secret(struct duet_config *config, const uint8_t *bytes, size_t size,
                        int64_t not_after)
{
    size_t used = config->count * sizeof *config->psks;

    if (config->frozen || config->count >= DUET_SECRETS_MOST)
        return DUET_E_MISUSE;
    struct duet__psk *psks = duet__os_locked_new(used + sizeof *psks);
    if (psks == NULL)
        return DUET_E_MEMORY;
    int result = duet__psk_init(&psks[config->count], bytes, size);
    if (result != DUET_OK) {
        duet__os_locked_free(psks, used + sizeof *psks);
        return result;
    }
    if (config->psks != NULL)
        memcpy(psks, config->psks, used);
    duet__os_locked_free(config->psks, used);
    config->psks = psks;
    psks[config->count].not_after = not_after;
    derive_dialect(config, &psks[config->count++]);
    return DUET_OK;
}

int
duet__config_set_identity(struct duet_config *config, const struct duet__identity *identity)
{
    if (config->frozen)
        return DUET_E_MISUSE;
    int result = duet__x25519_public(config->identity.public_key, identity->private_key);
    duet__wipe_stack();
    if (result != DUET_OK)
        return result;
    memcpy(config->identity.private_key, identity->private_key, DUET_KEY_SIZE);
    config->has_identity = 1;
    return DUET_OK;
}

int
duet__config_set_peers(struct duet_config *config, const struct duet__peers *peers)
{
    if (config->frozen)
        return DUET_E_MISUSE;
    for (size_t i = 0; i < peers->count; i++)
        if (!duet__x25519_in_form(peers->list[i].public_key))
            return DUET_E_MISUSE;
    struct duet__peer *list = calloc(peers->count + 1, sizeof *list);
    if (list == NULL)
        return DUET_E_MEMORY;
    if (peers->count > 0)
        memcpy(list, peers->list, peers->count * sizeof *list);
    free(config->peers.list);
    config->peers.list = list;
    config->peers.count = peers->count;
    config->has_peers = 1;
    return DUET_OK;
}

static int
is_size_range(uint32_t least, uint32_t most)
{
    return least <= most && most <= WIRE_FLIGHT_MOST;
}

static int
is_rotate_exponent(uint32_t exponent)
{
    return exponent >= WIRE_ROTATE_LEAST && exponent <= WIRE_ROTATE_MOST;
}

int
duet__config_set_profile(struct duet_config *config, const struct duet__profile *profile)
{
    if (config->frozen || profile->label_size > DUET_LABEL_MOST ||
        profile->prelude_size[DUET_TOP] > DUET_PRELUDE_MOST ||
        profile->prelude_size[DUET_BOTTOM] > DUET_PRELUDE_MOST ||
        !is_size_range(profile->hello_least, profile->hello_most) ||
        profile->first > WIRE_FIRST_MOST ||
        !is_size_range(profile->first_least, profile->first_most) ||
        !is_rotate_exponent(profile->rotate_frames) || !is_rotate_exponent(profile->rotate_blocks))
        return DUET_E_MISUSE;
    config->profile = *profile;
    hash_label(config);
    derive_dialects(config);
    return DUET_OK;
}

static void
set_dialect(struct duet_config *config, int used)
{
    config->profile.dialect = used;
    derive_dialects(config);
}

int
duet_config_set(duet_config *config, enum duet_setting setting, uint64_t value)
{
    static const struct {
        uint64_t least, most;
    } range[] = {
        [DUET_SET_PATTERNS] = {1, ALL_PATTERNS},
        [DUET_SET_MAX_PAYLOAD] = {WIRE_MAX_PAYLOAD_LEAST, UINT32_MAX},
        [DUET_SET_FRAME_SIZE] = {1, FRAME_SIZE_MOST},
        [DUET_SET_MAX_SKEW_MS] = {0, SKEW_MOST_MS},
        [DUET_SET_SPEAK_FIRST] = {0, 1},
        [DUET_SET_BUFFERED] = {0, 1},
        [DUET_SET_HYBRID] = {DUET_HYBRID_OFF, DUET_HYBRID_REQUIRE},
        [DUET_SET_REFRESH_BYTES] = {0, UINT64_MAX},
        [DUET_SET_REFRESH_SECONDS] = {0, YEAR_S},
        [DUET_SET_DIALECT] = {0, 1},
        [DUET_SET_READ_AHEAD] = {0, 1},
    };

    if (config->frozen || (unsigned)setting >= sizeof range / sizeof *range ||
        value < range[setting].least || value > range[setting].most)
        return DUET_E_MISUSE;
    if (setting == DUET_SET_HYBRID && value == DUET_HYBRID_REQUIRE && !duet_has_hybrid())
        return DUET_E_MISUSE;
    config->has_max_payload |= setting == DUET_SET_MAX_PAYLOAD;
    if (setting == DUET_SET_PATTERNS)
        config->patterns = (unsigned)value;
    else if (setting == DUET_SET_MAX_PAYLOAD)
        config->max_payload = (uint32_t)value;
    else if (setting == DUET_SET_FRAME_SIZE)
        config->frame_size = (uint32_t)value;
    else if (setting == DUET_SET_MAX_SKEW_MS)
        config->max_skew_ms = value;
    else if (setting == DUET_SET_SPEAK_FIRST)
        config->speak_first = (int)value;
    else if (setting == DUET_SET_BUFFERED)
        config->buffered = (int)value;
    else if (setting == DUET_SET_READ_AHEAD)
        config->read_ahead = (int)value;
    else if (setting == DUET_SET_HYBRID)
        config->hybrid = (enum duet_hybrid)value;
    else if (setting == DUET_SET_REFRESH_BYTES)
        config->refresh_bytes = value;
    else if (setting == DUET_SET_REFRESH_SECONDS)
        config->refresh_seconds = (uint32_t)value;
    else
        set_dialect(config, (int)value);
    if (value > 0 && (setting == DUET_SET_REFRESH_BYTES || setting == DUET_SET_REFRESH_SECONDS))
        config->refresh_set = 1;
    return DUET_OK;
}

uint32_t
duet_config_time(const duet_config *config, enum duet_time which)
{
    static const struct duet__dialect none = {.silence_ms = {30000, 90000},
                                              .linger_ms = {1000, 5000}};
    const struct duet__dialect *dialect =
        config->count > 0 && config->psks[0].dialect.used ? &config->psks[0].dialect : &none;

    switch (which) {
    case DUET_TIME_SILENCE_LEAST:
        return dialect->silence_ms.least;
    case DUET_TIME_SILENCE_MOST:
        return dialect->silence_ms.most;
    case DUET_TIME_LINGER_LEAST:
        return dialect->linger_ms.least;
    case DUET_TIME_LINGER_MOST:
        return dialect->linger_ms.most;
    }
    return 0;
}

/* ---- What the application brings of its own (§6) ---- */

static int
is_handshake(const duet_handshake_ops *ops)
{
    return ops->size == sizeof *ops && ops->begin != NULL && ops->turn != NULL &&
           ops->state_size <= DUET_OWN_STATE_MOST && ops->turn_most >= 1 &&
           ops->turn_most <= DUET_OWN_TURN_MOST;
}

static int
is_schedule(const duet_schedule_ops *ops)
{
    return ops->size == sizeof *ops && ops->start != NULL && ops->rotate != NULL;
}

int
duet_config_set_own(duet_config *config, const duet_handshake_ops *handshake,
                    const duet_schedule_ops *schedule)
{
    if (config->frozen || (handshake != NULL && !is_handshake(handshake)) ||
        (schedule != NULL && !is_schedule(schedule)))
        return DUET_E_MISUSE;
    if (handshake != NULL)
        config->handshake = *handshake;
    if (schedule != NULL)
        config->schedule = *schedule;
    return DUET_OK;
}

/* ---- Rules ---- */

const struct duet__psk *
duet__config_first(const struct duet_config *config, uint64_t now_ms)
{
    for (size_t i = 0; i < config->count; i++)
        if (duet__psk_valid(&config->psks[i], now_ms))
            return &config->psks[i];
    return NULL;
}

/* §4: 1 and 2 unless the application says otherwise, 2 alone with a list of trusted peers, never 2
 * without an identity, never 0 where hybrid is required. */
unsigned
duet__config_patterns(const struct duet_config *config, enum duet_role role)
{
    const unsigned identity = 1u << DUET_PATTERN_IDENTITY;
    unsigned set = config->patterns;

    if (set == 0)
        set = identity | 1u << DUET_PATTERN_EPHEMERAL;
    if (config->has_peers)
        set &= identity;
    if (!config->has_identity && (role == DUET_BOTTOM || config->patterns == 0))
        set &= ~identity;
    if (config->hybrid == DUET_HYBRID_REQUIRE) /* pattern 0 has no public-key work */
        set &= ~(1u << DUET_PATTERN_SECRET);
    return set;
}

/* Nothing that was asked for is left out without a word: without a handshake of ours there is no
 * pattern, clock, identity or ML-KEM; raw directions have their limits in their ciphers, and no
 * refresh. */
int
duet__config_suits(const struct duet_config *config, enum duet__config_use use)
{
    int asks = config->patterns != 0 || config->max_skew_ms != 0 || config->profile.dialect ||
               config->hybrid == DUET_HYBRID_REQUIRE;
    int asks_peer = config->speak_first || config->has_peers;

    if (use == DUET__USE_STANDARD)
        return 1;
    if (use == DUET__USE_OWN)
        return !asks;
    int fits_raw = !config->has_max_payload && !config->refresh_set;
    return !asks && !asks_peer && (use == DUET__USE_PRESET || fits_raw);
}

/* A refresh's REFRESH 0x01 must fit into the frames that the peer may send. */
int
duet__config_hybrid_fits(const struct duet_config *config)
{
    return config->hybrid != DUET_HYBRID_REQUIRE || config->max_payload >= WIRE_KEM_PAYLOAD_LEAST;
}

enum duet_hybrid
duet__config_hybrid(const struct duet_config *config)
{
    int can = duet_has_hybrid() && config->max_payload >= WIRE_KEM_PAYLOAD_LEAST;

    return can ? config->hybrid : DUET_HYBRID_OFF;
}

enum duet_pattern
duet__config_offer(const struct duet_config *config)
{
    unsigned set = duet__config_patterns(config, DUET_TOP);

    if (set & 1u << DUET_PATTERN_IDENTITY)
        return DUET_PATTERN_IDENTITY;
    if (set & 1u << DUET_PATTERN_EPHEMERAL)
        return DUET_PATTERN_EPHEMERAL;
    return DUET_PATTERN_SECRET;
}

int
duet__config_trusts(const struct duet_config *config, const uint8_t key[DUET_KEY_SIZE])
{
    DUET__PUBLIC(key, DUET_KEY_SIZE); /* the application gets it */
    if (!duet__x25519_in_form(key))
        return 0;
    if (duet__equal(key, config->identity.public_key, DUET_KEY_SIZE))
        return 0; /* a reflection, or a stolen identity */
    if (!config->has_peers)
        return 1;
    for (size_t i = 0; i < config->peers.count; i++)
        if (duet__equal(key, config->peers.list[i].public_key, DUET_KEY_SIZE))
            return 1;
    return 0;
}
