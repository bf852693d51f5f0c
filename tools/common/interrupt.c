/*
 * Signals as a mark (see interrupt.h). A second one ends the program at once.
 */
#include "interrupt.h"

#include "os/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

static atomic_int came; /* lock-free, as a signal handler wants */
static int ends[2] = {-1, -1};
static _Thread_local int thread_fd = -1; /* what stands for the signals in this thread */

static void
on_signal(int number)
{
    int before = errno;

    came = number;
    (void)!write(ends[1], "", 1);
    errno = before;
}

void
interrupt_catch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal}, before;

    if (ends[0] < 0 && duet__os_pipe(ends, DUET__OS_NO_WAITS) != 0)
        ends[0] = ends[1] = -1; /* the mark alone must do */
    action.sa_flags = (int)SA_RESETHAND;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL); /* nohup's wish is kept */
}

int
interrupted(void)
{
    struct pollfd fd = {.fd = thread_fd, .events = POLLIN};

    return came != 0 || thread_fd < 0 ? came : poll(&fd, 1, 0) > 0;
}

int
interrupt_fd(void)
{
    return thread_fd >= 0 ? thread_fd : ends[0];
}

void
interrupt_by(int fd)
{
    thread_fd = fd;
}

void
interrupt_wait(int ms)
{
    struct pollfd fd = {.fd = interrupt_fd(), .events = POLLIN};

    (void)poll(&fd, 1, ms);
}
