/*
 * Trying again: --retry of send and recv, and recv --keep.
 */
#ifndef DUET_TOOL_RETRY_H
#define DUET_TOOL_RETRY_H

#include "options.h"

/** Run `once` until it succeeds, fails for good, or --retry's tries are used up; with --keep, run
 * it again after each end. A try that met silence is followed by one with the next one-time secret.
 * Returns the last exit code. */
int retry_run(struct options *options, int (*once)(void *context, const char *address),
              void *context, const char *address);

#endif
