/*
 * Buffers of one batch or one peek, which are too large for the stacks of small threads.
 *
 * A few stay with the process for the next call, from whichever thread: a call that takes one costs
 * an exchange in memory. No call waits: when all are in use it allocates its own, and so does the
 * child of a fork. They hold what was or will be on the wire, nothing in clear.
 */
#include "channel/channel.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    KEPT = 16,      /* buffers that stay, at most */
    CACHE_LINE = 64 /* bytes; threads in different slots do not disturb each other */
};

struct slot {
    _Alignas(CACHE_LINE) _Atomic(uint8_t *) buffer; /* NULL: none */
};

static struct slot slots[KEPT];

/** Where a thread looks first: stacks of different threads lie apart. */
static size_t
first_slot(void)
{
    char here;
    return (size_t)((uintptr_t)&here >> 16) % KEPT;
}

uint8_t *
duet__buffer_take(void)
{
    size_t first = first_slot();

    for (size_t i = 0; i < KEPT; i++) {
        struct slot *slot = &slots[(first + i) % KEPT];
        if (atomic_load_explicit(&slot->buffer, memory_order_relaxed) == NULL)
            continue;
        uint8_t *buffer = atomic_exchange_explicit(&slot->buffer, NULL, memory_order_acquire);
        if (buffer != NULL)
            return buffer;
    }
    return malloc(DUET__BUFFER_SIZE);
}

void
duet__buffer_return(uint8_t *buffer)
{
    size_t first = first_slot();

    for (size_t i = 0; buffer != NULL && i < KEPT; i++) {
        struct slot *slot = &slots[(first + i) % KEPT];
        uint8_t *none = NULL;
        if (atomic_load_explicit(&slot->buffer, memory_order_relaxed) == NULL &&
            atomic_compare_exchange_strong_explicit(&slot->buffer, &none, buffer,
                                                    memory_order_release, memory_order_relaxed))
            return;
    }
    free(buffer);
}

/** When the library is unloaded, or the program ends. */
__attribute__((destructor)) static void
free_kept(void)
{
    for (size_t i = 0; i < KEPT; i++)
        free(atomic_exchange(&slots[i].buffer, NULL));
}
