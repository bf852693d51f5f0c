/*
 * The class Session: a duet_session, which turns bytes of the wire into bytes of the application
 * and back (include/duet/session.h).
 *
 * Randomness, the clock and the replay cache are brought here, so that no key passes through
 * JavaScript. What a call reports is numbers and Buffers of verified payload (receive.c).
 */
#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t
session_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- Making and freeing ---- */

static void
session_wipe(struct session *s)
{
    duet_session_free(s->handle);
    s->handle = NULL;
    session_drop_partial(s);
}

static void
session_finalize(napi_env env, void *session, void *hint)
{
    (void)env;
    (void)hint;
    session_wipe(session);
    free(session);
}

static int
session_start(struct session *s, const duet_config *config, enum duet_role role)
{
    uint8_t random[DUET_RANDOM_SIZE];
    uint64_t now = session_now_ms();

    if (getentropy(random, sizeof random) != 0)
        return DUET_E_IO;
    int result = duet_session_new(&s->handle, config, role, random, now);
    if (result == DUET_OK && role == DUET_TOP)
        result = duet_replay_check(s->replay, s->handle, now);
    duet_wipe(random, sizeof random);
    return result;
}

/** new Session(config, role, frameSize, replay): the replay cache, or undefined for the one of the
 * process. */
static napi_value
session_constructor(napi_env env, napi_callback_info info)
{
    napi_value arguments[4], self;
    size_t count = 4;
    double role, frame_size;

    if (napi_get_cb_info(env, info, &count, arguments, &self, NULL) != napi_ok || count < 4)
        return napi_failed(env);
    const duet_config *config = config_of(env, arguments[0]);
    duet_replay *replay = replay_of(env, arguments[3]);
    if (config == NULL || replay == NULL ||
        read_number(env, arguments[1], DUET_TOP, DUET_BOTTOM, &role) != 0 ||
        read_number(env, arguments[2], 1, 65536, &frame_size) != 0)
        return NULL;
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return throw_result(env, DUET_E_MEMORY, "");
    s->frame_size = (uint32_t)frame_size;
    s->replay = replay;
    int result = session_start(s, config, (enum duet_role)(int)role);
    if (result == DUET_OK && napi_wrap(env, self, s, session_finalize, NULL, NULL) == napi_ok)
        return self;
    session_finalize(env, s, NULL);
    if (result == DUET_E_MISUSE)
        return throw_result(env, result,
                            "the configuration needs a secret, and for the pattern \"identity\" an "
                            "identity");
    return result != DUET_OK ? throw_result(env, result, "") : napi_failed(env);
}

int
session_open(napi_env env, napi_callback_info info, size_t count, napi_value *arguments,
             struct session **s)
{
    void *self;

    if (call_open(env, info, count, arguments, &self) != 0)
        return -1;
    *s = self;
    if ((*s)->handle != NULL)
        return 0;
    throw_result(env, DUET_E_MISUSE, "the channel is closed");
    return -1;
}

napi_value
session_result(napi_env env, const struct session *s, int result)
{
    return result == DUET_OK ? undefined(env)
                             : throw_result(env, result, duet_session_detail(s->handle));
}

/** free(): wipe the keys now; a second call does nothing. */
static napi_value
session_free(napi_env env, napi_callback_info info)
{
    void *self;

    if (call_open(env, info, 0, NULL, &self) != 0)
        return NULL;
    session_wipe(self);
    return undefined(env);
}

/* ---- Sending ---- */

/** The pieces of one payload, and how far they are sealed. */
struct pieces {
    napi_value array;
    uint32_t index, count;
    struct view now; /* what is left of the piece at index - 1 */
};

/** The next piece of at most `most` bytes. Returns 0, or -1 when an exception is pending. */
static int
pieces_next(napi_env env, struct pieces *pieces, size_t most, struct view *piece)
{
    napi_value element;

    while (pieces->now.size == 0 && pieces->index < pieces->count) {
        if (napi_get_element(env, pieces->array, pieces->index, &element) != napi_ok ||
            read_view(env, element, &pieces->now) != 0) {
            napi_failed(env);
            return -1;
        }
        pieces->index++;
    }
    *piece = pieces->now;
    if (piece->size > most)
        piece->size = most;
    pieces->now.size -= piece->size;
    if (pieces->now.size > 0)
        pieces->now.bytes += piece->size;
    return 0;
}

