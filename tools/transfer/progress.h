/*
 * How far a transfer is, in bytes that the peer has verified: a line on a terminal, a line every
 * ten seconds elsewhere, JSON, or nothing. Any thread may call it.
 */
#ifndef DUET_TOOL_PROGRESS_H
#define DUET_TOOL_PROGRESS_H

#include "options.h"

#include <pthread.h>

struct progress {
    enum progress_style style;
    char name[64];                     /* of the file under way, made harmless */
    uint64_t total_files, total_bytes; /* of the whole transfer; 0: not known */
    uint64_t running;                  /* bytes that moved, those of files under way included */
    uint64_t beside;                   /* of these, in ranges */
    uint64_t files;                    /* that are stored */
    uint64_t bytes;                    /* of these that moved in this transfer */
    uint64_t there;                    /* of these that were there already and are equal */
    uint64_t begun_ms;                 /* the transfer */
    uint64_t shown_ms;                 /* the last line */
    uint64_t moved_ms;                 /* the last byte */
    int open;                          /* 1: a line on the terminal is to be ended */
    pthread_mutex_t lock;
};

/** Begin, in the style that --progress asks for. */
void progress_begin(struct progress *progress, const struct options *options);

/** What the whole transfer has. */
void progress_total(struct progress *progress, uint64_t files, uint64_t bytes);

/** The file under way. */
void progress_name(struct progress *progress, const char *name);

/** Make one that shows nothing. */
void progress_silent(struct progress *progress);

/** More bytes of ranges moved, on any stream. */
void progress_beside(struct progress *progress, uint64_t bytes);

/** Bytes that moved so far, of all files, outside of ranges. */
void progress_moved(struct progress *progress, uint64_t running);

/** A file is stored: bytes that moved, and bytes that were there. */
void progress_stored(struct progress *progress, uint64_t bytes, uint64_t there);

/** Show how far it is, where it is time to. */
void progress_tick(struct progress *progress);

/** End the terminal's line, so that another message begins a new one. */
void progress_break(struct progress *progress);

/** The last line: size, time, rate, receipt. With --json to standard output as JSON. */
void progress_end(struct progress *progress, const char *receipt, const struct options *options);

#endif
