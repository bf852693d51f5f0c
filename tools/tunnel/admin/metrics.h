/*
 * Metrics in Prometheus' text format, and the file for node_exporter that holds them.
 */
#ifndef DUET_TUNNEL_METRICS_H
#define DUET_TUNNEL_METRICS_H

#include "view.h"

#include <stdio.h>

/** Write the text: a line for each tunnel with the sum of all workers, and one for each worker. */
void metrics_put(FILE *out, const struct admin_view *view);

/** Write it into a file, as a whole or not at all: under another name first. Returns 0, or -1 with
 * errno; EEXIST: something else than a file is there. */
int metrics_write(const char *path, const struct admin_view *view);

struct metrics;

/** Write the service's metrics into a file, now and each interval_ms; a failure is logged once
 * until it is over. Returns an exit code; *metrics is NULL unless it is EXIT_DONE. */
int metrics_start(struct metrics **metrics, struct admin_view *view, const char *path,
                  int interval_ms);

/** Write a last time, and stop; the loop releases it. NULL is fine. */
void metrics_stop(struct metrics *metrics);

/** The same without writing: the file is another process's now. */
void metrics_leave(struct metrics *metrics);

#endif
