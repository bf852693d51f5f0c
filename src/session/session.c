/*
 * The bottom of a session: how it fails, what it wipes, and what both directions share: count,
 * rotate (rekey), close with a receipt (docs/protocol.md §3, §4). Calls no other file of session/.
 */
#include "session/session.h"

#include "base/wipe.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DETAIL = 200,     /* bytes of a detail, NUL included */
    LARGE_HELLOS = 64 /* above WIRE_MESSAGE_USUAL, at the listeners of the process at a time */
};

static atomic_uint large_hellos;

/* ---- Wiping ---- */

void
duet__session_drop_hello(struct duet_session *s)
{
    struct duet__session_handshake *hs = s->handshake;

    if (hs->hello != NULL)
        duet_wipe(hs->hello, hs->hello_size);
    free(hs->hello);
    hs->hello = NULL;
    hs->hello_size = hs->hello_room = 0;
    if (hs->is_large)
        atomic_fetch_sub(&large_hellos, 1);
    hs->is_large = 0;
}

/** Count the HELLO among the large ones. Returns 0, or -1: there are too many. */
static int
count_large(struct duet__session_handshake *hs)
{
    if (hs->is_large)
        return 0;
    if (atomic_fetch_add(&large_hellos, 1) >= LARGE_HELLOS) {
        atomic_fetch_sub(&large_hellos, 1);
        return -1;
    }
    hs->is_large = 1;
    return 0;
}

int
duet__session_make_room(struct duet_session *s, size_t size)
{
    struct duet__session_handshake *hs = s->handshake;

    if (s->role == DUET_BOTTOM && size > WIRE_MESSAGE_USUAL && count_large(hs) != 0)
        return DUET_E_ROOM;
    uint8_t *room = malloc(size + 1);
    if (room == NULL)
        return DUET_E_MEMORY;
    if (hs->hello != NULL) {
        memcpy(room, hs->hello, hs->hello_size);
        duet_wipe(hs->hello, hs->hello_size);
        free(hs->hello);
    }
    hs->hello = room;
    hs->hello_room = size;
    return DUET_OK;
}

void
duet__session_drop_handshake(struct duet_session *s)
{
    if (s->handshake == NULL)
        return;
    duet__session_drop_hello(s);
    duet__handshake_wipe(&s->handshake->messages);
    duet_wipe(s->handshake, sizeof *s->handshake);
    free(s->handshake);
    s->handshake = NULL;
    duet__wipe_stack();
}

void
duet__session_drop_own_state(struct duet_session *s)
{
    const duet_handshake_ops *ops = &s->config->handshake;
    struct duet__own *own = s->own;

    if (own->in != NULL)
        duet_wipe(own->in, own->need);
    free(own->in);
    own->in = NULL;
    own->got = own->need = 0;
    duet_wipe(&own->agreement, sizeof own->agreement);
    if (own->state == NULL)
        return;
    if (ops->end != NULL)
        ops->end(ops->context, own->state);
    duet_wipe(own->state, ops->state_size);
    free(own->state);
    own->state = NULL;
}

void
duet__session_drop_own(struct duet_session *s)
{
    if (s->own == NULL)
        return;
    duet__session_drop_own_state(s);
    if (s->own->out != NULL)
        duet_wipe(s->own->out, s->own->pending);
    free(s->own->out);
    duet_wipe(s->own, sizeof *s->own);
    free(s->own);
    s->own = NULL;
}

void
duet__session_drop_refresh(struct duet_session *s)
{
    if (s->refresh != NULL) {
        duet__mlkem_free(s->refresh->pair);
        duet_wipe(s->refresh, sizeof *s->refresh);
        duet__wipe_stack();
    }
    free(s->refresh);
    s->refresh = NULL;
    s->refresh_phase = DUET__REFRESH_NONE;
    s->pending &= (uint8_t) ~(DUET__PENDING_ASK | DUET__PENDING_ANSWER | DUET__PENDING_DONE);
}

