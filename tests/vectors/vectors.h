/*
 * Known answers: files of test vectors read as JSON, their octets, and the payloads that they name.
 *
 * Where the vectors are absent a test skips and says so.
 */
#ifndef TESTS_VECTORS_VECTORS_H
#define TESTS_VECTORS_VECTORS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct octets {
    uint8_t *data; /* owned; octets_free() */
    size_t size;
};

/** The file's content; skips the test when it is absent, fails it when it is malformed. */
json_t *vectors_load(const char *name);

/** The octets of a hex string; empty when there is no such member. */
struct octets octets_of(const json_t *object, const char *member);
void octets_free(struct octets *octets);

/** A number; fails the test when there is none. */
uint64_t number_of(const json_t *object, const char *member);
const char *text_of(const json_t *object, const char *member);

/** The payload of n octets that the vectors use: octet i is (7 i + n) mod 256. */
struct octets payload_of(size_t n);

/** Fail the test unless the octets are those of the member; or, for long ones, unless their SHA-256
 * is that of member_sha256. */
void assert_octets(const json_t *object, const char *member, const void *data, size_t size);

#endif
