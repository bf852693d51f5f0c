/*
 * The receiving end of a transfer (docs/transfer.md). cmd_recv.c sets it up from the options.
 */
#ifndef DUET_TOOL_RECEIVER_H
#define DUET_TOOL_RECEIVER_H

#include "carrier.h"
#include "store.h"

enum { RECEIVER_WINDOW = TRANSFER_WINDOW + 1 };

struct receiver {
    struct carrier carrier;
    struct store store;
    struct store_item
        items[RECEIVER_WINDOW]; /* the offer of index i is in place i % RECEIVER_WINDOW */
    uint32_t offers;            /* the next one's index */
    uint32_t oldest;            /* all before it are settled, or in the group */
    uint32_t first;             /* all before it are settled */
    struct store_item *current; /* whose content comes; NULL */
    uint64_t moved;             /* bytes of DATA that were written */
    uint64_t acked, acked_ms;
    uint32_t refused;
    int begun, ended; /* BEGIN, END came */
    int stopped;      /* 1: a message could not be put */
};

/** The worker of a carrier, whose context is the receiver. Returns an exit code. */
int receiver_work(void *context);

/** What the store calls when an item of a group is settled. */
void receiver_on_settled(void *context, struct store_item *item, int how);

/** Release all of it; what the store changed for its time is restored. */
void receiver_free(struct receiver *receiver);

#endif
