/*
 * duet-bench: measures duet and other libraries on this machine and prints the figures.
 *
 *   duet-bench [--quick] [--json | --tsv] [NAME...]
 *   duet-bench --list
 *
 * NAME is one of --list; kernel, frame and handshake by default. The contenders are the libraries
 * that were found when it was built. scripts/bench runs all of it; docs/performance.md explains the
 * rows.
 */
#include "bench/bench.h"
#include "bench/report.h"

#include <duet/duet.h>
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

/* Beside the others, where libcrypto has ML-KEM-768. */
static const struct peer *const hybrid_peers[] = {
    &peer_duet_hybrid,
    &peer_duet_identity_hybrid,
    &peer_libssl_hybrid,
    &peer_libssl_psk_hybrid,
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
    const struct peer *peers[BENCH_CONTENDERS_MOST + 1] = {NULL};
    size_t count = 0;
    for (; handshake_peers[count] != NULL; count++)
        peers[count] = handshake_peers[count];
    for (size_t i = 0; duet_has_hybrid() && hybrid_peers[i] != NULL; i++)
        peers[count++] = hybrid_peers[i];
    return bench_handshake(bench, peers);
}

static int
run_memory(const struct bench *bench)
{
    return bench_memory(bench, memory_peers);
}

static const struct {
    const char *name;
    int (*run)(const struct bench *bench);
    int by_default;
} benches[] = {
#if BENCH_LIMIT
    {"limit", bench_limit, 0},
#endif
    {"kernel", bench_kernel, 1}, {"frame", run_frame, 1},       {"handshake", run_handshake, 1},
    {"memory", run_memory, 0},   {"channel", bench_channel, 0},
};

enum { BENCHES = sizeof benches / sizeof *benches };

static int
list(void)
{
    for (size_t i = 0; i < BENCHES; i++)
        puts(benches[i].name);
    return 0;
}

static int
usage(const char *argument)
{
    if (argument != NULL)
        fprintf(stderr, "duet-bench: %s: no such benchmark or option\n", argument);
    fputs("Usage: duet-bench [--quick] [--json | --tsv] [NAME...]\n"
          "       duet-bench --list\n",
          argument != NULL ? stderr : stdout);
    return argument != NULL ? 2 : 0;
}

/** The benchmark's place; BENCHES: there is none of this name. */
static size_t
find_bench(const char *name)
{
    size_t i = 0;

    while (i < BENCHES && strcmp(name, benches[i].name) != 0)
        i++;
    return i;
}

static int
run_all(const struct bench *bench, const unsigned char *wanted, int any)
{
    for (size_t i = 0; i < BENCHES; i++)
        if ((any ? wanted[i] : benches[i].by_default) && benches[i].run(bench) != 0)
            return 1;
    if (report_end() == 0)
        return 0;
    perror("duet-bench: standard output");
    return 1;
}

int
main(int argc, char **argv)
{
    struct bench bench = {.rounds = ROUNDS, .slice_ns = SLICE_NS, .take = report_row};
    enum report_format format = REPORT_TABLES;
    unsigned char wanted[BENCHES] = {0};
    int any = 0;

    for (int i = 1; i < argc; i++) {
        size_t name = find_bench(argv[i]);
        if (name < BENCHES) {
            wanted[name] = 1;
            any = 1;
        } else if (strcmp(argv[i], "--quick") == 0) {
            bench.rounds = QUICK_ROUNDS;
            bench.slice_ns = QUICK_SLICE_NS;
        } else if (strcmp(argv[i], "--json") == 0) {
            format = REPORT_JSON;
        } else if (strcmp(argv[i], "--tsv") == 0) {
            format = REPORT_TSV;
        } else if (strcmp(argv[i], "--list") == 0) {
            return list();
        } else {
            return usage(strcmp(argv[i], "--help") == 0 ? NULL : argv[i]);
        }
    }
    signal(SIGPIPE, SIG_IGN);
    if (duet_init() != DUET_OK) {
        fputs("duet-bench: libcrypto has no AES-256-CTR or AES-256-GCM\n", stderr);
        return 1;
    }
    report_begin(format);
    return run_all(&bench, wanted, any);
}
