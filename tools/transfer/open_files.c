/*
 * The limit of open files (see open_files.h).
 */
#include "open_files.h"

#include <sys/resource.h>

enum {
    FILES_MOST = 2048,
    FILES_SPARE = 64, /* for the rest of the program */
    STREAM_SPARE = 8, /* for each stream: its connection and the pipes that stop and wake it */
    FILES_LEAST = 8
};

unsigned
open_files_most(unsigned streams)
{
    struct rlimit limit;
    rlim_t spare = FILES_SPARE + (rlim_t)streams * STREAM_SPARE;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return FILES_LEAST;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < spare + FILES_LEAST)
        return FILES_LEAST;
    return limit.rlim_cur - spare < FILES_MOST ? (unsigned)(limit.rlim_cur - spare) : FILES_MOST;
}
