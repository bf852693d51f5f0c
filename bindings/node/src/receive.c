/*
 * Session.receive(): a chunk of the wire in, its events and verified payload out.
 *
 * A frame that lies in the chunk as a whole is decrypted straight into the Buffer that is returned.
 * Of any other the payload is gathered in the session's partial frame and copied once it is
 * verified. What a failed frame has left in the Buffer is wiped.
 */
#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARTIAL_FIRST = 65536 }; /* bytes; then it doubles, as bytes come */
enum { THROWN = 1 };            /* beside the results: a call of N-API failed */

/* What one call delivers. Events are triples of numbers: event, code, bytes of payload. */
struct delivery {
    napi_env env;
    napi_value events, payload; /* payload: a Buffer, NULL while nothing was delivered */
    uint32_t count;             /* numbers in events */
    uint8_t *out;               /* the memory of payload */
    size_t capacity, verified;  /* bytes of it */
    size_t unverified;          /* bytes of the frame under way, after the verified ones */
    size_t merged;              /* bytes of stream frames that are not reported yet */
    int merge;                  /* 1: neighbours of code 0 are reported as one */
};

/* ---- The partial frame ---- */

void
session_drop_partial(struct session *s)
{
    if (s->partial.bytes != NULL)
        duet_wipe(s->partial.bytes, s->partial.filled);
    free(s->partial.bytes);
    s->partial = (struct partial){0};
}

/** Make room for `more` bytes of the partial frame. Memory grows with what has come, not with the
 * length that its header promises. Returns 0, or -1 without memory. */
static int
partial_reserve(struct partial *partial, size_t more)
{
    size_t need = partial->filled + more, capacity = partial->capacity;

    if (need <= capacity)
        return 0;
    if (capacity == 0)
        capacity = partial->length < PARTIAL_FIRST ? partial->length : PARTIAL_FIRST;
    while (capacity < need)
        capacity *= 2;
    uint8_t *bytes = malloc(capacity);
    if (bytes == NULL)
        return -1;
    if (partial->bytes != NULL) {
        memcpy(bytes, partial->bytes, partial->filled);
        duet_wipe(partial->bytes, partial->filled);
        free(partial->bytes);
    }
    partial->bytes = bytes;
    partial->capacity = capacity;
    return 0;
}

/* ---- Reporting. Each returns DUET_OK, or THROWN. ---- */

static int
report_numbers(struct delivery *d, double event, double code, double size)
{
    const double numbers[] = {event, code, size};
    napi_value value;

    for (size_t i = 0; i < 3; i++)
        if (napi_create_double(d->env, numbers[i], &value) != napi_ok ||
            napi_set_element(d->env, d->events, d->count++, value) != napi_ok)
            return THROWN;
    return DUET_OK;
}

/** Report the bytes of the stream that were merged so far. */
static int
report_merged(struct delivery *d)
{
    size_t size = d->merged;

    d->merged = 0;
    return size == 0 ? DUET_OK : report_numbers(d, DUET_EVENT_FRAME, 0, (double)size);
}

static int
report_event(struct delivery *d, enum duet_event event)
{
    return report_merged(d) == DUET_OK ? report_numbers(d, event, 0, 0) : THROWN;
}

static int
report_frame(struct delivery *d, uint32_t code, uint32_t size)
{
    d->verified += size;
    if (d->merge && code == 0) {
        d->merged += size;
        return DUET_OK;
    }
    return report_merged(d) == DUET_OK ? report_numbers(d, DUET_EVENT_FRAME, code, size) : THROWN;
}

/** Make the Buffer. It is large enough: no payload is larger than the bytes that brought it. */
static int
make_payload(struct delivery *d)
{
    void *out;

    if (d->payload != NULL)
        return DUET_OK;
    if (napi_create_buffer(d->env, d->capacity, &out, &d->payload) != napi_ok)
        return THROWN;
    d->out = out;
    return DUET_OK;
}

/* ---- Events ---- */

static int
answer_refresh(struct session *s)
{
    uint8_t random[DUET_FRESH_SIZE];

    if (getentropy(random, sizeof random) != 0)
        return DUET_E_IO;
    int result = duet_session_refresh(s->handle, random);
    duet_wipe(random, sizeof random);
    return result;
}

/** A header has come: decide where the payload goes. left: bytes of the chunk after it. */
static int
begin_frame(struct session *s, struct delivery *d, const duet_step *step, size_t left)
{
    s->partial.length = step->length;
    s->is_gathering = left < (size_t)step->length + DUET_MAC_SIZE;
    return s->is_gathering ? DUET_OK : make_payload(d);
}

static int
end_frame(struct session *s, struct delivery *d, const duet_step *step)
{
    if (s->is_gathering) {
        if (make_payload(d) != DUET_OK)
            return THROWN;
        if (step->length > 0)
            memcpy(d->out + d->verified, s->partial.bytes, step->length);
    }
    session_drop_partial(s);
    s->is_gathering = 0;
    d->unverified = 0;
    return report_frame(d, step->code, step->length);
}

