/*
 * The carrier of a transfer: one thread moves messages between the channel and two queues, another
 * does the work, which may wait for a disk as long as it likes.
 *
 * The wire's thread is the one that runs the program. It alone uses the channel, gives a sign of
 * life each second, and notices signals, time-outs and the peer's end. The worker is a function of
 * cmd_send.c or cmd_recv.c; it takes and puts messages (format.h) and knows no channel.
 */
#ifndef DUET_TOOL_CARRIER_H
#define DUET_TOOL_CARRIER_H

#include "format.h"
#include "link.h"
#include "progress.h"

#include <pthread.h>

enum {
    CARRIER_BLOCKS = 3,                                       /* of each queue */
    CARRIER_BLOCK = 4 * TRANSFER_DATA_MOST,                   /* bytes of messages in a block */
    CARRIER_LIST = 1024,                                      /* messages in a block */
    CARRIER_ASSEMBLY = TRANSFER_DATA_MOST + TRANSFER_MESSAGE, /* bytes of a message in parts */
    CARRIER_TICK_MS = 1000                                    /* a sign of life at least so often */
};

/** Messages one after the other, sealed or received by one call. */
struct carrier_block {
    uint8_t *bytes;     /* CARRIER_BLOCK */
    duet_message *list; /* CARRIER_LIST; their data lies in bytes */
    size_t used, count; /* bytes, messages */
    size_t done;        /* messages that were sent, or taken */
};

/** A ring of blocks, guarded by the carrier's lock. The first `count` from `first` on are full. */
struct carrier_queue {
    struct carrier_block blocks[CARRIER_BLOCKS];
    unsigned first, count;
};

struct carrier {
    const struct options *options;
    int sends;  /* 1: this end sends the files */
    int beside; /* 1: a further stream of a transfer, which reports nothing by itself */
    /** The work, in a thread of its own. Returns an exit code. */
    int (*work)(void *context);
    /** NULL, or what takes messages while carrier_put() waits for room. It puts nothing. */
    void (*on_message)(void *context, const duet_message *message);
    void *context;
    struct progress progress;

    struct link link;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* for the worker */
    int wake[2], stop[2];   /* pipes: wake the wire's thread; readable once the worker has to end */
    struct carrier_queue in, out;
    /* guarded by lock */
    int stopped;  /* 1: the worker has to end */
    int ending;   /* 1: close our direction when the queue is empty */
    int finished; /* 1: the worker has returned; code is what */
    int closed;   /* 1: the peer has closed, and all it sent is in the queue */
    int polling;  /* 1: the wire's thread is in poll() */
    int code;
    char receipt[2 * DUET_RECEIPT_SIZE + 1]; /* of the sender's direction; "" before its end */
    /* of the wire's thread */
    int result;      /* of the library: what ended the channel; DUET_OK: nothing did */
    int left_behind; /* 1: the worker did not end in time and may use all of it: release nothing */
    int our_end;     /* 1: our CLOSE is written */
    size_t part;     /* bytes that were sent of a message that takes several frames */
    uint64_t sent_ms, heard_ms, wrote_ms; /* wrote_ms: the wire took something */
    /* of the worker */
    struct carrier_block *filling; /* of the queue out: the one that has room */
    int waiting;                   /* 1: within on_message() */
    uint8_t *assembly;             /* the parts of a message of several frames */
    size_t assembled;
    int complete; /* 1: the receipt covers all that was to be sent */
};

/** Reach the peer, run the work, and print the outcome. address: NULL where the options name
 * another way. Returns an exit code. */
int carrier_run(struct carrier *carrier, const char *address);

/** The same on a link that is open: run the work until it ends. */
int carrier_carry(struct carrier *carrier);

/* ---- For the worker ---- */

/** Put a message into the queue; waits for room. Returns 0; -1: the worker has to end. */
int carrier_put(struct carrier *carrier, uint32_t code, const void *bytes, size_t size);

/** Room for TRANSFER_DATA_MOST bytes of a message, to be filled and put by carrier_add(). NULL: the
 * worker has to end. */
uint8_t *carrier_room(struct carrier *carrier);
void carrier_add(struct carrier *carrier, uint32_t code, size_t size);

/** Hand what was put to the wire's thread. carrier_take() does it before it waits. */
void carrier_push(struct carrier *carrier);

/** Take the next message; its bytes are there until the next call. ms: how long to wait for it;
 * negative: as long as it takes. Returns 1; 0: there is none; -1: none comes any more, or the
 * worker has to end. */
int carrier_take(struct carrier *carrier, duet_message *message, int ms);

/** Close our direction after what was put. */
void carrier_end(struct carrier *carrier);

/** 1 when the worker has to end. */
int carrier_stopped(struct carrier *carrier);

/** Wait for so many milliseconds, or until fd (-1: none) can be read. Returns 1 when it can be; 0;
 * -1: the worker has to end. */
int carrier_wait(struct carrier *carrier, int fd, int ms);

#endif
