/*
 * The receiving end of a transfer (docs/transfer.md). cmd_recv.c sets it up from the options.
 */
#ifndef DUET_TOOL_RECEIVER_H
#define DUET_TOOL_RECEIVER_H

#include "carrier.h"
#include "range_map.h"
#include "store.h"
#include "streams.h"

enum { RECEIVER_WINDOW = TRANSFER_WINDOW + 1 };

struct receiver {
    struct carrier carrier;
    struct store store;
    struct store_item
        items[RECEIVER_WINDOW];           /* the offer of index i is in place i % RECEIVER_WINDOW */
    uint32_t offers;                      /* the next one's index */
    uint32_t oldest;                      /* all before it are settled, or in the group */
    uint32_t first;                       /* all before it are settled */
    struct store_item *current;           /* whose content comes; NULL */
    uint64_t moved;                       /* bytes of DATA that were written, but for ranges */
    struct streams streams;               /* the further ones */
    unsigned most_streams;                /* --streams */
    uint32_t starts;                      /* START messages that came */
    struct range_map map;                 /* of the file whose content comes */
    struct range_in range;                /* that comes on the first stream */
    uint8_t whole[TRANSFER_STREAMS_MOST]; /* further streams that have a part in the receipt */
    unsigned whole_count;
    uint64_t acked, acked_ms;
    uint32_t refused;
    int begun, ended; /* BEGIN, END came */
    int stopped;      /* 1: a message could not be put */
};

/** The worker of a carrier, whose context is the receiver. Returns an exit code. */
int receiver_work(void *context);

/** What the store calls when an item of a group is settled. */
void receiver_on_settled(void *context, struct store_item *item, int how);
int receiver_is_stopped(void *context);

/** Make it ready. It is all zeros but for what the options say. Returns 0, or -1. */
int receiver_init(struct receiver *receiver);

/* ---- receiver_stream.c ---- */

/** Answer BEGIN: with how many streams this end takes part, where some are offered. Returns 0, or
 * -1: the rest of the message makes no sense. */
int receiver_answer_begin(struct receiver *receiver, struct fields *fields, int offered);

/** A range comes on the first stream; its content, bytes NULL: a hole. Each returns 0, or -1: it
 * makes no sense. */
int receiver_range(struct receiver *receiver, struct fields *fields);
int receiver_range_content(struct receiver *receiver, const uint8_t *bytes, uint64_t size);

/** What came of the current file in ranges is all. Returns 0; -1: it could not be written. */
int receiver_end_ranges(struct receiver *receiver, struct store_item *item);

/** The worker of a further stream, whose streams' context is the receiver. */
int receiver_stream_work(void *context);

/** Release all of it; what the store changed for its time is restored. */
void receiver_free(struct receiver *receiver);

#endif
