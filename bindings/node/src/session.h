/*
 * A session of the addon: the library's handle, and the frame that is not complete yet.
 *
 * session.c makes, sends and describes; receive.c receives.
 */
#ifndef DUET_NODE_SESSION_H
#define DUET_NODE_SESSION_H

#include "addon.h"

/* A frame of which only a part has come. Its payload is decrypted and NOT verified, so it stays
 * here, out of reach of JavaScript, until its MAC has come. */
struct partial {
    uint8_t *bytes; /* NULL: none */
    size_t filled, capacity;
    uint32_t length; /* of the whole payload */
};

struct session {
    duet_session *handle; /* NULL once it is freed */
    uint32_t frame_size;  /* bytes of payload in a frame that is sent */
    duet_replay *replay;  /* its Channel keeps that alive */
    struct partial partial;
    int is_gathering; /* 1: the payload under way goes to `partial` */
};

/** As call_open(), for a method of a session that is not freed; throws when it is. */
int session_open(napi_env env, napi_callback_info info, size_t count, napi_value *arguments,
                 struct session **s);

/** undefined for DUET_OK; else throws the error of the session. */
napi_value session_result(napi_env env, const struct session *s, int result);

/** Unix milliseconds. */
uint64_t session_now_ms(void);

/** Wipe and free the incomplete frame. */
void session_drop_partial(struct session *s);

/** receive(chunk, merge), end(): see receive.c. */
napi_value session_receive(napi_env env, napi_callback_info info);
napi_value session_end(napi_env env, napi_callback_info info);

#endif
