/*
 * --limit: so many bytes of content a second, over all streams of a transfer.
 */
#ifndef DUET_TOOL_LIMITER_H
#define DUET_TOOL_LIMITER_H

#include "carrier.h"

struct limiter {
    pthread_mutex_t lock;
    uint64_t rate; /* bytes a second; 0: no limit */
    uint64_t begun_ms, sent;
};

/** Returns 0, or -1. */
int limiter_init(struct limiter *limiter, uint64_t rate);
void limiter_free(struct limiter *limiter);

/** Wait until more may be sent. Returns 0, or -1: the worker has to end. */
int limiter_keep(struct limiter *limiter, struct carrier *carrier);

/** So many bytes were sent. */
void limiter_count(struct limiter *limiter, uint64_t bytes);

#endif
