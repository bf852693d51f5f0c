/*
 * The module's entry: what it exports, and the helpers of addon.h.
 *
 * Each environment of the process (the main thread, each worker thread) has its own exports and its
 * own class of errors. The one thing that they share is the replay cache (replay.c).
 */
#include "addon.h"

#include <stdlib.h>

/* ---- Values ---- */

napi_value
napi_failed(napi_env env)
{
    const napi_extended_error_info *info = NULL;
    bool pending = false;

    napi_get_last_error_info(env, &info);
    const char *reason =
        info != NULL && info->error_message != NULL ? info->error_message : "a call failed";
    napi_is_exception_pending(env, &pending);
    if (!pending)
        napi_throw_error(env, NULL, reason);
    return NULL;
}

napi_value
undefined(napi_env env)
{
    napi_value value;

    return napi_get_undefined(env, &value) == napi_ok ? value : napi_failed(env);
}

napi_value
buffer_of(napi_env env, const void *bytes, size_t size)
{
    napi_value value;

    return napi_create_buffer_copy(env, size, bytes, NULL, &value) == napi_ok ? value
                                                                              : napi_failed(env);
}

int
call_open(napi_env env, napi_callback_info info, size_t count, napi_value *arguments, void **self)
{
    size_t given = count;
    napi_value object;

    if (napi_get_cb_info(env, info, &given, arguments, &object, NULL) != napi_ok ||
        (self != NULL && napi_unwrap(env, object, self) != napi_ok)) {
        napi_failed(env);
        return -1;
    }
    if (given < count) {
        napi_throw_type_error(env, NULL, "an argument is missing");
        return -1;
    }
    return 0;
}

int
read_view(napi_env env, napi_value value, struct view *view)
{
    bool is_buffer = false;
    void *bytes = NULL;

    if (napi_is_buffer(env, value, &is_buffer) == napi_ok && is_buffer &&
        napi_get_buffer_info(env, value, &bytes, &view->size) == napi_ok) {
        view->bytes = bytes;
        return 0;
    }
    napi_throw_type_error(env, NULL, "a Buffer or Uint8Array is expected");
    return -1;
}

int
read_number(napi_env env, napi_value value, double least, double most, double *number)
{
    if (napi_get_value_double(env, value, number) == napi_ok && *number >= least && *number <= most)
        return 0;
    napi_throw_range_error(env, NULL, "a number is out of range");
    return -1;
}

int
set_number(napi_env env, napi_value object, const char *name, double number)
{
    napi_value value;

    if (napi_create_double(env, number, &value) == napi_ok &&
        napi_set_named_property(env, object, name, value) == napi_ok)
        return 0;
    napi_failed(env);
    return -1;
}

static int
set_string(napi_env env, napi_value object, const char *name, const char *text)
{
    napi_value value;

    if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok &&
        napi_set_named_property(env, object, name, value) == napi_ok)
        return 0;
    napi_failed(env);
    return -1;
}

int
export_class(napi_env env, napi_value exports, const char *name, napi_callback constructor,
             const napi_property_descriptor *methods, size_t count)
{
    napi_value value;

    if (napi_define_class(env, name, NAPI_AUTO_LENGTH, constructor, NULL, count, methods, &value) ==
            napi_ok &&
        napi_set_named_property(env, exports, name, value) == napi_ok)
        return 0;
    napi_failed(env);
    return -1;
}

/* ---- Errors ---- */

/** setErrorClass(class): what is thrown is made by new class(result, detail). */
static napi_value
set_error_class(napi_env env, napi_callback_info info)
{
    napi_value argument;
    napi_ref class = NULL;

    if (call_open(env, info, 1, &argument, NULL) != 0)
        return NULL;
    if (napi_create_reference(env, argument, 1, &class) != napi_ok ||
        napi_set_instance_data(env, class, NULL, NULL) != napi_ok)
        return napi_failed(env);
    return undefined(env);
}

napi_value
error_of(napi_env env, int result, const char *detail)
{
    napi_value arguments[2], class, error;
    void *reference = NULL;

    if (napi_get_instance_data(env, &reference) == napi_ok && reference != NULL &&
        napi_get_reference_value(env, reference, &class) == napi_ok &&
        napi_create_int32(env, result, &arguments[0]) == napi_ok &&
        napi_create_string_utf8(env, detail, NAPI_AUTO_LENGTH, &arguments[1]) == napi_ok &&
        napi_new_instance(env, class, 2, arguments, &error) == napi_ok)
        return error;
    return napi_failed(env);
}

napi_value
throw_result(napi_env env, int result, const char *detail)
{
    napi_value error = error_of(env, result, detail);

    if (error != NULL)
        napi_throw(env, error);
    return NULL;
}

/** explain(result): the line of the closed list, as {name, kind, sentence, cure}. */
static napi_value
explain(napi_env env, napi_callback_info info)
{
    napi_value argument, line;
    double result;

    if (call_open(env, info, 1, &argument, NULL) != 0 ||
        read_number(env, argument, -1000, 0, &result) != 0)
        return NULL;
    const duet_result_info *what = duet_explain((int)result);
    if (what == NULL)
        return undefined(env);
    if (napi_create_object(env, &line) != napi_ok)
        return napi_failed(env);
    if (set_string(env, line, "name", what->name) != 0 ||
        set_number(env, line, "kind", what->kind) != 0 ||
        set_string(env, line, "sentence", what->sentence) != 0 ||
        set_string(env, line, "cure", what->cure) != 0)
        return NULL;
    return line;
}

/* ---- The exports ---- */

static int
export_constants(napi_env env, napi_value exports)
{
    napi_value constants;

    if (napi_create_object(env, &constants) != napi_ok ||
        napi_set_named_property(env, exports, "constants", constants) != napi_ok) {
        napi_failed(env);
        return -1;
    }
    for (const duet_constant *each = duet_constants(); each->name != NULL; each++)
        if (set_number(env, constants, each->name, (double)each->value) != 0)
            return -1;
    return 0;
}

/* The entry that Node.js looks up. The macros of node_api.h would do without a prototype. */
NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports);

napi_value
napi_register_module_v1(napi_env env, napi_value exports)
{
    const napi_property_descriptor functions[] = {
        {"setErrorClass", NULL, set_error_class, NULL, NULL, NULL, napi_default, NULL},
        {"explain", NULL, explain, NULL, NULL, NULL, napi_default, NULL},
    };

    if (napi_define_properties(env, exports, sizeof functions / sizeof functions[0], functions) !=
        napi_ok)
        return napi_failed(env);
    if (set_string(env, exports, "version", duet_version()) != 0 ||
        export_constants(env, exports) != 0 || export_config(env, exports) != 0 ||
        export_replay(env, exports) != 0 || export_session(env, exports) != 0)
        return NULL;
    return exports;
}
