/*
 * The hash by which two ends compare what one of them has.
 */
#ifndef DUET_TOOL_CONTENT_HASH_H
#define DUET_TOOL_CONTENT_HASH_H

#include "format.h"

/** SHA-256 of a file's first size bytes; its position is not moved. Returns 0, or -1. */
int hash_prefix(uint8_t hash[TRANSFER_HASH], int fd, uint64_t size);

#endif
