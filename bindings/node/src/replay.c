/*
 * The class Replay: a replay cache (docs/protocol.md §4 "Replay").
 *
 * Who gives none uses the one of the process, which its threads share.
 */
#include "addon.h"

#include <pthread.h>

/* An application hands these objects over, so it may hand over another addon's. */
static const napi_type_tag tag = {0x64756574207265, 0x706c6179206361};

static duet_replay *process_replay;

static void
replay_make(void)
{
    process_replay = duet_replay_new(DUET_REPLAY_DEFAULT);
}

duet_replay *
replay_of(napi_env env, napi_value value)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    napi_valuetype type;
    void *replay = NULL;

    if (napi_typeof(env, value, &type) != napi_ok) {
        napi_failed(env);
        return NULL;
    }
    if (type != napi_undefined) {
        bool is_ours = false;
        if (napi_check_object_type_tag(env, value, &tag, &is_ours) != napi_ok || !is_ours ||
            napi_unwrap(env, value, &replay) != napi_ok)
            napi_throw_type_error(env, NULL, "replay: a Replay is expected");
        return replay;
    }
    pthread_once(&once, replay_make);
    if (process_replay == NULL)
        throw_result(env, DUET_E_MEMORY, "the replay cache");
    return process_replay;
}

static void
replay_finalize(napi_env env, void *replay, void *hint)
{
    (void)env;
    (void)hint;
    duet_replay_free(replay);
}

/** new Replay(entries) */
static napi_value
replay_constructor(napi_env env, napi_callback_info info)
{
    napi_value argument, self;
    napi_valuetype type;
    size_t count = 1;
    double entries = DUET_REPLAY_DEFAULT;

    if (napi_get_cb_info(env, info, &count, &argument, &self, NULL) != napi_ok ||
        napi_typeof(env, argument, &type) != napi_ok)
        return napi_failed(env);
    if (type != napi_undefined && read_number(env, argument, 1, 1 << 24, &entries) != 0)
        return NULL;
    duet_replay *replay = duet_replay_new((size_t)entries);
    if (replay == NULL)
        return throw_result(env, DUET_E_MEMORY, "the replay cache");
    if (napi_wrap(env, self, replay, replay_finalize, NULL, NULL) != napi_ok) {
        duet_replay_free(replay);
        return napi_failed(env);
    }
    return napi_type_tag_object(env, self, &tag) == napi_ok ? self : napi_failed(env);
}

int
export_replay(napi_env env, napi_value exports)
{
    return export_class(env, exports, "Replay", replay_constructor, NULL, 0);
}
