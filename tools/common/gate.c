/*
 * Silence towards strangers (see gate.h).
 */
#include "gate.h"

#include "log.h"
#include "os/os.h"

#include <duet/duet.h>
#include <errno.h>
#include <sys/socket.h>

enum { LAST_MS = 1000 };              /* after its time, for what is unread */
enum { SCRATCH = 16384, READS = 64 }; /* bytes, and reads of one stranger at a turn */

int
silence_draw(uint32_t *ms, uint32_t least_ms, uint32_t most_ms)
{
    uint64_t draw;

    if (duet__os_random((uint8_t *)&draw, sizeof draw) != 0)
        return log_error(EXIT_LIMIT, "no randomness for the time-out of strangers");
    *ms = least_ms + (uint32_t)(draw % ((uint64_t)most_ms - least_ms + 1));
    return EXIT_DONE;
}

int
silence_drop(int fd, int *ended)
{
    char scratch[SCRATCH];

    *ended = 0;
    for (int i = 0; i < READS; i++) {
        ssize_t n = recv(fd, scratch, sizeof scratch, MSG_DONTWAIT);
        if (n > 0)
            continue;
        *ended = n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
        return 1;
    }
    return 0;
}

int
silence_over(int fd, uint64_t age_ms, uint32_t whole_ms, int *ended)
{
    if (age_ms < whole_ms)
        return 0;
    return silence_drop(fd, ended) || age_ms >= (uint64_t)whole_ms + LAST_MS;
}
