/*
 * Randomness from the system's own generator, and nothing else: no pool of ours that a fork could
 * copy.
 */
#include "os/os.h"

#include <errno.h>
#include <sys/random.h>

enum { MOST = 256 }; /* bytes that getentropy() gives at a time */

int
duet__os_random(uint8_t *out, size_t size)
{
    while (size > 0) {
        size_t n = size < MOST ? size : MOST;
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
