/*
 * Signals as a mark (see interrupt.h). A second one ends the program at once.
 */
#include "interrupt.h"

#include "os/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t came;
static int ends[2] = {-1, -1};

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
    return came;
}

int
interrupt_fd(void)
{
    return ends[0];
}
