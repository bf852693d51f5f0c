/*
 * The choice of a kernel: the first of the table that this CPU can run and that passes a self-test,
 * in which it must give the portable kernel's results for fixed input. DUET_KERNEL=name in the
 * environment selects one by name (not setuid); a name of none that works here selects nothing.
 */
#include "kernel/kernel.h"

#include "os/environment.h"

#include <stdlib.h>
#include <string.h>

/* The fastest first; the portable one is last and runs everywhere. A kernel may stand twice: where
 * it is the fastest, and where it is chosen by name alone.
 *
 * Two streams together, to one: 1.79 on an AMD processor (Zen 3) by x86_vaes_avx2, 1.53 by x86_ni,
 * where two of SHA-256 alone are 1.87; 1.22 on a Xeon with AMX by x86_vaes, where they are 1.30.
 * x86_vaes_avx2 was measured on Zen 3 alone. */
#define SHA_NI (DUET__CPU_AES | DUET__CPU_SHA | DUET__CPU_SSE4)
static const struct duet__kernel_entry table[] = {
#if defined(__x86_64__)
    {&duet__kernel_x86_vaes_avx2, SHA_NI | DUET__CPU_VAES | DUET__CPU_AVX2 | DUET__CPU_AMD},
    {&duet__kernel_x86_vaes, SHA_NI | DUET__CPU_VAES | DUET__CPU_VL},
    {&duet__kernel_x86_ni, SHA_NI},
    {&duet__kernel_x86_vaes_avx2, SHA_NI | DUET__CPU_VAES | DUET__CPU_AVX2},
    {&duet__kernel_x86_avx2, DUET__CPU_AES | DUET__CPU_SSE4 | DUET__CPU_AVX2},
#elif defined(__aarch64__)
    {&duet__kernel_arm_ce, DUET__CPU_AES | DUET__CPU_SHA},
#endif
    {&duet__kernel_portable, 0},
};

enum { KERNELS = sizeof table / sizeof *table };

const struct duet__kernel *duet__kernel_chosen;

#if !defined(__x86_64__) && !defined(__aarch64__)
unsigned
duet__cpu(void)
{
    return 0;
}
#endif

/* ---- The self-test ---- */

enum { GROUPS = 3, SIZE = GROUPS * 64 }; /* of a lane; bytes */

/** The results for fixed input: two lanes sealed one by one, two together; two chains. */
struct results {
    uint32_t chain[4][8];
    uint32_t hashed[2][8];
    uint8_t sealed[4][SIZE];
    uint8_t stream[64];
};

static struct duet__run
self_test_run(const struct duet__key *key, uint32_t *chain, uint8_t *out, const uint8_t *in,
              size_t groups)
{
    static const uint8_t block[16] = {4, 5, [8] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe};
    struct duet__run run = {key, block, chain, out, in, groups};
    return run;
}

/** 1 when opening what was sealed, one by one and together, gives the same bytes and chains. */
static int
self_test_open(const struct duet__kernel *kernel, const struct duet__key *key,
               const struct results *results, const uint8_t *in)
{
    uint32_t chain[4][8] = {{0}};
    uint8_t opened[4][SIZE] = {{0}};
    struct duet__run run[4];

    for (size_t i = 0; i < 4; i++)
        run[i] = self_test_run(key, chain[i], opened[i], results->sealed[i], GROUPS - i % 2);
    if (kernel->open(&run[0]) != 0 || kernel->open(&run[1]) != 0 || kernel->open2(&run[2]) != 0)
        return 0;
    for (size_t i = 0; i < 4; i++)
        /* public: fixed input */
        if (memcmp(opened[i], in, run[i].groups * 64) != 0)
            return 0;
    /* public: its hash */
    return memcmp(chain, results->chain, sizeof chain) == 0;
}

/** 1 when the kernel seals, and opens what it sealed. */
static int
self_test(const struct duet__kernel *kernel, struct results *results)
{
    static const uint8_t raw[32] = {1, 2, 3};
    static const uint8_t in[SIZE] = {6, 7, [100] = 8};
    const uint8_t *const texts[2] = {in, in + 64};
    struct duet__key key;
    struct duet__run run[4];

    memset(results, 0, sizeof *results);
    kernel->set_key(&key, raw);
    kernel->compress2(results->hashed, texts, 2);
    for (size_t i = 0; i < 4; i++)
        run[i] = self_test_run(&key, results->chain[i], results->sealed[i], in, GROUPS - i % 2);
    return kernel->keystream(&key, run[0].block, results->stream) == 0 &&
           kernel->seal(&run[0]) == 0 && kernel->seal(&run[1]) == 0 &&
           kernel->seal2(&run[2]) == 0 && self_test_open(kernel, &key, results, in);
}

static int
is_correct(const struct duet__kernel *kernel)
{
    struct results mine, portable;

    if (!self_test(kernel, &mine) || !self_test(&duet__kernel_portable, &portable))
        return 0;
    /* public: results for fixed input */
    return memcmp(&mine, &portable, sizeof mine) == 0;
}

/* ---- The choice ---- */

const struct duet__kernel *
duet__kernel_pick(const struct duet__kernel_entry *from, size_t count, unsigned features,
                  const char *name)
{
    for (size_t i = 0; i < count; i++) {
        const struct duet__kernel *kernel = from[i].kernel;
        if (name != NULL && strcmp(name, kernel->name) != 0)
            continue;
        if ((from[i].needs & ~features) == 0 && is_correct(kernel))
            return kernel;
    }
    return NULL;
}

int
duet__kernel_choose(void)
{
    if (duet__kernel_portable_init() != 0)
        return -1;
    const char *name = duet__os_environment("DUET_KERNEL");
    duet__kernel_chosen = duet__kernel_pick(table, KERNELS, duet__cpu(), name);
    if (duet__kernel_chosen == NULL && name != NULL) /* it names none that works here */
        duet__kernel_chosen = duet__kernel_pick(table, KERNELS, duet__cpu(), NULL);
    return duet__kernel_chosen == NULL ? -1 : 0;
}

/** 1 when an entry before k, which this processor can run too, has the same kernel. */
static int
stands_before(size_t k, unsigned features)
{
    for (size_t i = 0; i < k; i++)
        if (table[i].kernel == table[k].kernel && (table[i].needs & ~features) == 0)
            return 1;
    return 0;
}

const struct duet__kernel *
duet__kernel_at(size_t i)
{
    unsigned features = duet__cpu();

    for (size_t k = 0; k < KERNELS; k++)
        if ((table[k].needs & ~features) == 0 && !stands_before(k, features) && i-- == 0)
            return table[k].kernel;
    return NULL;
}
