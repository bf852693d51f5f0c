/*
 * Ranges of a large file at the receiving end: which of them are written (docs/transfer.md).
 *
 * Streams write to the file at the same time, each its own range. The first stream, which alone
 * begins and ends files, opens the map for one and closes it; it then waits for those that write.
 */
#ifndef DUET_TOOL_RANGE_MAP_H
#define DUET_TOOL_RANGE_MAP_H

#include "carrier.h"

#include <pthread.h>

enum map_state {
    MAP_EMPTY, /* no file was started */
    MAP_OPEN,
    MAP_CLOSED /* what comes for the file is dropped */
};

struct range_map {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum map_state state;
    uint32_t start; /* the START that began it: the number of those before */
    int fd;
    uint64_t from, size; /* its content from one to the other comes in ranges */
    uint64_t count;      /* ranges */
    uint64_t base;       /* all before this one are written */
    uint64_t bits;       /* bit n: range base + n is written */
    unsigned writers;    /* streams that write now */
    int used;            /* 1: a range has come */
    int error;           /* errno of a range that could not be written */
    uint64_t moved;      /* bytes of DATA in ranges that are written */
};

/** The range that a stream receives. */
struct range_in {
    int active;
    uint32_t start;
    uint64_t from, at, end; /* bytes of the file */
    uint64_t moved;         /* bytes of DATA */
    int dropped;            /* 1: it is not written */
    int again;              /* 1: all of it had come before, on a stream that was lost */
    uint64_t reported;      /* bytes of it that the progress counts */
};

/** Returns 0, or -1. */
int range_map_init(struct range_map *map);
void range_map_free(struct range_map *map);

/** Content of a file comes, from an offset on. fd -1: it is dropped. */
void range_map_open(struct range_map *map, uint32_t start, int fd, uint64_t from, uint64_t size);

/** Nothing is written any more. Returns 0 when all ranges are; -1: not all, with errno where one
 * could not be written, else 0. */
int range_map_close(struct range_map *map);

/** 1 when a range of the file under way has come. */
int range_map_is_used(struct range_map *map);

/** A range begins: start(4) ‖ offset(8) ‖ size(4). waits 1: its file may not be started yet.
 * Returns 0; -1: it makes no sense, or the worker of the carrier has to end. */
int range_in_begin(struct range_map *map, struct range_in *in, struct fields *fields,
                   struct carrier *carrier, int waits);

/** Content of a range; bytes NULL: a hole. Returns 1 when the range is complete, 0, or -1: it makes
 * no sense. */
int range_in_add(struct range_map *map, struct range_in *in, const uint8_t *bytes, uint64_t size);

/** What to add to the progress for a range, modulo 2^64: negative where bytes that it counted do
 * not count after all, as they come again, came before or are not written. lost 1: its stream
 * ended. */
uint64_t range_in_progress(struct range_in *in, int lost);

/** A range is complete: report it to the sender. Returns 0, or -1: the worker has to end. */
int range_in_report(const struct range_in *in, struct carrier *carrier);

#endif
