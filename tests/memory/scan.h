/*
 * A scan of this process's memory for bytes that should be nowhere: every mapping that can be
 * written, dead stacks and freed blocks included.
 *
 * Needles are kept masked, so that the list of them is not what is found.
 */
#ifndef TESTS_MEMORY_SCAN_H
#define TESTS_MEMORY_SCAN_H

#include <stddef.h>
#include <stdint.h>

/** Look for size bytes at p from now on, in pieces of 16; size: 16 to 2,048, a multiple of 16. */
void scan_add(const char *name, const void *p, size_t size);

/** Forget all needles. */
void scan_forget(void);

/** How many pieces the needles of that name have. */
unsigned scan_pieces(const char *name);

/** How many pieces of the needles of that name (NULL: of any) are somewhere; each place is printed on
 * standard error when `tell` is set. */
unsigned scan_count(const char *name, int report);

#endif
