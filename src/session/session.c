/*
 * A session's life: made, told in numbers, ended; and what both directions share, such as the
 * decision to rotate and the receipt (docs/protocol.md §3, §4).
 */
#include "session/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DETAIL = 200 }; /* bytes of a detail, NUL included */

/* ---- How it ends ---- */

/** Before READY every fault of the peer's is a stranger's, but for an identity that is not trusted.
 */
static int
as_told(const struct duet_session *s, int result)
{
    const duet_result_info *info = duet_explain(result);
    int theirs = info != NULL && info->kind == DUET_CLASS_THEIRS;

    return theirs && !s->ready && result != DUET_E_UNTRUSTED ? DUET_E_UNAUTHENTICATED : result;
}

static void
wipe_secrets(struct duet_session *s)
{
    duet__cipher_kill(&s->tx, s->error);
    duet__cipher_kill(&s->rx, s->error);
    duet__initiation_free(s);
    duet__refresh_drop(s);
    duet_wipe(s->exporter, sizeof s->exporter);
    duet_wipe(s->held, sizeof s->held);
}

int
duet__session_fail(struct duet_session *s, int result, const char *detail, ...)
{
    va_list arguments;

    if (s->error != DUET_OK)
        return s->error;
    s->error = (int8_t)as_told(s, result);
    if (detail != NULL)
        s->detail = malloc(DETAIL);
    if (s->detail != NULL) {
        va_start(arguments, detail);
        vsnprintf(s->detail, DETAIL, detail, arguments);
        va_end(arguments);
    }
    wipe_secrets(s);
    return s->error;
}

int
duet__session_broke(struct duet_session *s, const char *what)
{
    return duet__session_fail(s, DUET_E_PROTOCOL, "the peer broke the protocol: %s", what);
}

