/*
 * Fuzzes the lowest layer: frames of any content sealed in any pieces and opened in others, altered
 * or not; and every kernel of this build against the portable one on the same bytes.
 *
 * Unaltered frames open to what was sealed. Of an altered one the first call that can detect it
 * fails, and the direction is dead.
 */
#include "fuzz.h"
#include "kernel/kernel.h"

#include <duet/duet.h>
#include <string.h>

enum { MOST = 70000, GROUPS_MOST = 64, GROUP = 64 };

/* ---- Kernels ---- */

struct outcome {
    uint8_t keystream[GROUP], sealed[GROUPS_MOST * GROUP], opened[GROUPS_MOST * GROUP];
    uint32_t chains[3][8];
};

static void
try_kernel(const struct duet__kernel *kernel, struct outcome *out, const uint8_t setup[80],
           const uint8_t *data, size_t groups)
{
    struct duet__key key;
    const uint8_t *block = setup + 32;

    for (unsigned i = 0; i < 3; i++)
        memcpy(out->chains[i], setup + 48, sizeof out->chains[i]);
    kernel->set_key(&key, setup);
    need(kernel->keystream(&key, block, out->keystream) == 0);
    kernel->compress(out->chains[0], data, groups);
    struct duet__run run = {&key, block, out->chains[1], out->sealed, data, groups};
    need(kernel->seal(&run) == 0);
    memcpy(out->opened, out->sealed, groups * GROUP); /* opened in place */
    run.chain = out->chains[2];
    run.out = out->opened;
    run.in = out->opened;
    need(kernel->open(&run) == 0);
    need(memcmp(out->opened, data, groups * GROUP) == 0);
    need(memcmp(out->chains[0], out->chains[1], sizeof out->chains[0]) == 0);
    need(memcmp(out->chains[0], out->chains[2], sizeof out->chains[0]) == 0);
}

/** All kernels have the same output as the portable one. */
static void
compare_kernels(const uint8_t setup[80], const uint8_t *data, size_t size)
{
    static struct outcome portable, other;
    size_t groups = size / GROUP < GROUPS_MOST ? size / GROUP : GROUPS_MOST;

    try_kernel(&duet__kernel_portable, &portable, setup, data, groups);
    for (size_t i = 0; duet__kernel_at(i) != NULL; i++) {
        try_kernel(duet__kernel_at(i), &other, setup, data, groups);
        need(memcmp(portable.keystream, other.keystream, GROUP) == 0);
        need(memcmp(portable.sealed, other.sealed, groups * GROUP) == 0);
        need(memcmp(portable.chains, other.chains, sizeof other.chains) == 0);
    }
}

/* ---- Frames ---- */

/** Seal in pieces; returns the frame's size. */
static size_t
seal(duet_cipher *d, uint8_t *frame, const struct instruction *i)
{
    size_t piece = i->arg % 2 == 0 ? MOST : 1 + i->arg, at = 0, put, size = DUET_HEADER_SIZE;
    int result;

    need(duet_cipher_seal_begin(d, frame, i->op, (uint32_t)i->size) == DUET_OK);
    do {
        size_t n = i->size - at < piece ? i->size - at : piece;
        result = duet_cipher_seal_piece(d, frame + size, &put, i->payload + at, n);
        need(result == DUET_OK);
        at += n;
        size += put;
    } while (at < i->size);
    need(size == i->size + DUET_FRAME_OVERHEAD);
    return size;
}

/** Open in pieces. Returns DUET_OK, or what stopped it. */
static int
open_frame(duet_cipher *d, uint8_t *out, uint32_t *code, const uint8_t *frame, size_t size)
{
    uint32_t length;
    size_t at = DUET_HEADER_SIZE, have = 0, put, piece = 1 + size % 97;
    int result = duet_cipher_open_header(d, code, &length, frame);

    if (result != DUET_OK)
        return result;
    result = DUET_AGAIN;
    while (result == DUET_AGAIN && at < size) {
        size_t n = size - at < piece ? size - at : piece;
        result = duet_cipher_open_piece(d, out + have, &put, frame + at, n);
        at += n;
        have += put;
    }
    return result;
}

/** One frame there; altered where the script says so. Returns 0 once the direction is dead. */
static int
send_frame(duet_cipher *tx, duet_cipher *rx, const struct instruction *i, uint8_t alter)
{
    static uint8_t frame[MOST], out[MOST];
    uint32_t code = 0;
    size_t size = seal(tx, frame, i);

    if (alter != 0)
        frame[(alter * 7u + i->arg * 31u) % size] ^= alter;
    int result = open_frame(rx, out, &code, frame, size);
    if (alter == 0) {
        need(result == DUET_OK && code == i->op);
        need(i->size == 0 || memcmp(out, i->payload, i->size) == 0);
        return 1;
    }
    /* AGAIN: LENGTH grew together with CHECKSUM, which one changed byte can't do */
    need(result == DUET_E_FORGED || result == DUET_E_CHECKSUM || result == DUET_E_SEQUENCE ||
         result == DUET_E_TOO_LONG);
    need(duet_cipher_open_header(rx, &code, &code, frame) == result);
    return 0;
}

/** Open bytes that were never sealed. */
static void
open_noise(const uint8_t setup[80], const uint8_t *data, size_t size)
{
    static uint8_t out[MOST];
    uint32_t code;
    duet_cipher rx;

    if (size < DUET_HEADER_SIZE || size > sizeof out)
        return;
    need(duet_cipher_init(&rx, setup, setup + 32, setup + 48, 1, MOST) == DUET_OK);
    need(open_frame(&rx, out, &code, data, size) != DUET_OK);
    duet_wipe(&rx, sizeof rx);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct instruction i;
    uint8_t setup[80];
    duet_cipher tx, rx;

    need(duet_init() == DUET_OK);
    uint8_t counter = input_byte(&in), alter = input_byte(&in);
    for (size_t k = 0; k < sizeof setup; k++)
        setup[k] = (uint8_t)(k * counter + alter);
    if (counter % 4 == 0)
        memset(setup + 32, 0xff, 16); /* the counter block wraps */
    compare_kernels(setup, in.at, in.left);
    open_noise(setup, in.at, in.left);
    uint32_t seq = counter % 8 == 0 ? UINT32_MAX : counter;
    need(duet_cipher_init(&tx, setup, setup + 32, setup + 48, seq, MOST) == DUET_OK);
    rx = tx;
    for (unsigned n = 0; input_instruction(&in, &i); n++)
        if (!send_frame(&tx, &rx, &i, n == alter % 4u ? alter : 0))
            break;
    duet_wipe(&tx, sizeof tx);
    duet_wipe(&rx, sizeof rx);
    return 0;
}
