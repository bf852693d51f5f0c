/*
 * The new process's part of an upgrade (see takeover.h).
 */
#include "takeover.h"

#include "listen.h"
#include "log.h"
#include "os/environment.h"
#include "os/os.h"
#include "os/socket.h"
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int
bad_list(void)
{
    return log_error(EXIT_USAGE, UPGRADE_VARIABLE
                     ": duet sets it for itself at an upgrade; unset it to start a service");
}

int
takeover_is_due(void)
{
    return duet__os_environment(UPGRADE_VARIABLE) != NULL;
}

/* ---- A process of its own ---- */

static int parent = -1; /* a pipe to the parent that waits; -1: none does */

/** The parent: wait until the child is ready, or end as it did. */
static void
wait_for_child(pid_t child, int from)
{
    char byte;
    int status = 0;

    ssize_t got = read(from, &byte, 1);
    while (got < 0 && errno == EINTR)
        got = read(from, &byte, 1);
    if (got == 1)
        _exit(EXIT_DONE); /* it is ready */
    if (waitpid(child, &status, 0) == child && WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    _exit(EXIT_FAILED);
}

int
takeover_detach(void)
{
    int ends[2];

    if (duet__os_pipe(ends, DUET__OS_WAITS) != 0)
        return log_error(EXIT_LIMIT, "pipe: %s", errno_text());
    pid_t child = fork();
    if (child < 0)
        return log_error(EXIT_LIMIT, "fork: %s", errno_text());
    if (child > 0) {
        close(ends[1]);
        wait_for_child(child, ends[0]);
    }
    close(ends[0]);
    parent = ends[1];
    return EXIT_DONE;
}

/* ---- The list ---- */

/** Read a number and the spaces before it, and move on. Returns 0, or -1: there is none, or it is
 * greater than most. */
static int
read_number(const char **at, unsigned most, unsigned *number)
{
    char *end;

    errno = 0;
    unsigned long read = strtoul(*at, &end, 10);
    if (end == *at || errno != 0 || read > most)
        return -1;
    *at = end;
    *number = (unsigned)read;
    return 0;
}

/** Read the number of a descriptor that is open. Returns 0, or -1. */
static int
read_descriptor(const char **at, int *fd)
{
    unsigned number;

    if (read_number(at, INT_MAX, &number) != 0)
        return -1;
    *fd = (int)number;
    return fcntl(*fd, F_SETFD, FD_CLOEXEC);
}

/** Take the sockets of one record. Returns an exit code. */
static int
take_sockets(struct takeover *t, const char *record)
{
    unsigned worker, count;
    int fds[LISTENERS_MOST];

    if (read_number(&record, t->workers - 1, &worker) != 0 ||
        read_number(&record, LISTENERS_MOST, &count) != 0)
        return bad_list();
    for (unsigned i = 0; i < count; i++)
        if (read_descriptor(&record, &fds[i]) != 0)
            return bad_list();
    return *record == ' ' ? sockets_take(&t->sets[worker], record + 1, fds, count) : bad_list();
}

/** Read the list, whose last record is ended. Returns an exit code. */
static int
read_list(struct takeover *t, const char *list, size_t size)
{
    const char *first = list + sizeof UPGRADE_LIST - 1;
    int code = EXIT_DONE;

    if (strncmp(list, UPGRADE_LIST, sizeof UPGRADE_LIST - 1) != 0 ||
        read_number(&first, WORKERS_MOST, &t->workers) != 0 || t->workers < 1 ||
        read_descriptor(&first, &t->replay_fd) != 0 ||
        read_number(&first, UINT_MAX, &t->replay_entries) != 0)
        return bad_list();
    for (size_t at = strlen(list) + 1; at < size && code == EXIT_DONE; at += strlen(list + at) + 1)
        code = take_sockets(t, list + at);
    return code;
}

/** Map what is behind the list's descriptor, and read it. Returns an exit code. */
static int
open_list(struct takeover *t, int fd)
{
    struct stat status;
    int code = EXIT_USAGE;

    if (fstat(fd, &status) != 0 || status.st_size < 1)
        return bad_list();
    size_t size = (size_t)status.st_size;
    duet__os_shared_behind(&fd);
    char *list = duet__os_shared_new(size);
    if (list != NULL && list[size - 1] == 0)
        code = read_list(t, list, size);
    else
        code = bad_list();
    duet__os_shared_free(list, size);
    close(fd);
    return code;
}

/** Check what an upgrade cannot change. Returns an exit code. */
static int
check_settings(const struct takeover *t, const struct settings *settings)
{
    unsigned workers = settings->workers > 1 ? settings->workers : 1;

    if (workers != t->workers)
        return log_error(EXIT_USAGE,
                         "workers: there are %u, and an upgrade keeps their number; restart the "
                         "service to have %u",
                         t->workers, workers);
    if (settings->replay_size != t->replay_entries)
        log_warning("replay-size: an upgrade keeps the replay cache of %u entries; restart the "
                    "service to have %u",
                    t->replay_entries, settings->replay_size);
    return EXIT_DONE;
}

int
takeover_begin(struct takeover *t, const struct settings *settings)
{
    const char *variable = duet__os_environment(UPGRADE_VARIABLE);
    int list;

    *t = (struct takeover){.answer = -1, .replay_fd = -1};
    if (variable == NULL)
        return EXIT_DONE;
    if (read_descriptor(&variable, &list) != 0 || read_descriptor(&variable, &t->answer) != 0) {
        t->answer = -1;
        return bad_list();
    }
    unsetenv(UPGRADE_VARIABLE);
    int code = open_list(t, list);
    return code == EXIT_DONE ? check_settings(t, settings) : code;
}

/* ---- Ready ---- */

int
takeover_finish(struct takeover *t)
{
    const int32_t ready = (int32_t)getpid();
    struct pollfd wait = {.fd = t->answer, .events = POLLIN};
    char byte = 0;

    if (t->answer < 0)
        return EXIT_DONE;
    int is_told =
        write(parent, &byte, 1) == 1 && write(t->answer, &ready, sizeof ready) == sizeof ready &&
        poll(&wait, 1, UPGRADE_MS) > 0 && read(t->answer, &byte, 1) == 1 && byte == UPGRADE_GO_BYTE;
    close(parent);
    close(t->answer);
    t->answer = -1;
    return is_told ? EXIT_DONE
                   : log_error(EXIT_FAILED, "upgrade: the process before did not hand over");
}

void
takeover_close(struct takeover *t)
{
    for (unsigned i = 0; i < WORKERS_MOST; i++)
        sockets_close(&t->sets[i], 0);
    if (t->answer >= 0)
        close(t->answer);
    t->answer = -1;
}
