/*
 * Extended attributes of a file, access lists among them, as one run of bytes. Systems other than
 * Linux have none here.
 */
#include "os/features.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>

#ifdef DUET__OS_LINUX
#include <sys/xattr.h>

enum { NAMES_MOST = 8192 }; /* bytes of all names of one file */

static void
put_two(uint8_t *out, size_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

/** Append one attribute. Returns its size; 0 where it cannot be read or has no room. */
static size_t
read_attribute(int fd, const char *name, uint8_t *out, size_t cap)
{
    size_t size = strlen(name);

    if (cap < size + 4)
        return 0;
    ssize_t value = fgetxattr(fd, name, out + size + 4, cap - size - 4);
    if (value < 0 || value > UINT16_MAX)
        return 0;
    put_two(out, size);
    memcpy(out + 2, name, size + 1); /* the next line overwrites its NUL */
    put_two(out + 2 + size, (size_t)value);
    return size + 4 + (size_t)value;
}

size_t
duet__os_attributes(int fd, uint8_t *out, size_t cap)
{
    char names[NAMES_MOST];
    ssize_t size = flistxattr(fd, names, sizeof names);
    size_t used = 0;

    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1)
        used += read_attribute(fd, names + at, out + used, cap - used);
    return used;
}

int
duet__os_set_attribute(int fd, const char *name, const void *value, size_t size)
{
    return fsetxattr(fd, name, value, size, 0);
}
#else
size_t
duet__os_attributes(int fd, uint8_t *out, size_t cap)
{
    (void)fd;
    (void)out;
    (void)cap;
    return 0;
}

int
duet__os_set_attribute(int fd, const char *name, const void *value, size_t size)
{
    (void)fd;
    (void)name;
    (void)value;
    (void)size;
    errno = ENOTSUP;
    return -1;
}
#endif