static int
pieces_open(napi_env env, napi_value array, struct pieces *pieces, size_t *total)
{
    struct view each;

    *pieces = (struct pieces){.array = array};
    *total = 0;
    if (napi_get_array_length(env, array, &pieces->count) != napi_ok) {
        napi_throw_type_error(env, NULL, "an array of Buffers is expected");
        return -1;
    }
    do {
        if (pieces_next(env, pieces, SIZE_MAX, &each) != 0)
            return -1;
        *total += each.size;
    } while (each.size > 0);
    *pieces = (struct pieces){.array = array, .count = pieces->count};
    return 0;
}

/** One frame of `size` bytes of the payload. Returns a result; 1: an exception is pending. */
static int
seal_frame(napi_env env, struct session *s, uint32_t code, uint32_t size, struct pieces *pieces,
           uint8_t **out)
{
    int result = duet_session_send_begin(s->handle, *out, code, size);
    struct view piece;
    size_t put, left = size;

    *out += DUET_HEADER_SIZE;
    if (result != DUET_OK)
        return result;
    do {
        if (pieces_next(env, pieces, left, &piece) != 0)
            return 1;
        result = duet_session_send_piece(s->handle, *out, &put, piece.bytes, piece.size);
        *out += put;
        left -= piece.size;
    } while (result == DUET_OK && left > 0);
    return result;
}

/** A payload that is to be sealed, and how it is cut into frames. */
struct sealing {
    uint32_t code;
    bool goes_on; /* a part of a message that is not its last */
    struct pieces pieces;
    size_t total;        /* bytes of payload */
    uint32_t frame;      /* bytes of it in each frame but the last */
    size_t frames, size; /* size: bytes of the result, with what is pending */
};

/** Cut it. The stream (code 0) has no empty frames; a message has one at least. */
static void
cut_payload(const struct session *s, struct sealing *sealing)
{
    duet_info info;

    duet_session_info(s->handle, &info);
    sealing->frame = s->frame_size < info.tx_limit ? s->frame_size : info.tx_limit;
    sealing->frames = sealing->total / sealing->frame + (sealing->total % sealing->frame != 0);
    if (sealing->frames == 0 && sealing->code != 0)
        sealing->frames = 1;
    sealing->size = info.pending + sealing->total + sealing->frames * DUET_FRAME_OVERHEAD;
}

/** Seal what is pending, then the payload. Returns as seal_frame(). */
static int
seal_all(napi_env env, struct session *s, struct sealing *sealing, uint8_t *out)
{
    size_t put = 0, left = sealing->total;
    int result = duet_session_flush(s->handle, out, sealing->size, &put);

    out += put;
    for (size_t i = 1; i <= sealing->frames && result == DUET_OK; i++) {
        uint32_t size = (uint32_t)(left < sealing->frame ? left : sealing->frame);
        int is_part = sealing->code != 0 && (sealing->goes_on || i < sealing->frames);
        result = seal_frame(env, s, is_part ? DUET_CODE_MORE : sealing->code, size,
                            &sealing->pieces, &out);
        left -= size;
    }
    return result;
}

/** Fill a write, as the profile says: the buffer becomes a larger one where that takes bytes.
 * Returns as seal_frame(). */
static int
fill_write(napi_env env, struct session *s, const void *frames, size_t size, napi_value *buffer)
{
    uint8_t filler[DUET_FILL_MOST], *whole;
    void *out;
    size_t put;

    int result = duet_session_fill(s->handle, filler, sizeof filler, size, &put);
    if (result != DUET_OK || put == 0)
        return result;
    if (napi_create_buffer(env, size + put, &out, buffer) != napi_ok) {
        (void)napi_failed(env);
        return 1;
    }
    whole = out;
    memcpy(whole, frames, size);
    memcpy(whole + size, filler, put);
    return DUET_OK;
}

