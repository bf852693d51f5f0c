/*
 * Random bytes from the system's own generator. The library keeps no pool of random bytes, which a
 * fork would copy.
 *
 * getentropy() where the system has it, else /dev/urandom, which must then be there (in a chroot).
 */
#include "os/os.h"

#include "os/features.h"

#include <errno.h>

#ifdef DUET__OS_GETENTROPY

#include <sys/random.h>
#include <unistd.h>

enum { ENTROPY_MOST = 256 }; /* bytes that getentropy() gives at a time */

int
duet__os_random(uint8_t *out, size_t size)
{
    while (size > 0) {
        size_t n = size < ENTROPY_MOST ? size : ENTROPY_MOST;
        if (getentropy(out, n) != 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        out += n;
        size -= n;
    }
    return 0;
}

#else

#include <fcntl.h>
#include <unistd.h>

int
duet__os_random(uint8_t *out, size_t size)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    int result = fd < 0 ? -1 : 0;

    while (size > 0 && result == 0) {
        ssize_t n = read(fd, out, size);
        if (n > 0) {
            out += n;
            size -= (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            result = -1;
        }
    }
    if (fd >= 0)
        close(fd);
    return result;
}

#endif
