/*
 * Measures handshakes: both ends of a connection are created, shake hands and are freed; and counts
 * the bytes and flights on the wire.
 */
#include "bench/bench.h"

#include <stdio.h>
#include <string.h>

static const char *const ratios[] = {"libssl/duet",
                                     "libssl/duet-identity",
                                     "libssl/duet-secret",
                                     "libssl-psk/duet",
                                     "gnutls/duet",
                                     "libssl-hybrid/duet-hybrid",
                                     "libssl-hybrid/duet-identity-hybrid",
                                     "libssl-psk-hybrid/duet-hybrid",
                                     "duet-hybrid/duet",
                                     NULL};

struct work {
    const struct peer *peer;
};

static int
initiate(void *context, uint64_t times)
{
    const struct peer *peer = ((const struct work *)context)->peer;
    for (uint64_t i = 0; i < times; i++) {
        void *pair = peer->open(peer, NULL);
        if (pair == NULL)
            return -1;
        peer->close(pair);
    }
    return 0;
}

/* Shake hands once, and count what is on the wire. */
static int
count_once(const struct peer *peer, double *bytes, double *flights)
{
    struct peer_wire wire = {0};
    void *pair = peer->open(peer, &wire);
    if (pair == NULL) {
        fprintf(stderr, "bench: %s: could not be set up\n", peer->name);
        return -1;
    }
    peer->close(pair);
    *bytes = (double)wire.bytes;
    *flights = wire.flights;
    return 0;
}

/* Several times, as duet pads at random, and signatures differ by a few bytes. */
static int
count_wire(const struct bench *bench, const struct peer *const *peers, const char *unit)
{
    double bytes[BENCH_ROUNDS_MOST], flights[BENCH_ROUNDS_MOST];
    struct bench_row row = {.bench = "handshake", .what = "wire", .unit = unit};
    for (; *peers != NULL; peers++) {
        for (unsigned i = 0; i < bench->rounds; i++)
            if (count_once(*peers, &bytes[i], &flights[i]) != 0)
                return -1;
        row.contender = (*peers)->name;
        bench_series(bench, &row, strcmp(unit, "bytes") == 0 ? bytes : flights);
    }
    return 0;
}

int
bench_handshake(const struct bench *bench, const struct peer *const *peers)
{
    struct bench_contender contenders[BENCH_CONTENDERS_MOST];
    struct work works[BENCH_CONTENDERS_MOST];
    size_t count = 0;
    if (count_wire(bench, peers, "bytes") != 0 || count_wire(bench, peers, "flights") != 0)
        return -1;
    for (; peers[count] != NULL && count < BENCH_CONTENDERS_MOST; count++) {
        works[count].peer = peers[count];
        contenders[count] = (struct bench_contender){
            .name = peers[count]->name, .run = initiate, .context = &works[count]};
    }
    struct bench_race race = {.bench = "handshake",
                              .what = "both ends",
                              .clock = bench_processor_ns,
                              .contenders = contenders,
                              .count = count,
                              .ratios = ratios};
    return bench_race(bench, &race);
}
