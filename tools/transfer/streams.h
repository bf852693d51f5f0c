/*
 * The further streams of a transfer (docs/transfer.md): connections beside the first one, each a
 * session of its own, which carry ranges of large files.
 *
 * The end that connected to the other connects again, to the same address; the end that listens
 * goes on listening until all have come. Each end proves on each stream that it holds the token
 * that the sender drew for this transfer. A stream that ends early is no failure: the others go on.
 */
#ifndef DUET_TOOL_STREAMS_H
#define DUET_TOOL_STREAMS_H

#include "carrier.h"

#include <pthread.h>

enum {
    STREAM_PROOF = 32,      /* bytes */
    STREAM_JOIN_MS = 20000, /* how long a stream may take to come to be */
    STREAMS_ACCEPTED = 8    /* by a receiver that was given no number */
};

enum stream_state {
    STREAM_FREE,
    STREAM_OPENING, /* no peer yet, or one that has proved nothing */
    STREAM_JOINED,
    STREAM_WHOLE, /* both ends have closed it */
    STREAM_LOST
};

struct streams;

/** One of them. Its carrier's context is the stream. */
struct stream {
    struct streams *all;
    struct carrier carrier;
    pthread_t thread;
    int started; /* 1: the thread has to be joined */
    enum stream_state state;
    unsigned number;               /* from 1 on; 0: not known yet */
    int stop[2];                   /* a pipe: readable once the stream has to end */
    uint8_t binding[STREAM_PROOF]; /* exported from its session */
};

struct streams {
    struct carrier *first; /* the first stream's */
    unsigned count;        /* that both ends agreed on, the first one included; 0 or 1: no others */
    uint8_t token[TRANSFER_TOKEN];
    int (*work)(void *stream);              /* the worker of each. Returns an exit code */
    void (*on_lost)(struct stream *stream); /* NULL, or what is called when one is lost */
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct stream list[TRANSFER_STREAMS_MOST]; /* list[0] is not used: the first stream */
    pthread_t acceptor;                        /* where this end listens */
    int accepting;                             /* 1: the acceptor has to be joined */
    int stop[2];                               /* the acceptor's */
    int stopped;                               /* 1: no further ones */
    int left_behind; /* 1: a worker did not end in time: release nothing */
};

/** Make it ready, without any stream. Returns 0, or -1. */
int streams_init(struct streams *streams, struct carrier *first, int (*work)(void *stream),
                 void *context);

/** Draw the token. Returns 0, or -1: no randomness. */
int streams_draw(struct streams *streams);

/** Open count - 1 further streams. */
void streams_start(struct streams *streams, unsigned count);

/** 1 when further streams were agreed on, and not all of them are lost. */
int streams_are_there(struct streams *streams);

void stream_set_state(struct stream *stream, enum stream_state state);

/** Prove and check, in a stream's worker: the first messages of either end. The sender gives the
 * number. Returns 0, or -1. */
int stream_join(struct stream *stream);

/** Cut those whose number is not among these: the sender has given them up. */
void streams_keep(struct streams *streams, const uint8_t *numbers, size_t count);

/** No range follows: wait until every stream that has joined is over. numbers[]: of those that
 * ended whole, in order; returns how many. */
unsigned streams_end(struct streams *streams, uint8_t numbers[TRANSFER_STREAMS_MOST]);

/** Cut what is left, and wait for the threads. */
void streams_stop(struct streams *streams);

/** Release all of it, after streams_stop(). */
void streams_free(struct streams *streams);

/** The receipt over all: in place of the first stream's in its carrier, where count further ones
 * have a part in it. Returns 0; -1: one of them has none. */
int streams_receipt(struct streams *streams, const uint8_t *numbers, size_t count);

#endif
