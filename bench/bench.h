/*
 * The benchmarks: each measures duet and its peers in one run and reports its figures.
 *
 * Returns 0, or -1 when a contender failed or returned wrong bytes. docs/performance.md explains
 * each row of figures.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "bench/peers/peer.h"
#include "bench/support/race.h"

/** Every kernel that this processor can run, on groups alone, beside libcrypto's AES-256-CTR and
 * SHA-256. */
int bench_kernel(const struct bench *bench);

/** How many SHA-256 instructions the processor starts, dependent and independent; x86-64 alone. */
int bench_limit(const struct bench *bench);

/** Messages sealed at one end of a session and opened at the other. peers: up to NULL. */
int bench_frame(const struct bench *bench, const struct peer *const *peers);

/** Handshakes: the processor's time for both ends, the bytes and the flights. */
int bench_handshake(const struct bench *bench, const struct peer *const *peers);

/** Bytes on the heap for each established session, one end. */
int bench_memory(const struct bench *bench, const struct peer *const *peers);

/** Loopback TCP between two processes: bulk, messages, ping-pong. */
int bench_channel(const struct bench *bench);

#endif