void
duet__session_drop_large(struct duet_session *s)
{
    if (s->large != NULL)
        duet_wipe(s->large, DUET__REFRESH_MOST);
    free(s->large);
    s->large = NULL;
}

void
duet__session_wipe(struct duet_session *s)
{
    duet__cipher_kill(&s->tx, s->error);
    duet__cipher_kill(&s->rx, s->error);
    duet__session_drop_handshake(s);
    duet__session_drop_own(s);
    duet__session_drop_refresh(s);
    duet__session_drop_large(s);
    duet_wipe(s->exporter, sizeof s->exporter);
    duet_wipe(s->held, sizeof s->held);
    duet__wipe_stack(); /* text and chains of the last frames */
}

/* ---- Failing ---- */

int
duet__session_fail(struct duet_session *s, int result, const char *detail, ...)
{
    const duet_result_info *info = duet_explain(result);
    va_list arguments;

    if (s->error != DUET_OK)
        return s->error;
    /* Before READY the peer may be anybody, so its faults are all one, but for an identity that is
     * not trusted. */
    if (!s->ready && result != DUET_E_UNTRUSTED && info != NULL && info->kind == DUET_CLASS_THEIRS)
        result = DUET_E_UNAUTHENTICATED;
    s->error = (int8_t)result;
    if (detail != NULL)
        s->detail = malloc(DETAIL);
    if (s->detail != NULL) {
        va_start(arguments, detail);
        vsnprintf(s->detail, DETAIL, detail, arguments);
        va_end(arguments);
    }
    duet__session_wipe(s);
    return result;
}

/* ---- What both directions share ---- */

int
duet__session_schedule_failed(struct duet_session *s, int result)
{
    return duet__session_fail(s, result, "the application's key schedule failed: %s",
                              result == DUET_E_CRYPTO ? duet_explain(result)->sentence
                                                      : "an error, no key, or one used before");
}

int
duet__session_check_keys(struct duet_session *s)
{
    if (s->config->schedule.size == 0 || s->error != DUET_OK)
        return s->error;
    if (!duet__cipher_shares(&s->tx, &s->rx))
        return DUET_OK;
    return duet__session_schedule_failed(s, DUET_E_CALLBACK);
}

/* The frame before a rotation is sealed or verified already, so it still counts: a schedule of the
 * application's that fails ends the session for the next call. */
void
duet__session_rotate(struct duet_session *s, struct duet__cipher *c, struct duet__bytes fresh)
{
    struct duet__schedule schedule = duet__config_schedule(s->config);
    int result = duet__cipher_rotate(c, &schedule, fresh);

    if (result != DUET_OK) {
        (void)duet__session_schedule_failed(s, result);
        return;
    }
    if (c == &s->tx)
        s->tx_epoch++;
    else
        s->rx_epoch++;
    (void)duet__session_check_keys(s);
}

void
duet__session_rotate_if_due(struct duet_session *s, struct duet__cipher *c)
{
    if (duet__cipher_due(c) && !s->raw)
        duet__session_rotate(s, c, DUET__NO_BYTES);
}

/* §4 receipt: SHA256("duet/1 receipt" ‖ H), over the H that gave CLOSE its MAC */
void
duet__session_close(struct duet_session *s, enum duet_role role, struct duet__cipher *c)
{
    static const char prefix[] = WIRE_VERSION_TEXT " receipt";
    uint8_t text[sizeof prefix - 1 + WIRE_DIGEST];

    memcpy(text, prefix, sizeof prefix - 1);
    duet__chain_store(text + sizeof prefix - 1, c->chain);
    duet__sha256(s->receipt[role], text, sizeof text);
    s->receipts = (s->receipts | 1u << role) & 3u;
    duet_wipe(text, sizeof text);
    duet_wipe(c, sizeof *c);
}
