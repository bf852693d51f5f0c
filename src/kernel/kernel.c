/*
 * The choice of a kernel: the first of the table that this CPU can run and that gives the portable
 * answer on a fixed group. DUET_KERNEL=name in the environment overrides the order (not setuid).
 */
#include "kernel/kernel.h"

#include <stdlib.h>
#include <string.h>

static int
always(void)
{
    return 1;
}

/* In order of preference; the portable one is last and always fits. */
static const struct {
    const struct duet__kernel *kernel;
    int (*fits)(void);
} table[] = {
#if defined(__x86_64__)
    {&duet__kernel_x86_ni, duet__kernel_x86_ni_fits},
#endif
    {&duet__kernel_portable, always},
};

enum { KERNELS = sizeof table / sizeof *table };

static const struct duet__kernel *chosen; /* set once by duet_init(), then only read */

/* Seal and open one fixed group with both; a kernel with another answer than the portable is not
 * used. */
static int
agrees(const struct duet__kernel *kernel)
{
    static const uint8_t raw[32] = {1, 2, 3};
    static const uint8_t block[16] = {4, 5, [15] = 0xFE};
    static const uint8_t in[128] = {6, 7, [100] = 8};
    struct duet__key key;
    uint32_t chain[2][8] = {{9, 10}, {9, 10}};
    uint8_t out[2][128];

    const struct duet__kernel *both[2] = {kernel, &duet__kernel_portable};
    for (int i = 0; i < 2; i++) {
        both[i]->set_key(&key, raw);
        if (both[i]->seal(&key, block, chain[i], out[i], in, 2) != 0 ||
            both[i]->open(&key, block, chain[i], out[i], out[i], 2) != 0)
            return 0;
        /* public: the answers to a fixed block */
        if (memcmp(out[i], in, sizeof in) != 0 ||
            both[i]->seal(&key, block, chain[i], out[i], in, 2) != 0)
            return 0;
    }
    /* public: as above */
    return memcmp(out[0], out[1], sizeof out[0]) == 0 &&
           memcmp(chain[0], chain[1], sizeof chain[0]) == 0;
}

int
duet__kernel_choose(void)
{
    if (duet__kernel_portable_init() != 0)
        return -1;
    const char *name = secure_getenv("DUET_KERNEL");
    for (size_t i = 0; i < KERNELS; i++) {
        if (name != NULL && strcmp(name, table[i].kernel->name) != 0)
            continue;
        if (table[i].fits() && agrees(table[i].kernel)) {
            chosen = table[i].kernel;
            return 0;
        }
    }
    if (!agrees(&duet__kernel_portable))
        return -1;
    chosen = &duet__kernel_portable;
    return 0;
}

const struct duet__kernel *
duet__kernel_at(size_t i)
{
    for (size_t k = 0; k < KERNELS; k++)
        if (table[k].fits() && i-- == 0)
            return table[k].kernel;
    return NULL;
}

const struct duet__kernel *
duet__kernel(void)
{
    return chosen;
}
