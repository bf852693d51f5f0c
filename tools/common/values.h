/*
 * Numbers and times as text: what options, settings and addresses are made of.
 */
#ifndef DUET_TOOL_VALUES_H
#define DUET_TOOL_VALUES_H

#include <stdint.h>

/** A time as milliseconds: seconds with a fraction, or a number with a unit (ms, s, m, h).
 * Returns 0, or -1. */
int parse_seconds(int *ms, const char *text);

/** A number of bytes, with k, M, G or T for powers of 1,024. Returns 0, or -1. */
int parse_size(uint64_t *bytes, const char *text);

/** A decimal number from least to most. Returns 0, or -1. */
int parse_number(uint64_t *number, const char *text, uint64_t least, uint64_t most);

#endif
