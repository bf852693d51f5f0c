/*
 * What the targets share: an assertion that ends the program, and the input as a script of
 * instructions that a target carries out with valid keys.
 *
 * A script is two bytes for the set-up, then instructions: op(1) ‖ arg(1) ‖ size(2) ‖
 * payload(size), the last one's payload being cut where the input ends. It is plaintext: a target
 * seals what it sends, so that a changed byte reaches the parsers instead of failing at the MAC.
 * script.c mutates it by instructions (LLVMFuzzerCustomMutator).
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);

/** Abort unless it holds; the fuzzer then keeps the input. */
static inline void
need(int holds)
{
    if (!holds)
        abort();
}

/** The rest of an input; past its end it reads as zeros. */
struct input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t
input_byte(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

/** Take n bytes at most; *size is how many. */
static inline const uint8_t *
input_take(struct input *in, size_t n, size_t *size)
{
    const uint8_t *at = in->at;

    *size = n < in->left ? n : in->left;
    in->left -= *size;
    in->at += *size;
    return at;
}

enum { SCRIPT_SETUP = 2, SCRIPT_HEAD = 4 }; /* bytes */

struct instruction {
    uint8_t op, arg;
    const uint8_t *payload;
    size_t size;
};

/** Take the next instruction. Returns 1, or 0 at the end. */
static inline int
input_instruction(struct input *in, struct instruction *i)
{
    if (in->left < SCRIPT_HEAD)
        return 0;
    i->op = input_byte(in);
    i->arg = input_byte(in);
    size_t size = (size_t)input_byte(in) << 8;
    size |= input_byte(in);
    i->payload = input_take(in, size, &i->size);
    return 1;
}

#endif
