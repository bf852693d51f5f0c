/*
 * What a test begins with, however it was started: signals that do what they do by default (nohup, a
 * shell's background and some schedulers leave a few ignored) and three standard streams.
 */
#ifndef TESTS_SUPPORT_RESET_H
#define TESTS_SUPPORT_RESET_H

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static inline void
reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < 32; number++)
        if (number != SIGKILL && number != SIGSTOP)
            (void)signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/** Standard streams that are closed become /dev/null, or the first sockets would take their place. */
static inline void
reset_streams(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

#endif
