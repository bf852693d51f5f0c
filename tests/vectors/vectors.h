/*
 * Known answers: files of test vectors read as JSON, their bytes, and the payloads that they name.
 *
 * The vectors are the *.json files beside this one.
 */
#ifndef TESTS_VECTORS_VECTORS_H
#define TESTS_VECTORS_VECTORS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *data; /* owned; bytes_free() */
    size_t size;
};

/** Where the files are: tests/vectors, unless main() was given another folder as its argument. */
extern const char *vectors_folder;

/** The file's content; fails the test when it is absent or malformed. */
json_t *vectors_load(const char *name);

/** The bytes of a hex string; empty when there is no such member. */
struct bytes bytes_of(const json_t *object, const char *member);
void bytes_free(struct bytes *bytes);

/** A number; fails the test when there is none. */
uint64_t number_of(const json_t *object, const char *member);
const char *text_of(const json_t *object, const char *member);

/** The payload of n bytes that the vectors use: byte i is (7 i + n) mod 256. */
struct bytes payload_of(size_t n);

/** Fail the test unless the bytes are those of the member; or, for long ones, unless their SHA-256
 * is that of member_sha256. */
void assert_bytes(const json_t *object, const char *member, const void *data, size_t size);

#endif
