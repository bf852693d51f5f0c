/*
 * The limit of open files (see open_files.h).
 */
#include "open_files.h"

#include <sys/resource.h>

enum {
    FILES_MOST = 2048,
    FILES_SPARE = 64,
    FILES_LEAST = 8
}; /* spare: for the rest of the program */

unsigned
open_files_most(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return FILES_SPARE;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < FILES_SPARE + FILES_SPARE)
        return FILES_LEAST;
    return limit.rlim_cur - FILES_SPARE < FILES_MOST ? (unsigned)limit.rlim_cur - FILES_SPARE
                                                     : FILES_MOST;
}
