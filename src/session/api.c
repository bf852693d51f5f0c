/*
 * The public calls that make, ask, describe and free a session: the top of session/. Sending is in
 * send.c and emit.c, receiving in recv.c (docs/protocol.md §3, §4).
 */
#include "session/session.h"

#include <stdlib.h>
#include <string.h>

/* ---- Making and freeing ---- */

static struct duet_session *
allocate_session(const duet_config *config, enum duet_role role)
{
    struct duet_session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->config = config;
    duet__config_retain(config);
    s->role = (uint8_t)role;
    s->pattern = -1;
    s->rx_limit = config->max_payload;
    return s;
}

/** Make a session whose handshake is the application's own. */
static int
new_own(duet_session **session, const duet_config *config, enum duet_role role,
        const uint8_t *random, uint64_t now_ms)
{
    struct duet_session *s = allocate_session(config, role);

    if (s == NULL)
        return DUET_E_MEMORY;
    int result = duet__own_begin(s, random, now_ms);
    if (result != DUET_OK) {
        duet_session_free(s);
        return result;
    }
    duet__config_freeze(config);
    *session = s;
    return DUET_OK;
}

int
duet_session_new(duet_session **session, const duet_config *config, enum duet_role role,
                 const uint8_t random[DUET_RANDOM_SIZE], uint64_t now_ms)
{
    unsigned patterns = duet__config_patterns(config, role);
    int needs_identity =
        role == DUET_TOP && patterns != 0 && duet__config_offer(config) == DUET_PATTERN_IDENTITY;

    *session = NULL;
    if (config->handshake.size > 0 && !duet__config_suits(config, DUET__USE_OWN))
        return DUET_E_MISUSE;
    if (config->handshake.size > 0)
        return new_own(session, config, role, random, now_ms);
    int has_secret =
        role == DUET_TOP ? duet__config_first(config, now_ms) != NULL : config->count > 0;
    if (!has_secret || patterns == 0 || (needs_identity && !config->has_identity) ||
        !duet__config_hybrid_fits(config))
        return DUET_E_MISUSE;
    struct duet_session *s = allocate_session(config, role);
    if (s == NULL)
        return DUET_E_MEMORY;
    int result = duet__session_begin_handshake(s, random, now_ms);
    if (result != DUET_OK) {
        duet_session_free(s);
        return result;
    }
    duet__config_freeze(config);
    *session = s;
    return DUET_OK;
}

/** One direction of a preset session (§3). Returns as duet__cipher_start(). */
static int
start_preset(struct duet__cipher *c, const duet_config *config, enum duet_role sender,
             struct duet__bytes salt)
{
    struct duet__cipher_start with = {.schedule = duet__config_schedule(config),
                                      .sender = sender,
                                      .key = &config->psks[0].half[sender],
                                      .half = duet__psk_half(&config->psks[0], sender),
                                      .use = "preset",
                                      .salt = salt};

    int result = duet__cipher_start(c, &with);
    if (result != DUET_OK)
        return result;
    c->limit = config->max_payload;
    c->rotate_frames = (uint8_t)config->profile.rotate_frames;
    c->rotate_blocks = (uint8_t)config->profile.rotate_blocks;
    return DUET_OK;
}

int
duet_session_new_preset(duet_session **session, const duet_config *config, enum duet_role role,
                        const uint8_t *salt, size_t salt_size)
{
    struct duet__bytes bytes = {salt, salt_size};

    *session = NULL;
    if (config->count != 1 || salt_size < WIRE_SALT_LEAST || salt_size > WIRE_SALT_MOST ||
        !duet__config_suits(config, DUET__USE_PRESET))
        return DUET_E_MISUSE;
    struct duet_session *s = allocate_session(config, role);
    if (s == NULL)
        return DUET_E_MEMORY;
    int result = start_preset(&s->tx, config, role, bytes);
    if (result == DUET_OK)
        result = start_preset(&s->rx, config, duet__peer_role(s), bytes);
    if (result == DUET_OK)
        result = duet__session_check_keys(s);
    if (result != DUET_OK) {
        duet_session_free(s);
        return result;
    }
    s->psk = &config->psks[0];
    s->tx_limit = config->max_payload;
    s->preset = 1;
    s->ready = 1;
    s->tx_phase = DUET__TX_ESTABLISHED;
    s->rx_phase = DUET__RX_ESTABLISHED;
    duet__config_freeze(config);
    *session = s;
    return DUET_OK;
}

int
duet__session_new_raw(duet_session **session, const duet_config *config, duet_cipher *tx,
                      duet_cipher *rx)
{
    const struct duet__cipher *mine = (const struct duet__cipher *)tx;
    const struct duet__cipher *theirs = (const struct duet__cipher *)rx;

    const duet_config *used = config != NULL ? config : duet__config_default();

    *session = NULL;
    if (!duet__config_suits(used, DUET__USE_RAW) || tx == rx || mine->state != DUET__CIPHER_IDLE ||
        theirs->state != DUET__CIPHER_IDLE || mine->limit < 1 || duet__cipher_shares(mine, theirs))
        return DUET_E_MISUSE;
    struct duet_session *s = allocate_session(used, DUET_TOP);
    if (s == NULL)
        return DUET_E_MEMORY;
    duet__config_freeze(used);
    s->tx = *mine;
    s->rx = *theirs;
    duet_wipe(tx, sizeof *tx); /* two copies would seal under one keystream */
    duet_wipe(rx, sizeof *rx);
    s->tx_limit = s->tx.limit;
    s->rx_limit = s->rx.limit;
    s->preset = 1;
    s->raw = 1;
    s->ready = 1;
    s->tx_phase = DUET__TX_ESTABLISHED;
    s->rx_phase = DUET__RX_ESTABLISHED;
    *session = s;
    return DUET_OK;
}

