/*
 * Measures memory: the heap that many established sessions use at one end, 1,000 unless --quick, by
 * the allocator's own count, its headers included.
 *
 * The far ends and the buffers between are freed, so that the near ends are as with idle sockets.
 * The benchmark's own record of each pair is subtracted.
 */
#include "bench/bench.h"

#include <malloc.h>
#include <stdio.h>

enum { SESSIONS_A_ROUND = 40, SESSIONS_MOST = SESSIONS_A_ROUND * BENCH_ROUNDS_MOST };

static size_t
in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Set up so many pairs; returns how many there are, fewer if one failed. */
static size_t
set_up_pairs(const struct peer *peer, void **pairs, size_t most)
{
    size_t n = 0;
    for (; n < most; n++) {
        pairs[n] = peer->open(peer, NULL);
        if (pairs[n] == NULL)
            break;
        peer->drop_far(pairs[n]);
    }
    return n;
}

static int
measure_memory(const struct peer *peer, size_t sessions, double *bytes)
{
    static void *pairs[SESSIONS_MOST];
    size_t own = 0;
    size_t begin = in_use();
    size_t n = set_up_pairs(peer, pairs, sessions);
    size_t end = in_use();
    for (size_t i = 0; i < n; i++) {
        own += malloc_usable_size(pairs[i]) + sizeof(size_t);
        peer->close(pairs[i]);
    }
    *bytes = ((double)end - (double)begin - (double)own) / (double)sessions;
    return n == sessions ? 0 : -1;
}

static void
count_ratio(const struct bench *bench, const char *name, double bytes, double duet)
{
    char ratio[64];
    snprintf(ratio, sizeof ratio, "%s/duet", name);
    struct bench_row row = {.bench = "memory",
                            .what = "session",
                            .contender = ratio,
                            .unit = "ratio",
                            .median = bytes / duet};
    bench_count(bench, &row);
}

int
bench_memory(const struct bench *bench, const struct peer *const *peers)
{
    double duet = 0; /* of the first peer, which the others are compared with */
    for (size_t i = 0; peers[i] != NULL; i++) {
        double bytes;
        /* The first run pays for what is made once and for what the allocator caches. */
        if (measure_memory(peers[i], SESSIONS_A_ROUND, &bytes) != 0 ||
            measure_memory(peers[i], (size_t)SESSIONS_A_ROUND * bench->rounds, &bytes) != 0) {
            fprintf(stderr, "bench: %s: could not be set up\n", peers[i]->name);
            return -1;
        }
        struct bench_row row = {.bench = "memory",
                                .what = "session",
                                .contender = peers[i]->name,
                                .unit = "bytes",
                                .median = bytes};
        bench_count(bench, &row);
        if (i == 0)
            duet = bytes;
        else
            count_ratio(bench, peers[i]->name, bytes, duet);
    }
    return 0;
}
