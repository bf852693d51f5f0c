/*
 * Measures the processor's limit: how often it can start sha256rnds2, of which SHA-256 needs 32
 * dependent ones for each 64 bytes.
 *
 * One chain waits for the result of each instruction, as one stream does. Two independent chains
 * show what two streams can gain at most, with any kernel.
 */
#include "bench/bench.h"
#include "kernel/kernel.h"

#include <immintrin.h>
#include <stdio.h>

enum { STEPS = 4096, CHAINS = 4 };

static volatile int sink; /* keeps the compiler from removing the chains */

/* STEPS instructions in each of n chains; n is a constant where this is inlined. */
static inline __attribute__((always_inline, target("sha,sse4.1"))) int
run_chains(int n, uint64_t times)
{
    __m128i chain[CHAINS];
    const __m128i words = _mm_set1_epi32(sink);
    for (int c = 0; c < n; c++)
        chain[c] = _mm_set1_epi32(c);
    for (uint64_t i = 0; i < times * STEPS; i++)
        for (int c = 0; c < n; c++)
            chain[c] = _mm_sha256rnds2_epu32(words, chain[c], words);
    for (int c = 0; c < n; c++)
        sink ^= _mm_cvtsi128_si32(chain[c]);
    return 0;
}

static __attribute__((target("sha,sse4.1"))) int
run_one(void *context, uint64_t times)
{
    (void)context;
    return run_chains(1, times);
}

static __attribute__((target("sha,sse4.1"))) int
run_two(void *context, uint64_t times)
{
    (void)context;
    return run_chains(2, times);
}

static __attribute__((target("sha,sse4.1"))) int
run_four(void *context, uint64_t times)
{
    (void)context;
    return run_chains(4, times);
}

int
bench_limit(const struct bench *bench)
{
    static const char *const ratios[] = {"one/two", "one/four", NULL};
    static const struct bench_contender contenders[] = {
        {"one", run_one, NULL, (double)STEPS},
        {"two", run_two, NULL, 2 * (double)STEPS},
        {"four", run_four, NULL, 4 * (double)STEPS}};
    struct bench_race race = {.bench = "limit",
                              .what = "sha256rnds2, chains",
                              .clock = bench_processor_ns,
                              .contenders = contenders,
                              .count = sizeof contenders / sizeof *contenders,
                              .ratios = ratios};
    if (duet__cpu() & DUET__CPU_SHA)
        return bench_race(bench, &race);
    fprintf(stderr, "bench: this processor has no SHA extensions\n");
    return 0;
}
