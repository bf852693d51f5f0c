/*
 * Reading known answers (see vectors.h).
 */
#include "vectors/vectors.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const char *vectors_folder = VECTORS_FOLDER;

json_t *
vectors_load(const char *name)
{
    char path[4096];
    json_error_t error;

    snprintf(path, sizeof path, "%s/%s", vectors_folder, name);
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return root;
}

static unsigned
digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = strchr(digits, c);
    assert_true(c != 0 && at != NULL);
    return (unsigned)(at - digits);
}

struct bytes
bytes_of(const json_t *object, const char *member)
{
    const char *hex = json_string_value(json_object_get(object, member));
    size_t size = hex != NULL ? strlen(hex) / 2 : 0;
    struct bytes bytes = {malloc(size + 1), size};

    assert_non_null(bytes.data);
    for (size_t i = 0; i < size; i++)
        bytes.data[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return bytes;
}

void
bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    bytes->data = NULL;
    bytes->size = 0;
}

uint64_t
number_of(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    assert_true(json_is_integer(value));
    return (uint64_t)json_integer_value(value);
}

const char *
text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    assert_non_null(text);
    return text;
}

struct bytes
payload_of(size_t n)
{
    struct bytes bytes = {malloc(n + 1), n};

    assert_non_null(bytes.data);
    for (size_t i = 0; i < n; i++)
        bytes.data[i] = (uint8_t)(7 * i + n);
    return bytes;
}

void
assert_bytes(const json_t *object, const char *member, const void *data, size_t size)
{
    char by_hash[64];
    uint8_t digest[32];
    unsigned digest_size;

    if (json_object_get(object, member) != NULL) {
        struct bytes expected = bytes_of(object, member);
        assert_int_equal(size, expected.size);
        assert_memory_equal(data, expected.data, size);
        bytes_free(&expected);
        return;
    }
    snprintf(by_hash, sizeof by_hash, "%s_sha256", member);
    struct bytes expected = bytes_of(object, by_hash);
    assert_int_equal(expected.size, sizeof digest);
    assert_int_equal(EVP_Digest(data, size, digest, &digest_size, EVP_sha256(), NULL), 1);
    assert_memory_equal(digest, expected.data, sizeof digest);
    bytes_free(&expected);
}