void
duet_session_free(duet_session *s)
{
    if (s == NULL)
        return;
    duet__session_wipe(s);
    duet__config_release(s->config);
    free(s->detail);
    duet_wipe(s, sizeof *s);
    free(s);
}

/* ---- Asking ---- */

/** Make ROTATE, PING or CLOSE pending: not after our CLOSE. */
static int
ask_frame(struct duet_session *s, enum duet__pending what)
{
    if (s->error != DUET_OK)
        return s->error;
    if (s->tx_phase == DUET__TX_CLOSED || (s->pending & DUET__PENDING_CLOSE))
        return DUET_E_MISUSE;
    s->pending |= (uint8_t)what;
    return DUET_OK;
}

int
duet_session_close(duet_session *s)
{
    int in_message = s->tx_message || s->tx.state == DUET__CIPHER_IN_FRAME;

    if (s->error == DUET_OK && (s->tx_phase == DUET__TX_CLOSED || in_message))
        return DUET_E_MISUSE;
    if (s->error == DUET_OK && (s->pending & DUET__PENDING_CLOSE))
        return DUET_OK;
    return ask_frame(s, DUET__PENDING_CLOSE);
}

int
duet_session_rekey(duet_session *s)
{
    if (s->error == DUET_OK && s->raw)
        return DUET_E_MISUSE;
    return ask_frame(s, DUET__PENDING_ROTATE);
}

int
duet_session_ping(duet_session *s, const uint8_t bytes[DUET_PING_SIZE])
{
    if (s->error == DUET_OK && bytes == NULL)
        return DUET_E_MISUSE;
    int result = ask_frame(s, DUET__PENDING_PING);
    if (result != DUET_OK)
        return result;
    memcpy(s->ping, bytes, sizeof s->ping);
    s->pinged = 0;
    return DUET_OK;
}

int
duet_session_end(duet_session *s)
{
    if (s->error != DUET_OK)
        return s->error;
    if (s->rx_phase == DUET__RX_CLOSED)
        return DUET_CLOSED;
    if (!s->ready)
        return duet__session_fail(s, DUET_E_UNAUTHENTICATED,
                                  "the peer closed before it proved that it holds the secret");
    return duet__session_fail(s, DUET_E_TRUNCATED, NULL);
}

/* ---- Describing ---- */

static void
describe(const struct duet_session *s, duet_info *info)
{
    memset(info, 0, sizeof *info);
    info->role = (enum duet_role)s->role;
    info->pattern = (enum duet_pattern)s->pattern;
    info->ready = s->ready;
    info->may_send = s->error == DUET_OK && duet__session_may_send(s);
    info->tx_closed = s->tx_phase == DUET__TX_CLOSED;
    info->rx_closed = s->rx_phase == DUET__RX_CLOSED;
    info->pinging = s->pinged || (s->pending & DUET__PENDING_PING);
    info->hybrid = s->hybrid;
    info->refreshes = s->refreshes;
    info->refreshing = s->refresh_phase != DUET__REFRESH_NONE;
    info->pending = s->error == DUET_OK ? duet__pending_size(s) : 0;
    info->tx_limit = s->tx_limit;
    info->rx_limit = s->rx_limit;
    info->tx_frames = s->tx_frames;
    info->rx_frames = s->rx_frames;
    info->tx_bytes = s->tx_bytes;
    info->rx_bytes = s->rx_bytes;
    info->tx_epoch = s->tx_epoch;
    info->rx_epoch = s->rx_epoch;
    info->receipts = s->receipts;
    memcpy(info->receipt, s->receipt, sizeof info->receipt);
    info->has_peer_key = s->has_peer_key;
    memcpy(info->peer_key, s->peer_key, sizeof info->peer_key);
    if (s->psk != NULL)
        memcpy(info->secret_id, s->psk->id, sizeof info->secret_id);
}

/* A program that was built with a shorter duet_info gets the members that it knows; one with a
 * longer gets zeros for those that this library does not know. */
void
duet_session_info_sized(const duet_session *s, duet_info *info, size_t size)
{
    duet_info whole;

    describe(s, &whole);
    memset(info, 0, size);
    memcpy(info, &whole, duet__min(size, sizeof whole));
}

const char *
duet_session_detail(const duet_session *s)
{
    if (s->detail != NULL)
        return s->detail;
    return s->error != DUET_OK ? duet_explain(s->error)->sentence : "";
}

/* §4 exporter: HKDF-Expand(X, label ‖ n(4), n) */
int
duet_session_export(const duet_session *s, uint8_t *out, size_t n, const uint8_t *label,
                    size_t label_size)
{
    uint8_t count[4];

    if (s->error != DUET_OK)
        return s->error;
    if (!s->ready || s->preset || n < 1 || n > DUET_EXPORT_MOST)
        return DUET_E_MISUSE;
    duet__store32(count, (uint32_t)n);
    duet__hkdf_expand(s->exporter, (struct duet__bytes){label, label_size},
                      (struct duet__bytes){count, sizeof count}, out, n);
    return DUET_OK;
}