void
duet__session_kill(struct duet_session *s, int result)
{
    duet__session_fail(s, result, NULL);
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

/* ---- How it begins ---- */

static struct duet_session *
allocate(const duet_config *config, enum duet_role role)
{
    struct duet_session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->config = config;
    s->role = (uint8_t)role;
    s->pattern = -1;
    s->rx_limit = config->max_payload;
    return s;
}

int
duet_session_new(duet_session **session, const duet_config *config, enum duet_role role,
                 const uint8_t random[DUET_RANDOM_SIZE], uint64_t now_ms)
{
    unsigned patterns = duet__config_patterns(config, role);
    int needs_identity =
        role == DUET_TOP && patterns != 0 && duet__config_offer(config) == DUET_PATTERN_IDENTITY;

    *session = NULL;
    if (config->count == 0 || patterns == 0 || (needs_identity && !config->has_identity))
        return DUET_E_MISUSE;
    struct duet_session *s = allocate(config, role);
    if (s == NULL)
        return DUET_E_MEMORY;
    int result = duet__initiate(s, random, now_ms);
    if (result != DUET_OK) {
        duet_session_free(s);
        return result;
    }
    *session = s;
    return DUET_OK;
}

/** One direction of a preset session (§3). */
static void
start_preset(struct duet__cipher *d, const duet_config *config, enum duet_role role,
             struct duet__bytes salt)
{
    struct duet__cipher_start with = {&config->psks[0].half[role], config->label, "preset", salt};

    duet__cipher_start(d, &with);
    d->limit = config->max_payload;
    d->rotate_frames = (uint8_t)config->profile.rotate_frames;
    d->rotate_blocks = (uint8_t)config->profile.rotate_blocks;
}

int
duet_session_new_preset(duet_session **session, const duet_config *config, enum duet_role role,
                        const uint8_t *salt, size_t salt_size)
{
    struct duet__bytes bytes = {salt, salt_size};

    *session = NULL;
    if (config->count != 1 || salt_size < WIRE_SALT_LEAST || salt_size > WIRE_SALT_MOST)
        return DUET_E_MISUSE;
    struct duet_session *s = allocate(config, role);
    if (s == NULL)
        return DUET_E_MEMORY;
    start_preset(&s->tx, config, role, bytes);
    start_preset(&s->rx, config, duet__peer_role(s), bytes);
    s->psk = &config->psks[0];
    s->tx_limit = config->max_payload;
    s->preset = 1;
    s->ready = 1;
    s->tx_phase = DUET__TX_OPEN;
    s->rx_phase = DUET__RX_OPEN;
    *session = s;
    return DUET_OK;
}

void
duet_session_free(duet_session *s)
{
    if (s == NULL)
        return;
    wipe_secrets(s);
    free(s->detail);
    duet_wipe(s, sizeof *s);
    free(s);
}

/* ---- What both directions share ---- */

void
duet__session_rotate(struct duet_session *s, struct duet__cipher *d, struct duet__bytes fresh)
{
    duet__cipher_rotate(d, s->config->label, fresh);
    if (d == &s->tx)
        s->tx_epoch++;
    else
        s->rx_epoch++;
}

void
duet__session_count(struct duet_session *s, struct duet__cipher *d)
{
    static const struct duet__bytes nothing = {NULL, 0};

    if (duet__cipher_due(d))
        duet__session_rotate(s, d, nothing);
}

/* §4 receipt: SHA256("duet/1 receipt" ‖ H), over the H that gave CLOSE its MAC */
void
duet__session_close(struct duet_session *s, enum duet_role role, struct duet__cipher *d)
{
    static const char prefix[] = WIRE_VERSION_TEXT " receipt";
    uint8_t text[sizeof prefix - 1 + WIRE_DIGEST];

    memcpy(text, prefix, sizeof prefix - 1);
    duet__chain_store(text + sizeof prefix - 1, d->chain);
    duet__sha256(s->receipt[role], text, sizeof text);
    s->receipts = (s->receipts | 1u << role) & 3u;
    duet_wipe(text, sizeof text);
    duet_wipe(d, sizeof *d);
}

int
duet__session_may_send(const struct duet_session *s)
{
    return s->tx_phase == DUET__TX_OPEN && !(s->owed & DUET__OWE_CLOSE) &&
           (s->ready || s->config->speak_first);
}

/* ---- What it tells ---- */

void
duet_session_info(const duet_session *s, duet_info *info)
{
    memset(info, 0, sizeof *info);
    info->role = (enum duet_role)s->role;
    info->pattern = (enum duet_pattern)s->pattern;
    info->ready = s->ready;
    info->may_send = s->error == DUET_OK && duet__session_may_send(s);
    info->tx_closed = s->tx_phase == DUET__TX_CLOSED;
    info->rx_closed = s->rx_phase == DUET__RX_CLOSED;
    info->pinging = s->pinged || (s->owed & DUET__OWE_PING);
    info->refreshing = s->refresh_phase != DUET__REFRESH_NONE;
    info->owed = s->error == DUET_OK ? duet__owed_size(s) : 0;
    info->tx_limit = s->tx_limit;
    info->rx_limit = s->rx_limit;
    info->tx_frames = s->tx_frames;
    info->rx_frames = s->rx_frames;
    info->tx_bytes = s->tx_bytes;
    info->rx_bytes = s->rx_bytes;
    info->tx_epoch = s->tx_epoch;
    info->rx_epoch = s->rx_epoch;
    info->has_peer_key = s->has_peer_key;
    memcpy(info->peer_key, s->peer_key, sizeof info->peer_key);
    if (s->psk != NULL)
        memcpy(info->secret_id, s->psk->id, sizeof info->secret_id);
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

int
duet_session_receipt(const duet_session *s, uint8_t receipt[DUET_RECEIPT_SIZE], enum duet_role role)
{
    if ((role != DUET_TOP && role != DUET_BOTTOM) || !(s->receipts & 1u << role))
        return DUET_E_MISUSE;
    memcpy(receipt, s->receipt[role], DUET_RECEIPT_SIZE);
    return DUET_OK;
}