/** seal(code, goesOn, buffers): a Buffer of frames with these bytes, after what is pending. code 0:
 * the stream; else a message, or with goesOn a part of one that is not its last. */
static napi_value
session_seal(napi_env env, napi_callback_info info)
{
    struct sealing sealing = {0};
    napi_value arguments[3], buffer;
    struct session *s;
    double code;
    void *out;

    if (session_open(env, info, 3, arguments, &s) != 0 ||
        read_number(env, arguments[0], 0, DUET_CODE_APP_MAX, &code) != 0 ||
        pieces_open(env, arguments[2], &sealing.pieces, &sealing.total) != 0)
        return NULL;
    sealing.code = (uint32_t)code;
    cut_payload(s, &sealing);
    if (napi_get_value_bool(env, arguments[1], &sealing.goes_on) != napi_ok ||
        napi_create_buffer(env, sealing.size, &out, &buffer) != napi_ok)
        return napi_failed(env);
    int result = seal_all(env, s, &sealing, out);
    if (result == DUET_OK)
        result = fill_write(env, s, out, sealing.size, &buffer);
    if (result == DUET_OK)
        return buffer;
    return result > 0 ? NULL : session_result(env, s, result);
}

/** flush(): a Buffer of what is pending, or undefined when nothing is. */
static napi_value
session_flush(napi_env env, napi_callback_info info)
{
    struct session *s;
    napi_value buffer;
    duet_info about;
    size_t put;
    void *out;

    if (session_open(env, info, 0, NULL, &s) != 0)
        return NULL;
    duet_session_info(s->handle, &about);
    if (about.pending == 0)
        return undefined(env);
    if (napi_create_buffer(env, about.pending, &out, &buffer) != napi_ok)
        return napi_failed(env);
    int result = duet_session_flush(s->handle, out, about.pending, &put);
    return result == DUET_OK ? buffer : session_result(env, s, result);
}

/* ---- Requests: each makes a frame pending ---- */

static napi_value
ask_session(napi_env env, napi_callback_info info, int (*ask)(duet_session *))
{
    struct session *s;

    return session_open(env, info, 0, NULL, &s) == 0 ? session_result(env, s, ask(s->handle))
                                                     : NULL;
}

static napi_value
session_close(napi_env env, napi_callback_info info)
{
    return ask_session(env, info, duet_session_close);
}

static napi_value
session_rekey(napi_env env, napi_callback_info info)
{
    return ask_session(env, info, duet_session_rekey);
}

static napi_value
session_ping(napi_env env, napi_callback_info info)
{
    uint8_t bytes[DUET_PING_SIZE];
    struct session *s;

    if (session_open(env, info, 0, NULL, &s) != 0)
        return NULL;
    if (getentropy(bytes, sizeof bytes) != 0)
        return throw_result(env, DUET_E_IO, "no randomness");
    return session_result(env, s, duet_session_ping(s->handle, bytes));
}

static napi_value
session_refresh(napi_env env, napi_callback_info info)
{
    uint8_t random[DUET_FRESH_SIZE];
    struct session *s;

    if (session_open(env, info, 0, NULL, &s) != 0)
        return NULL;
    if (getentropy(random, sizeof random) != 0)
        return throw_result(env, DUET_E_IO, "no randomness");
    int result = duet_session_refresh(s->handle, random);
    duet_wipe(random, sizeof random);
    return session_result(env, s, result);
}

/* ---- What is known about it ---- */

/** export(label, size) */
static napi_value
session_export(napi_env env, napi_callback_info info)
{
    uint8_t out[DUET_EXPORT_MOST];
    napi_value arguments[2], buffer;
    struct session *s;
    struct view label;
    double size;

    if (session_open(env, info, 2, arguments, &s) != 0 ||
        read_view(env, arguments[0], &label) != 0 ||
        read_number(env, arguments[1], 1, sizeof out, &size) != 0)
        return NULL;
    int result = duet_session_export(s->handle, out, (size_t)size, label.bytes, label.size);
    buffer = result == DUET_OK ? buffer_of(env, out, (size_t)size)
                               : throw_result(env, result, duet_session_detail(s->handle));
    duet_wipe(out, sizeof out);
    return buffer;
}

