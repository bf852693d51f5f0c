/*
 * The library's own frames in place, and how the first writes after the handshake are filled with
 * PAD frames to a drawn size (docs/protocol.md §6 "first"): an inner protocol's own first messages,
 * such as those of TLS, then do not show by their sizes.
 */
#include "session/session.h"

int
duet__session_seal(struct duet_session *s, uint8_t *frame, uint32_t code, size_t n)
{
    size_t put;
    uint8_t *payload = frame + DUET_HEADER_SIZE;
    int result = duet__cipher_seal_begin(&s->tx, frame, code, (uint32_t)n);

    if (result == DUET_OK)
        result = duet__cipher_seal_piece(&s->tx, payload, &put, payload, n);
    s->tx_frames++;
    return result;
}

void
duet__session_begin_first(struct duet_session *s)
{
    const struct duet__profile *profile = &s->config->profile;
    const struct duet__dialect *dialect = &s->psk->dialect;

    if (profile->first_given || !dialect->used) {
        s->first_left = (uint8_t)profile->first;
        s->first_least = (uint16_t)profile->first_least;
        s->first_most = (uint16_t)profile->first_most;
    } else {
        s->first_left = dialect->first[s->role];
        s->first_least = (uint16_t)dialect->first_size.least;
        s->first_most = (uint16_t)dialect->first_size.most;
    }
}

/** Bytes to which the next write is filled: drawn, the same until it is counted. */
static size_t
write_size(const struct duet_session *s)
{
    uint8_t text[sizeof s->first_draw + 1], digest[WIRE_DIGEST];

    duet__store64(text, s->first_draw);
    text[sizeof s->first_draw] = s->first_left;
    duet__sha256(digest, text, sizeof text);
    return duet__range_draw((struct duet__range){s->first_least, s->first_most},
                            duet__load64(digest));
}

/** Bytes of payload in the PAD frame that fills `left` bytes, or a part of them. */
static size_t
pad_payload(const struct duet_session *s, size_t left)
{
    return left > DUET_FRAME_OVERHEAD ? duet__min(left - DUET_FRAME_OVERHEAD, s->tx_limit) : 0;
}

size_t
duet__session_fill_size(const struct duet_session *s, size_t used)
{
    size_t whole = s->first_left > 0 && used > 0 ? write_size(s) : 0;
    size_t size = 0;

    while (used + size < whole)
        size += pad_payload(s, whole - used - size) + DUET_FRAME_OVERHEAD;
    return size;
}

int
duet__session_fill(struct duet_session *s, struct duet__writer *to, size_t used)
{
    size_t left = duet__session_fill_size(s, used);
    int result = DUET_OK;

    if (s->first_left == 0 || used == 0)
        return DUET_OK;
    while (left > 0 && result == DUET_OK) {
        size_t n = pad_payload(s, left);
        uint8_t *frame = duet__room(to, n + DUET_FRAME_OVERHEAD);
        memset(frame + DUET_HEADER_SIZE, 0, n);
        result = duet__session_seal(s, frame, WIRE_PAD, n);
        duet__session_rotate_if_due(s, &s->tx);
        left -= n + DUET_FRAME_OVERHEAD;
    }
    s->first_left--;
    return result;
}

int
duet_session_fill(duet_session *s, uint8_t *out, size_t cap, size_t used, size_t *put)
{
    struct duet__writer to = duet__writer(out, cap);
    int result = DUET_OK;

    *put = 0;
    if (s->error != DUET_OK)
        return s->error;
    if (s->first_left == 0 || used == 0 || s->tx_phase != DUET__TX_ESTABLISHED)
        return DUET_OK;
    if (s->tx.state != DUET__CIPHER_IDLE || (s->pending & DUET__PENDING_CLOSE)) {
        s->first_left--; /* within a frame, or with CLOSE to come, nothing may be put */
        return DUET_OK;
    }
    if (cap < duet__session_fill_size(s, used))
        return DUET_E_ROOM;
    result = duet__session_fill(s, &to, used);
    if (result != DUET_OK)
        return duet__session_fail(s, result, NULL);
    *put = to.used;
    return DUET_OK;
}
