/*
 * The mutator of scripts (see fuzz.h): adds, removes, swaps and changes whole instructions, so that
 * most inputs are conversations and not noise.
 */
#include "fuzz.h"

#include <string.h>

enum { SPANS = 256 };    /* instructions that are looked at */
enum { MOST = 1 << 16 }; /* bytes of a script that is mutated by instructions */
enum { FRESH_SIZES = 6, PLAIN = 2, WAYS = 9 }; /* of the ways below, PLAIN are the fuzzer's own */

/** Where an instruction lies. */
struct span {
    size_t at, size; /* bytes */
};

struct script {
    struct span spans[SPANS];
    size_t count;
};

static size_t
spans_of(struct script *script, const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct instruction i;
    size_t skipped;

    script->count = 0;
    input_take(&in, SCRIPT_SETUP, &skipped);
    while (script->count < SPANS && in.left >= SCRIPT_HEAD) {
        struct span *span = &script->spans[script->count++];
        span->at = size - in.left;
        input_instruction(&in, &i);
        span->size = size - in.left - span->at;
    }
    return script->count;
}

/** Put n bytes in the place of `span`. Returns the script's new size, or the old one where there
 * is no room. */
static size_t
replace(uint8_t *data, size_t size, size_t most, struct span span, const uint8_t *with, size_t n)
{
    if (size - span.size + n > most)
        return size;
    memmove(data + span.at + n, data + span.at + span.size, size - span.at - span.size);
    if (n > 0)
        memcpy(data + span.at, with, n);
    return size - span.size + n;
}

/** Let the fuzzer mutate one payload, and write its new size in front of it. */
static size_t
mutate_payload(uint8_t *data, size_t size, size_t most, struct span span)
{
    static uint8_t changed[MOST];
    size_t n = span.size - SCRIPT_HEAD;

    memcpy(changed, data + span.at, span.size);
    n = LLVMFuzzerMutate(changed + SCRIPT_HEAD, n, n + n / 2 + 64);
    if (n > UINT16_MAX)
        return size;
    changed[2] = (uint8_t)(n >> 8);
    changed[3] = (uint8_t)n;
    return replace(data, size, most, span, changed, SCRIPT_HEAD + n);
}

/** A new instruction in front of another; sizes that library frames have. */
static size_t
insert_fresh(uint8_t *data, size_t size, size_t most, size_t at, unsigned draw)
{
    static const uint8_t sizes[FRESH_SIZES] = {0, 1, 8, 33, 64, 255};
    uint8_t fresh[SCRIPT_HEAD + 255] = {(uint8_t)draw, (uint8_t)(draw >> 8)};

    fresh[3] = sizes[(draw >> 16) % FRESH_SIZES];
    memset(fresh + SCRIPT_HEAD, (int)(draw >> 20) & 3, fresh[3]);
    struct span nothing = {at, 0};
    return replace(data, size, most, nothing, fresh, SCRIPT_HEAD + (size_t)fresh[3]);
}

/** Exchange an instruction with the next one. */
static void
swap(uint8_t *data, struct span first, struct span second)
{
    static uint8_t both[2 * MOST];

    memcpy(both, data + second.at, second.size);
    memcpy(both + second.size, data + first.at, first.size);
    memcpy(data + first.at, both, first.size + second.size);
}

static unsigned
next(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 4;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    static uint8_t copy[MOST];
    static struct script script;
    unsigned way = next(&seed) % WAYS;

    if (way < PLAIN || size > MOST || spans_of(&script, data, size) == 0)
        return LLVMFuzzerMutate(data, size, most);
    size_t which = next(&seed) % script.count;
    struct span span = script.spans[which];
    switch (way) {
    case 2:
        data[span.at] = (uint8_t)next(&seed);
        return size;
    case 3:
        data[span.at + 1] = (uint8_t)next(&seed);
        return size;
    case 4:
        return replace(data, size, most, span, NULL, 0);
    case 5:
        memcpy(copy, data + span.at, span.size);
        span.size = 0;
        return replace(data, size, most, span, copy, script.spans[which].size);
    case 6:
        if (which + 1 < script.count)
            swap(data, span, script.spans[which + 1]);
        return size;
    case 7:
        return insert_fresh(data, size, most, span.at, next(&seed));
    default:
        return mutate_payload(data, size, most, span);
    }
}
