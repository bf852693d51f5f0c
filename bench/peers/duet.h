/*
 * What the duet peers and carriers share: configurations, and a pair of sessions over memory.
 */
#ifndef BENCH_PEERS_DUET_H
#define BENCH_PEERS_DUET_H

#include <duet/duet.h>

enum { BENCH_DUET_ENDS = 2 };

struct bench_duet_pair {
    duet_session *end[BENCH_DUET_ENDS]; /* [DUET_TOP] is the near one */
    uint8_t *wire;                      /* a frame; taken by the first message */
};

/** Where a pair's frames go, PEER_MESSAGE_MOST bytes of payload at most. NULL: no memory. */
uint8_t *bench_duet_wire(struct bench_duet_pair *pair);

/** What a session's handshake uses. */
struct bench_duet_variety {
    enum duet_pattern pattern;
    int hybrid; /* 1: ML-KEM-768 too, always */
};

extern const struct bench_duet_variety bench_duet_ephemeral;

/** A configuration with one secret, the same in each, and an identity where the pattern wants
 * one. NULL: failed. */
duet_config *bench_duet_new_config(const struct bench_duet_variety *variety);

/** The configuration of an end of this variety, made once. NULL: failed. */
duet_config *bench_duet_config(const struct bench_duet_variety *variety, enum duet_role role);

#endif
