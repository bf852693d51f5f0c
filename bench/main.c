/*
 * duet-bench: runs the benchmarks that are named, or all, and prints their figures as TSV.
 *
 *   duet-bench [--quick] [NAME...]
 *   duet-bench --list
 *
 * Columns: bench, case, bytes of a message, contender, unit, median, lower and upper quartile,
 * rounds. Lines that begin with # tell the machine. Peers are those that were there to build with.
 */
#include "bench/bench.h"

#include <duet/duet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 25, QUICK_ROUNDS = 3 };
static const uint64_t SLICE_NS = 4000000, QUICK_SLICE_NS = 200000;

static const struct peer *const frame_peers[] = {
    &peer_duet,   &peer_duet_two, &peer_libssl, &peer_libssl_chacha20,
#if BENCH_GNUTLS
    &peer_gnutls,
#endif
#if BENCH_SODIUM
    &peer_sodium,
#endif
    NULL,
};

static const struct peer *const handshake_peers[] = {
    &peer_duet,   &peer_duet_identity, &peer_duet_secret, &peer_duet_channel,
    &peer_libssl, &peer_libssl_psk,
#if BENCH_GNUTLS
    &peer_gnutls,
#endif
    NULL,
};

static const struct peer *const memory_peers[] = {
    &peer_duet,   &peer_duet_identity, &peer_duet_channel,
    &peer_libssl, &peer_libssl_lean,   &peer_libssl_psk,
#if BENCH_GNUTLS
    &peer_gnutls,
#endif
    NULL,
};

static int
run_frame(const struct bench *bench)
{
    return bench_frame(bench, frame_peers);
}

static int
run_handshake(const struct bench *bench)
{
    return bench_handshake(bench, handshake_peers);
}

static int
run_memory(const struct bench *bench)
{
    return bench_memory(bench, memory_peers);
}

static const struct {
    const char *name;
    int (*run)(const struct bench *bench);
} benches[] = {
#if BENCH_LIMIT
    {"limit", bench_limit},
#endif
    {"kernel", bench_kernel}, {"frame", run_frame},       {"handshake", run_handshake},
    {"memory", run_memory},   {"channel", bench_channel},
};

enum { BENCHES = sizeof benches / sizeof *benches };

static void
print(void *context, const struct bench_row *row)
{
    (void)context;
    printf("%s\t%s\t%" PRIu64 "\t%s\t%s\t%.4g\t%.4g\t%.4g\t%u\n", row->bench, row->what, row->size,
           row->contender, row->unit, row->median, row->low, row->high, row->rounds);
    fflush(stdout);
}

static int
list(void)
{
    for (size_t i = 0; i < BENCHES; i++)
        puts(benches[i].name);
    return 0;
}

static int
is_named(const char *name, int argc, char **argv)
{
    int named = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return 1;
        named |= argv[i][0] != '-';
    }
    return !named;
}

static int
is_known(const char *argument)
{
    for (size_t i = 0; i < BENCHES; i++)
        if (strcmp(argument, benches[i].name) == 0)
            return 1;
    return strcmp(argument, "--quick") == 0;
}

int
main(int argc, char **argv)
{
    struct bench bench = {.rounds = ROUNDS, .slice_ns = SLICE_NS, .take = print};
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list();
    for (int i = 1; i < argc; i++) {
        if (!is_known(argv[i])) {
            fprintf(stderr, "bench: %s: no such benchmark or option\n", argv[i]);
            return 2;
        }
        if (strcmp(argv[i], "--quick") == 0) {
            bench.rounds = QUICK_ROUNDS;
            bench.slice_ns = QUICK_SLICE_NS;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    printf("# duet\t%s\n# kernel\t%s\n", duet_version(), duet_kernel_name());
    for (size_t i = 0; i < BENCHES; i++)
        if (is_named(benches[i].name, argc, argv) && benches[i].run(&bench) != 0)
            return 1;
    return 0;
}
