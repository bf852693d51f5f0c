/*
 * How far a transfer is, in bytes that the peer has verified: a line on a terminal, a line every
 * ten seconds elsewhere, JSON, or nothing.
 */
#ifndef DUET_TOOL_PROGRESS_H
#define DUET_TOOL_PROGRESS_H

#include "options.h"

struct progress {
    enum progress_style style;
    char name[64];     /* of the file under way, made harmless */
    uint64_t verified; /* bytes of it */
    uint64_t total;    /* bytes of it; UINT64_MAX: unknown */
    uint64_t begun_ms; /* the transfer */
    uint64_t skipped;  /* bytes of this file that were there before */
    uint64_t file_ms;  /* the file */
    uint64_t shown_ms; /* the last line */
    uint64_t moved_ms; /* the last byte */
    uint64_t bytes;    /* of all files, moved in this transfer */
    uint64_t there;    /* of all files, there already and found equal */
    uint64_t files;
    int open; /* 1: a line on the terminal is to be ended */
};

/** Begin, in the style that --progress asks for. */
void progress_begin(struct progress *progress, const struct options *options);

void progress_file(struct progress *progress, const char *name, uint64_t total, uint64_t skipped);
void progress_move(struct progress *progress, uint64_t verified);
void progress_tick(struct progress *progress);

/** End the terminal's line, so that another message begins a new one. */
void progress_break(struct progress *progress);

/** The last line: size, time, rate, receipt. json 1: to standard output as JSON. */
void progress_end(struct progress *progress, const char *receipt, const struct options *options);

#endif
