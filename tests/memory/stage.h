/*
 * What the tests of wiped memory share: steps that run on a stack of their own, secrets that differ
 * from all else, and what is asserted of the scan.
 */
#ifndef TESTS_MEMORY_STAGE_H
#define TESTS_MEMORY_STAGE_H

#include "memory/scan.h"

/** Begin without needles, with a fresh stack; and end. */
void stage_begin(void);
void stage_end(void);

/** Another stack for the next step: what is on the one before is of no interest. */
void stage_clear(void);

/** Run a step on the stack that is kept for it, which is scanned with the rest afterwards. */
void stage_run(void (*step)(void));

/** Every secret differs from every other, and from what else is in memory; only one of more than 32
 * bytes, W, is the same each time. */
void stage_random(void *memory, size_t size);

void assert_there(const char *name);
void assert_gone(const char *name); /**< NULL: all needles */

/** There are exactly n copies: n times as many pieces as the needles of that name have. */
void assert_copies(const char *name, unsigned n);

#endif
