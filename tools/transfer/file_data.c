/*
 * Data and holes of a file (see file_data.h). Several threads may ask about one descriptor: its
 * position, which lseek() moves, is not used.
 */
#include "file_data.h"

#include <errno.h>
#include <unistd.h>

int
file_has_holes(const struct stat *status)
{
#ifdef SEEK_HOLE
    return (uint64_t)status->st_blocks * 512 < (uint64_t)status->st_size;
#else
    (void)status;
    return 0;
#endif
}

uint64_t
file_next_data(int fd, uint64_t size, uint64_t at, uint64_t *end)
{
    *end = size;
#ifdef SEEK_HOLE
    off_t data = lseek(fd, (off_t)at, SEEK_DATA);
    if (data < 0)
        return errno == ENXIO ? size : at;
    off_t hole = lseek(fd, data, SEEK_HOLE);
    if (hole > data && (uint64_t)hole < size)
        *end = (uint64_t)hole;
    return (uint64_t)data < size ? (uint64_t)data : size;
#else
    (void)fd;
    return at;
#endif
}
