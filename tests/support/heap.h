/*
 * Counts what is allocated, in place of asking the system how much memory is resident: that depends
 * on the kernel, its pages and the allocator.
 *
 * A program that includes this is linked with --wrap for malloc, calloc, realloc and free
 * (tests/CMakeLists.txt). libcrypto's calls are counted from heap_count_libcrypto() on.
 */
#ifndef TESTS_SUPPORT_HEAP_H
#define TESTS_SUPPORT_HEAP_H

#include <stddef.h>

struct heap_count {
    size_t calls; /* of malloc, calloc and realloc */
    size_t bytes; /* that these asked for, all together */
    size_t live;  /* blocks that are not yet freed */
    size_t held;  /* bytes of these */
    size_t peak;  /* the most that was held at a time */
};

/** What the program itself, libduet included, has allocated since heap_restart(). */
extern struct heap_count heap_ours;

/** The same for libcrypto. */
extern struct heap_count heap_libcrypto;

/** How many calls of malloc and calloc still succeed, libcrypto's aside; negative: all. */
extern long heap_until;

/** Count libcrypto's allocations; before anything else uses it. Returns 0, or -1 when it is late. */
int heap_count_libcrypto(void);

/** Count calls, bytes and the peak anew; live blocks stay counted. */
void heap_restart(void);

/** 1 when the wrappers are linked in; without them nothing is counted. */
int heap_counts(void);

#endif
