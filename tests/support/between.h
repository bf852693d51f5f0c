/*
 * assert_between(): a number lies between two others, both included.
 *
 * cmocka's assert_in_range does the same, but is deprecated since cmocka 2, whose names for it
 * cmocka 1 does not have.
 */
#ifndef TESTS_SUPPORT_BETWEEN_H
#define TESTS_SUPPORT_BETWEEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define assert_between(value, low, high)                                                           \
    check_between((intmax_t)(value), (intmax_t)(low), (intmax_t)(high))

static inline void
check_between(intmax_t value, intmax_t low, intmax_t high)
{
    if (value < low || value > high)
        fail_msg("%jd is not between %jd and %jd", value, low, high);
}

#endif
