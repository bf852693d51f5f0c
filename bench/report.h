/*
 * What duet-bench prints: tables for people, JSON or TSV for programs.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench/support/race.h"

enum report_format { REPORT_TABLES, REPORT_JSON, REPORT_TSV };

/** Begin a report on standard output. */
void report_begin(enum report_format wanted);

/** Add a row, as struct bench's `take`; context is ignored. TSV is printed at once. */
void report_row(void *context, const struct bench_row *row);

/** Print what is kept until the end. Returns 0, or -1: standard output failed. */
int report_end(void);

#endif
