/*
 * What the addon's files share: the values of a call, errors, and the three classes.
 *
 * A function that JavaScript calls returns NULL when it has thrown. Nothing here does I/O: bytes go
 * in and come out, and lib/channel.js carries them.
 */
#ifndef DUET_NODE_ADDON_H
#define DUET_NODE_ADDON_H

#define NAPI_VERSION 8
#include <duet/duet.h>
#include <node_api.h>
#include <stddef.h>

/** Bytes of a Buffer. */
struct view {
    uint8_t *bytes;
    size_t size;
};

/** The values of a call: `self` is what its object wraps, NULL for a plain function. Returns 0, or
 * -1 when an exception is pending: too few arguments, or the object is of another kind. */
int call_open(napi_env env, napi_callback_info info, size_t count, napi_value *arguments,
              void **self);

/** Read an argument. Each returns 0, or -1 when it threw a TypeError. */
int read_view(napi_env env, napi_value value, struct view *view);
int read_number(napi_env env, napi_value value, double least, double most, double *number);

/** Throw the DuetError of a result. detail: a sentence that says more; "" for none. Returns NULL. */
napi_value throw_result(napi_env env, int result, const char *detail);

/** The same error as a value, not thrown. */
napi_value error_of(napi_env env, int result, const char *detail);

/** NULL, with an exception pending when none is: what to return when a call of N-API failed. */
napi_value napi_failed(napi_env env);

/** undefined; NULL when that failed. */
napi_value undefined(napi_env env);

/** Copy bytes into a new Buffer. */
napi_value buffer_of(napi_env env, const void *bytes, size_t size);

/** Set object.name to a number. Returns 0, or -1 when an exception is pending. */
int set_number(napi_env env, napi_value object, const char *name, double number);

/** Define a class, and export it under that name. Returns as set_number(). */
int export_class(napi_env env, napi_value exports, const char *name, napi_callback constructor,
                 const napi_property_descriptor *methods, size_t count);

int export_config(napi_env env, napi_value exports);
int export_replay(napi_env env, napi_value exports);
int export_session(napi_env env, napi_value exports);

/** The configuration that a Config holds. */
const duet_config *config_of(napi_env env, napi_value value);

/** The replay cache that a Replay holds; of undefined, the one that all threads of the process share.
 * NULL when it threw. */
duet_replay *replay_of(napi_env env, napi_value value);

#endif