static int
set_buffer(napi_env env, napi_value object, const char *name, const uint8_t *bytes, size_t size)
{
    napi_value value = buffer_of(env, bytes, size);

    if (value == NULL || napi_set_named_property(env, object, name, value) != napi_ok) {
        napi_failed(env);
        return -1;
    }
    return 0;
}

/** The receipts of both directions, by the sender's role; undefined while it is not closed. */
static int
set_receipts(napi_env env, napi_value object, const struct session *s)
{
    napi_value array, value;
    duet_info info;

    if (napi_create_array(env, &array) != napi_ok ||
        napi_set_named_property(env, object, "receipts", array) != napi_ok) {
        napi_failed(env);
        return -1;
    }
    duet_session_info(s->handle, &info);
    for (uint32_t role = DUET_TOP; role <= DUET_BOTTOM; role++) {
        if (!(info.receipts & 1u << role))
            continue;
        value = buffer_of(env, info.receipt[role], sizeof info.receipt[role]);
        if (value == NULL || napi_set_element(env, array, role, value) != napi_ok) {
            napi_failed(env);
            return -1;
        }
    }
    return 0;
}

/** info(): numbers, receipts, secretId, and peerKey where the peer has proven an identity. */
static napi_value
session_info(napi_env env, napi_callback_info call)
{
    struct session *s;
    napi_value object;
    duet_info info;

    if (session_open(env, call, 0, NULL, &s) != 0)
        return NULL;
    duet_session_info(s->handle, &info);
    if (napi_create_object(env, &object) != napi_ok)
        return napi_failed(env);
    const struct {
        const char *name;
        double value;
    } numbers[] = {
        {"role", info.role},
        {"pattern", info.pattern},
        {"framesSent", (double)info.tx_frames},
        {"framesReceived", (double)info.rx_frames},
        {"bytesSent", (double)info.tx_bytes},
        {"bytesReceived", (double)info.rx_bytes},
        {"rekeysSent", (double)info.tx_epoch},
        {"rekeysReceived", (double)info.rx_epoch},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (set_number(env, object, numbers[i].name, numbers[i].value) != 0)
            return NULL;
    if (set_receipts(env, object, s) != 0 ||
        set_buffer(env, object, "secretId", info.secret_id, sizeof info.secret_id) != 0)
        return NULL;
    if (info.ready && info.has_peer_key &&
        set_buffer(env, object, "peerKey", info.peer_key, sizeof info.peer_key) != 0)
        return NULL;
    return object;
}

int
export_session(napi_env env, napi_value exports)
{
    const napi_property_descriptor methods[] = {
        {"receive", NULL, session_receive, NULL, NULL, NULL, napi_default, NULL},
        {"end", NULL, session_end, NULL, NULL, NULL, napi_default, NULL},
        {"seal", NULL, session_seal, NULL, NULL, NULL, napi_default, NULL},
        {"flush", NULL, session_flush, NULL, NULL, NULL, napi_default, NULL},
        {"close", NULL, session_close, NULL, NULL, NULL, napi_default, NULL},
        {"ping", NULL, session_ping, NULL, NULL, NULL, napi_default, NULL},
        {"rekey", NULL, session_rekey, NULL, NULL, NULL, napi_default, NULL},
        {"refresh", NULL, session_refresh, NULL, NULL, NULL, napi_default, NULL},
        {"exportKey", NULL, session_export, NULL, NULL, NULL, napi_default, NULL},
        {"info", NULL, session_info, NULL, NULL, NULL, napi_default, NULL},
        {"free", NULL, session_free, NULL, NULL, NULL, napi_default, NULL},
    };

    return export_class(env, exports, "Session", session_constructor, methods,
                        sizeof methods / sizeof methods[0]);
}
