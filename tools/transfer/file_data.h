/*
 * Where a file has data, and where holes.
 */
#ifndef DUET_TOOL_FILE_DATA_H
#define DUET_TOOL_FILE_DATA_H

#include <stdint.h>
#include <sys/stat.h>

/** 1 when a file may have holes. */
int file_has_holes(const struct stat *status);

/** Where a file has data from `at` on, before `size`, and up to *end; both may be size. */
uint64_t file_next_data(int fd, uint64_t size, uint64_t at, uint64_t *end);

#endif
