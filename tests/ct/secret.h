/*
 * Secrets as memory that nothing may depend on: undefined for valgrind, poisoned for clang's
 * MemorySanitizer. Either reports a branch or an index that depends on it.
 *
 * Without them the programs run too, and only try that the calls work.
 */
#ifndef TESTS_CT_SECRET_H
#define TESTS_CT_SECRET_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define UNDER_MSAN 1
#endif
#endif
#ifndef UNDER_MSAN
#define UNDER_MSAN 0
#endif

#if UNDER_MSAN
#include <sanitizer/msan_interface.h>

/** Only what a test hides is poisoned: libcrypto, which is not built for this, fills its own memory
 * unseen. */
const char *__msan_default_options(void);

const char *
__msan_default_options(void)
{
    return "poison_in_malloc=0:poison_in_free=0";
}
#else
#include <valgrind/memcheck.h>
#endif

/** Make memory secret. */
static inline void
hide(void *memory, size_t size)
{
#if UNDER_MSAN
    __msan_poison(memory, size);
#else
    (void)VALGRIND_MAKE_MEM_UNDEFINED(memory, size);
#endif
}

/** Make it public. */
static inline void
show(const void *memory, size_t size)
{
#if UNDER_MSAN
    __msan_unpoison(memory, size);
#else
    (void)VALGRIND_MAKE_MEM_DEFINED(memory, size);
#endif
}

/** 1 when valgrind watches. */
static inline int
watched(void)
{
#if UNDER_MSAN
    return 1;
#else
    return RUNNING_ON_VALGRIND != 0;
#endif
}

static inline void
need(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

#endif
