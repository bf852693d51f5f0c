/*
 * Renames a file without replacing one of the new name.
 *
 * Linux does it in one step where the file system can; elsewhere a second name is made and the
 * first removed, so that for a moment the file has both.
 */
#include "os/os.h"

#include "os/features.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#if defined(DUET__OS_LINUX) && !defined(RENAME_NOREPLACE)
/* musl has neither the call nor the flag. */
#include <sys/syscall.h>
#define RENAME_NOREPLACE 1
#define renameat2(...)   ((int)syscall(SYS_renameat2, __VA_ARGS__))
#endif

int
duet__os_rename_new(int folder, const char *from, const char *to)
{
#ifdef DUET__OS_LINUX
    if (renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS) /* these two: the file system cannot do it */
        return -1;
#endif
    if (linkat(folder, from, folder, to, 0) != 0)
        return -1;
    return unlinkat(folder, from, 0);
}
