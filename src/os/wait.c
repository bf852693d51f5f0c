/*
 * Waiting for descriptors, and ending such a wait from another thread or from a signal handler.
 *
 * A wake-up is never lost: once written, its descriptor stays readable.
 */
#include "os/os.h"

#include "os/features.h"
#include "os/socket.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>
#ifdef DUET__OS_EVENTFD
#include <sys/eventfd.h>
#endif

int
duet__os_wait(int rfd, int wfd, int woken, unsigned want, int timeout_ms)
{
    struct pollfd all[3] = {{.fd = -1}, {.fd = -1}, {.fd = woken, .events = POLLIN}};

    if (want & DUET__OS_READ) {
        all[0].fd = rfd;
        all[0].events = POLLIN;
    }
    if (want & DUET__OS_WRITE) {
        all[1].fd = wfd;
        all[1].events = POLLOUT;
    }
    int n = poll(all, 3, timeout_ms);
    if (n < 0)
        return errno == EINTR ? 1 : -1;
    if ((all[0].revents | all[1].revents) & POLLNVAL) {
        errno = EBADF;
        return -1;
    }
    return 0;
}

int
duet__os_wake_new(int ends[2])
{
#ifdef DUET__OS_EVENTFD
    ends[0] = ends[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return ends[0] >= 0 ? 0 : -1;
#else
    return duet__os_pipe(ends, DUET__OS_NO_WAITS);
#endif
}

void
duet__os_wake(int end)
{
    const uint64_t one = 1; /* what an eventfd takes; a pipe takes any byte */
    int reason = errno;

    /* It fails only when it is full, and so readable already. */
    if (write(end, &one, sizeof one) < 0)
        errno = reason;
}

void
duet__os_wake_free(const int ends[2])
{
    if (ends[0] >= 0)
        close(ends[0]);
    if (ends[1] >= 0 && ends[1] != ends[0])
        close(ends[1]);
}
