/*
 * The faults of one reading of a configuration, a line for each, and a tunnel without any.
 */
#ifndef DUET_TEST_REPORTED_H
#define DUET_TEST_REPORTED_H

#include <stdio.h>
#include <string.h>

#define GOOD "[Tunnel web]\nside = server\nlisten = :80\ntarget = localhost:8080\nkey = a.key\n"

static char reported[1 << 16];

/** As faults.report. */
static void
collect(void *context, const char *fault)
{
    size_t size = strlen(reported);

    (void)context;
    snprintf(reported + size, sizeof reported - size, "%s\n", fault);
}

#endif