static int
handle_event(struct session *s, struct delivery *d, const duet_step *step, size_t left)
{
    switch (step->event) {
    case DUET_EVENT_NONCE:
        return duet_replay_check(s->replay, s->handle, session_now_ms());
    case DUET_EVENT_RANDOM:
        return answer_refresh(s);
    case DUET_EVENT_BEGIN:
        return begin_frame(s, d, step, left);
    case DUET_EVENT_FRAME:
        return end_frame(s, d, step);
    case DUET_EVENT_READY:
    case DUET_EVENT_PONG:
    case DUET_EVENT_CLOSE:
        return report_event(d, step->event);
    case DUET_EVENT_NONE:
    case DUET_EVENT_LIBRARY:
        break;
    }
    return DUET_OK;
}

/* ---- A chunk ---- */

/** Point the step at the memory for the payload of the frame under way, if there is one. */
static int
aim_step(struct session *s, const struct delivery *d, duet_step *step)
{
    struct partial *partial = &s->partial;

    if (!s->is_gathering) {
        step->out = d->out == NULL ? NULL : d->out + d->verified + d->unverified;
        step->out_size = d->out == NULL ? 0 : partial->length - d->unverified;
        return DUET_OK;
    }
    size_t room = partial->length - partial->filled;
    if (room > step->in_size)
        room = step->in_size;
    if (partial_reserve(partial, room) != 0)
        return DUET_E_MEMORY;
    step->out = partial->bytes == NULL ? NULL : partial->bytes + partial->filled;
    step->out_size = room;
    return DUET_OK;
}

static int
receive_step(struct session *s, struct delivery *d, struct view *chunk)
{
    duet_step step = {.in = chunk->bytes, .in_size = chunk->size};
    int result = aim_step(s, d, &step);

    if (result != DUET_OK)
        return result;
    result = duet_session_recv(s->handle, &step);
    chunk->bytes += step.used;
    chunk->size -= step.used;
    if (s->is_gathering)
        s->partial.filled += step.put;
    else
        d->unverified += step.put;
    if (result == DUET_OK)
        result = handle_event(s, d, &step, chunk->size);
    return result;
}

static int
receive_chunk(struct session *s, struct delivery *d, struct view chunk)
{
    int result = DUET_OK;

    while (chunk.size > 0 && result == DUET_OK)
        result = receive_step(s, d, &chunk);
    if (report_merged(d) != DUET_OK)
        return THROWN;
    if (result == DUET_CLOSED) /* bytes after the peer's CLOSE are nobody's */
        return DUET_OK;
    if (result < DUET_OK) {
        session_drop_partial(s);
        if (d->unverified > 0)
            duet_wipe(d->out + d->verified, d->unverified);
    }
    return result;
}

/** What ended the session, as an error. Of an identity that is not trusted it names the key. */
static napi_value
describe_failure(napi_env env, const struct session *s, int result)
{
    char detail[64 + DUET_KEY_TEXT_SIZE] = "its public key is ";
    duet_info info;

    duet_session_info(s->handle, &info);
    if (result != DUET_E_UNTRUSTED || !info.has_peer_key)
        return error_of(env, result, duet_session_detail(s->handle));
    duet_key_text(detail + strlen(detail), info.peer_key);
    return error_of(env, result, detail);
}

/** {events, payload, failure}: payload is there when bytes were verified, failure when the session
 * has failed after them. */
static napi_value
describe_delivery(const struct session *s, const struct delivery *d, int result)
{
    napi_value object, failure;

    if (napi_create_object(d->env, &object) != napi_ok ||
        napi_set_named_property(d->env, object, "events", d->events) != napi_ok)
        return napi_failed(d->env);
    if (d->verified > 0 &&
        napi_set_named_property(d->env, object, "payload", d->payload) != napi_ok)
        return napi_failed(d->env);
    if (result != DUET_OK) {
        failure = describe_failure(d->env, s, result);
        if (failure == NULL ||
            napi_set_named_property(d->env, object, "failure", failure) != napi_ok)
            return napi_failed(d->env);
    }
    return object;
}

/** receive(chunk, merge) */
napi_value
session_receive(napi_env env, napi_callback_info info)
{
    struct delivery d = {.env = env};
    napi_value arguments[2];
    struct session *s;
    struct view chunk;
    bool merge;

    if (session_open(env, info, 2, arguments, &s) != 0 || read_view(env, arguments[0], &chunk) != 0)
        return NULL;
    if (napi_get_value_bool(env, arguments[1], &merge) != napi_ok ||
        napi_create_array(env, &d.events) != napi_ok)
        return napi_failed(env);
    d.merge = merge;
    d.capacity = s->partial.filled + chunk.size;
    int result = receive_chunk(s, &d, chunk);
    return result == THROWN ? napi_failed(env) : describe_delivery(s, &d, result);
}

/** end(): the wire has ended. Returns undefined after the peer's CLOSE, else the error. */
napi_value
session_end(napi_env env, napi_callback_info info)
{
    struct session *s;

    if (session_open(env, info, 0, NULL, &s) != 0)
        return NULL;
    int result = duet_session_end(s->handle);
    session_drop_partial(s);
    return result == DUET_CLOSED ? undefined(env)
                                 : error_of(env, result, duet_session_detail(s->handle));
}
