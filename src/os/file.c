/*
 * Files: who owns one; renamed without replacing one of the new name, and put on the disk.
 *
 * Linux renames in one step where the file system can; elsewhere a second name is made and the
 * first removed, so that for a moment the file has both. A file system that knows neither looks
 * first and renames then.
 */
#include "os/os.h"

#include "os/features.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(DUET__OS_LINUX) && !defined(RENAME_NOREPLACE)
/* musl has neither the call nor the flag. */
#include <sys/syscall.h>
#define RENAME_NOREPLACE 1
#define renameat2(...)   ((int)syscall(SYS_renameat2, __VA_ARGS__))
#endif

#ifdef DUET__OS_LINUX

enum { OVERFLOW_USER = 65534 }; /* what the kernel shows for a user without a number here */

/** The third of the numbers on a line of uid_map: how many users it maps. Returns UINT32_MAX, all
 * users, where the line does not have three numbers. */
static unsigned long
users_mapped(const char *line)
{
    unsigned long number = 0;

    for (int i = 0; i < 3; i++) {
        char *end;
        number = strtoul(line, &end, 10);
        if (end == line)
            return UINT32_MAX;
        line = end;
    }
    return number;
}

int
duet__os_owner_hidden(unsigned long owner)
{
    FILE *map = owner == OVERFLOW_USER ? fopen("/proc/self/uid_map", "re") : NULL;
    char line[80]; /* three numbers of 10 digits at most, and blanks */

    if (map == NULL)
        return 0;
    int was_read = fgets(line, sizeof line, map) != NULL;
    fclose(map);
    /* Where all users are mapped, there is no namespace that could hide one. */
    return was_read && users_mapped(line) < UINT32_MAX;
}

#else

int
duet__os_owner_hidden(unsigned long owner)
{
    (void)owner;
    return 0;
}

#endif

int
duet__os_rename_new(int folder, const char *from, const char *to)
{
#ifdef DUET__OS_LINUX
    if (renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) /* it cannot do it */
        return -1;
#endif
    if (linkat(folder, from, folder, to, 0) == 0)
        return unlinkat(folder, from, 0);
    if (errno != EPERM && errno != ENOSYS && errno != ENOTSUP && errno != EOPNOTSUPP)
        return -1;
    struct stat status;
    if (fstatat(folder, to, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(folder, from, folder, to);
}

int
duet__os_sync_all(int fd)
{
#ifdef DUET__OS_LINUX
    return syncfs(fd);
#else
    sync();
    return fsync(fd);
#endif
}

void
duet__os_write_out(int fd, uint64_t at, uint64_t size)
{
#ifdef DUET__OS_LINUX
    (void)sync_file_range(fd, (off_t)at, (off_t)size, SYNC_FILE_RANGE_WRITE);
#else
    (void)fd;
    (void)at;
    (void)size;
#endif
}
