/*
 * The library's own frames in place, and which writes are filled with PAD frames to a drawn size:
 * the first ones after the handshake (docs/protocol.md §6 "first"), so that an inner protocol's own
 * first messages, such as those of TLS, do not show by their sizes; and a channel's writes that
 * would be READY, REFRESH, ROTATE or CLOSE alone (§4), which have the same few bytes everywhere.
 */
#include "session/session.h"

/* Bytes that such a frame gets beside it, so that a long one is not always as long either. */
static const struct duet__range LONE = {76, 1176};

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

/** 1 when a flush writes a frame whose size alone tells what it is. */
static int
has_lone(const struct duet_session *s)
{
    const unsigned told = DUET__PENDING_DONE | DUET__PENDING_ANSWER | DUET__PENDING_ROTATE |
                          DUET__PENDING_ASK | DUET__PENDING_CLOSE;

    return s->fills_lone && (s->tx_phase == DUET__TX_READY || (s->pending & told) != 0);
}

/** Bytes to which the next write is filled, of `used` bytes so far: drawn, the same until it is
 * counted; 0: it is not. */
static size_t
write_size(const struct duet_session *s, size_t used)
{
    uint8_t text[sizeof s->first_draw + sizeof s->fills], digest[WIRE_DIGEST];
    struct duet__range range = {(uint32_t)used + LONE.least, (uint32_t)used + LONE.most};

    if (s->first_left > 0)
        range = (struct duet__range){s->first_least, s->first_most};
    else if (!has_lone(s))
        return 0;
    duet__store64(text, s->first_draw);
    duet__store32(text + sizeof s->first_draw, s->fills);
    duet__sha256(digest, text, sizeof text);
    return duet__range_draw(range, duet__load64(digest));
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
    size_t whole = used > 0 ? write_size(s, used) : 0;
    size_t size = 0;

    while (used + size < whole)
        size += pad_payload(s, whole - used - size) + DUET_FRAME_OVERHEAD;
    return size;
}

static void
count_write(struct duet_session *s)
{
    s->fills++;
    if (s->first_left > 0)
        s->first_left--;
}

int
duet__session_fill(struct duet_session *s, struct duet__writer *to, size_t left)
{
    int result = DUET_OK;

    while (left > 0 && result == DUET_OK) {
        size_t n = pad_payload(s, left);
        uint8_t *frame = duet__room(to, n + DUET_FRAME_OVERHEAD);
        memset(frame + DUET_HEADER_SIZE, 0, n);
        result = duet__session_seal(s, frame, WIRE_PAD, n);
        duet__session_rotate_if_due(s, &s->tx);
        left -= n + DUET_FRAME_OVERHEAD;
    }
    count_write(s);
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
        count_write(s); /* within a frame, or with CLOSE to come, nothing may be put */
        return DUET_OK;
    }
    size_t left = duet__session_fill_size(s, used);
    if (cap < left)
        return DUET_E_ROOM;
    result = duet__session_fill(s, &to, left);
    if (result != DUET_OK)
        return duet__session_fail(s, result, NULL);
    *put = to.used;
    return DUET_OK;
}
