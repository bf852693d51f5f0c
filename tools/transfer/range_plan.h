/*
 * How the sending end shares out a large file among the streams of a transfer: in ranges, of which
 * each stream takes the next one when it has room (docs/transfer.md).
 *
 * A range is taken, sent, and reported as written by the receiver. Only TRANSFER_RANGES_AHEAD
 * ranges from the first unwritten one on are shared out, so that all of a file is there up to that
 * many ranges before the end of what is there. The ranges of a stream that is lost are taken again.
 *
 * A stream that has become slow must not have many ranges in its buffers when the others are done,
 * so a stream gets more at a time only while they are written within half a second.
 */
#ifndef DUET_TOOL_RANGE_PLAN_H
#define DUET_TOOL_RANGE_PLAN_H

#include "carrier.h"
#include "limiter.h"

#include <pthread.h>
#include <sys/stat.h>

enum range_state { RANGE_OPEN, RANGE_TAKEN, RANGE_WRITTEN };

struct range_plan {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* the file under way */
    int fd;              /* -1: none */
    uint32_t start;      /* the START that began it: the number of those before */
    uint64_t from, size; /* its content from one to the other is shared out */
    int sparse;          /* 1: it has holes */
    uint64_t count;      /* ranges */
    uint64_t base;       /* all before this one are written */
    struct {
        enum range_state state;
        unsigned stream;             /* that has taken it */
        uint64_t since;              /* duet__os_now_ms(), when it was taken */
        uint32_t moved;              /* bytes of DATA that were sent for it; its stream's own */
    } window[TRANSFER_RANGES_AHEAD]; /* of range n: n % TRANSFER_RANGES_AHEAD */
    unsigned taken;                  /* ranges that are taken and not written */
    uint64_t moved;                  /* bytes of DATA in ranges that are written */
    unsigned most[TRANSFER_STREAMS_MOST]; /* ranges that a stream may have taken at a time */
    int cancelled;                        /* 1: no more of it is sent */
    int status, error;                    /* enum done_status; errno of a source that failed */
    /* of the transfer */
    int ended; /* 1: no file follows */
};

/** A range that a stream has taken. */
struct range {
    uint32_t start;
    unsigned stream;
    uint64_t number, at, end; /* bytes of the file from at to end */
};

/** Returns 0, or -1. */
int range_plan_init(struct range_plan *plan);
void range_plan_free(struct range_plan *plan);

/** Share out a file from an offset on. */
void range_plan_begin(struct range_plan *plan, uint32_t start, int fd, const struct stat *status,
                      uint64_t from);

/** The file is over: nothing of it is used any more. Returns the bytes of DATA that are written. */
uint64_t range_plan_finish(struct range_plan *plan);

/** Take the next range. Returns 1; 0: none can be taken now; -1: none will come any more. */
int range_plan_take(struct range_plan *plan, unsigned stream, struct range *range);

/** Send a range on a stream. Returns 0; -1: the worker has to end. */
int range_plan_send(struct range_plan *plan, struct carrier *carrier, struct limiter *limiter,
                    const struct range *range);

/** What the peer reports: start(4) ‖ offset(8) ‖ status(1). *size: bytes of the file that are
 * written by that. Returns 0; -1: it makes no sense. */
int range_plan_written(struct range_plan *plan, unsigned stream, struct fields *fields,
                       uint64_t *size);

/** 1 when a stream has ranges whose report is due. */
int range_plan_waits(struct range_plan *plan, unsigned stream);

/** A stream is lost: others take its ranges. */
void range_plan_lose(struct range_plan *plan, unsigned stream);

/** Send no more of the file; status: enum done_status, where it is not known already. */
void range_plan_cancel(struct range_plan *plan, int status, int error);

/** 1 when all is written, or what was taken is settled after range_plan_cancel(). */
int range_plan_is_over(struct range_plan *plan);

/** Wait for a change, a fifth of a second at most. */
void range_plan_wait(struct range_plan *plan);

/** No file follows: range_plan_take() returns -1 from now on. */
void range_plan_end(struct range_plan *plan);

#endif
