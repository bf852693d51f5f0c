/*
 * What failed lately: targets, and addresses of their names. They are tried after the others for a
 * while, so that not every connection waits for the same dead machine.
 */
#ifndef DUET_TUNNEL_FAILURES_H
#define DUET_TUNNEL_FAILURES_H

#include <stddef.h>
#include <stdint.h>

enum { FAILURES_MOST = 64, FAILURES_MS = 30000 };

/** The last failures; all zero at first. Names are remembered by a hash: two that are taken for the
 * same are merely tried in another order. */
struct failures {
    struct failure {
        uint64_t hash;
        uint64_t end_ms; /* until when it is remembered */
    } entries[FAILURES_MOST];
};

/** The hash of a name: bytes, on top of another hash (0: none). */
uint64_t failures_hash(uint64_t seed, const void *bytes, size_t size);

/** The hash of a tunnel's target. */
uint64_t failures_target(const char *tunnel, const char *address);

void failures_add(struct failures *failures, uint64_t hash, uint64_t now_ms);
void failures_forget(struct failures *failures, uint64_t hash);
int failures_has(const struct failures *failures, uint64_t hash, uint64_t now_ms);

#endif
