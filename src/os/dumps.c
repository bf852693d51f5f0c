/*
 * Memory that holds secrets stays in memory: no core dump, no debugger of the same user.
 */
#include "os/os.h"

#include <sys/resource.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

int
duet__os_no_dumps(void)
{
    const struct rlimit none = {0, 0};
    int result = setrlimit(RLIMIT_CORE, &none);

#ifdef __linux__
    if (prctl(PR_SET_DUMPABLE, 0) != 0)
        result = -1;
#endif
    return result == 0 ? 0 : -1;
}
