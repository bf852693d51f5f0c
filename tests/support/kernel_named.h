/*
 * For programs that ctest runs once under each kernel: whether DUET_KERNEL names one that this
 * processor cannot run, so that the test is reported as skipped rather than run under another.
 */
#ifndef TESTS_SUPPORT_KERNEL_NAMED_H
#define TESTS_SUPPORT_KERNEL_NAMED_H

#include <duet/duet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KERNEL_SKIP = 77 };

/** 1 when the kernel that DUET_KERNEL names is not the one in use; says so. */
static inline int
kernel_is_missing(void)
{
    const char *named = getenv("DUET_KERNEL");

    if (named == NULL || strcmp(named, duet_kernel_name()) == 0)
        return 0;
    printf("SKIPPED: this processor cannot run the kernel %s\n", named);
    return 1;
}

#endif
