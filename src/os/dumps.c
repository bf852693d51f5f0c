/*
 * Keeps secrets out of core dumps and away from debuggers of the same user.
 *
 * Every system drops core dumps; only on Linux is a debugger kept out too.
 */
#include "os/os.h"

#include "os/features.h"

#include <sys/resource.h>
#ifdef DUET__OS_LINUX
#include <sys/prctl.h>
#endif

int
duet__os_no_dumps(void)
{
    const struct rlimit none = {0, 0};
    int result = setrlimit(RLIMIT_CORE, &none);

#ifdef DUET__OS_LINUX
    if (prctl(PR_SET_DUMPABLE, 0) != 0)
        result = -1;
#endif
    return result == 0 ? 0 : -1;
}
