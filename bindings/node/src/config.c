/*
 * The class Config: a duet_config, filled from files and bytes (include/duet/session.h).
 *
 * It owns the handle; garbage collection gives it up. Sessions keep what they use of it.
 */
#include "addon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096 };

const duet_config *
config_of(napi_env env, napi_value value)
{
    void *config = NULL;

    if (napi_unwrap(env, value, &config) != napi_ok)
        napi_throw_type_error(env, NULL, "a Config is expected");
    return config;
}

static void
config_finalize(napi_env env, void *config, void *hint)
{
    (void)env;
    (void)hint;
    duet_config_free(config);
}

static napi_value
config_constructor(napi_env env, napi_callback_info info)
{
    napi_value self;

    if (napi_get_cb_info(env, info, NULL, NULL, &self, NULL) != napi_ok)
        return napi_failed(env);
    duet_config *config = duet_config_new();
    if (config == NULL)
        return throw_result(env, DUET_E_MEMORY, "");
    if (napi_wrap(env, self, config, config_finalize, NULL, NULL) != napi_ok) {
        duet_config_free(config);
        return napi_failed(env);
    }
    return self;
}

/** Add a secret of these bytes. */
static int
add_bytes(duet_config *config, const struct view *bytes)
{
    static const uint8_t none[1]; /* an empty view may have no address: NULL would be drawn */
    duet_key *key;
    int result =
        duet_key_new(&key, DUET_KIND_SECRET, bytes->size > 0 ? bytes->bytes : none, bytes->size, 0);

    if (result == DUET_OK)
        result = duet_config_add(config, key);
    duet_key_free(key);
    return result;
}

/** addSecret(bytes) */
static napi_value
config_add_secret(napi_env env, napi_callback_info info)
{
    napi_value argument;
    struct view bytes;
    void *config;

    if (call_open(env, info, 1, &argument, &config) != 0 || read_view(env, argument, &bytes) != 0)
        return NULL;
    int result = add_bytes(config, &bytes);
    if (result == DUET_E_LENGTH)
        return throw_result(env, result, "a secret has an even number of bytes, 64 to 65,536");
    return result == DUET_OK ? undefined(env) : throw_result(env, result, "");
}

/** Load a file of a kind. Returns as duet_key_load() or duet_config_add(). */
static int
load_file(duet_config *config, int kind, const char *path, duet_where *where)
{
    duet_key *key;
    int result = duet_key_load(&key, (enum duet_kind)kind, path, NULL, 0, where);

    if (result == DUET_OK)
        result = duet_config_add(config, key);
    duet_key_free(key);
    return result;
}

/** load(kind, path): add a file, with every check that the command makes. */
static napi_value
config_load(napi_env env, napi_callback_info info)
{
    char path[PATH_SIZE], detail[PATH_SIZE + sizeof(duet_where) + 32];
    napi_value arguments[2];
    duet_where where = {0};
    size_t length = 0;
    double kind;
    void *config;

    if (call_open(env, info, 2, arguments, &config) != 0 ||
        read_number(env, arguments[0], 0, DUET_KIND_PROFILE, &kind) != 0)
        return NULL;
    if (napi_get_value_string_utf8(env, arguments[1], path, sizeof path, &length) != napi_ok ||
        length == 0 || length >= sizeof path - 4 || strlen(path) != length) {
        napi_throw_type_error(env, NULL, "a path is expected");
        return NULL;
    }
    int result = load_file(config, (int)kind, path, &where);
    if (result == DUET_OK)
        return undefined(env);
    if (where.line > 0)
        snprintf(detail, sizeof detail, "%s: line %u: %s", path, where.line, where.reason);
    else
        snprintf(detail, sizeof detail, "%s%s%s", path, where.reason[0] ? ": " : "", where.reason);
    return throw_result(env, result, detail);
}

/** set(setting, value) */
static napi_value
config_set(napi_env env, napi_callback_info info)
{
    napi_value arguments[2];
    double setting, value;
    void *config;

    if (call_open(env, info, 2, arguments, &config) != 0 ||
        read_number(env, arguments[0], 0, 1000, &setting) != 0 ||
        read_number(env, arguments[1], 0, 1e15, &value) != 0)
        return NULL;
    int result = duet_config_set(config, (enum duet_setting)(int)setting, (uint64_t)value);
    return result == DUET_OK ? undefined(env) : throw_result(env, result, "a value out of range");
}

int
export_config(napi_env env, napi_value exports)
{
    const napi_property_descriptor methods[] = {
        {"addSecret", NULL, config_add_secret, NULL, NULL, NULL, napi_default, NULL},
        {"load", NULL, config_load, NULL, NULL, NULL, napi_default, NULL},
        {"set", NULL, config_set, NULL, NULL, NULL, napi_default, NULL},
    };

    return export_class(env, exports, "Config", config_constructor, methods,
                        sizeof methods / sizeof methods[0]);
}
