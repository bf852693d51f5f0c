/*
 * The two sides of a probe: dialling a listener, or listening for a client, which may be started by
 * a command for each connection.
 */
#include "address.h"
#include "dial.h"
#include "interrupt.h"
#include "knock.h"
#include "listen.h"
#include "log.h"
#include "os/os.h"
#include "os/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEP_MS = 50, CONNECT_MS = 10000, PAUSE_MS = 100, EARLY_MOST = 20, COMMANDS_MOST = 16 };
enum { FAILED_ROW = 20 }; /* connects in a row that fail: the listener has gone */

/* ---- A listener ---- */

/** Where to connect: the socket address that answered first. */
struct place {
    struct sockaddr_storage at;
    socklen_t size;
};

static int
find_place(struct place *place, const char *address)
{
    struct dialled dialled;
    int code = dial_address(&dialled, address, CONNECT_MS);

    if (code != EXIT_DONE)
        return code;
    place->size = sizeof place->at;
    if (getpeername(dialled.fd, (struct sockaddr *)&place->at, &place->size) != 0)
        code = log_error(EXIT_CONNECT, "%s: %s", printable(address), errno_text());
    close(dialled.fd);
    return code;
}

/** Begin the next try. Returns 1; 0 when the connect failed at once. */
static int
dial_next(struct knocks *knocks, struct knock *knock, const struct place *place)
{
    int error;
    int fd = dial_begin((const struct sockaddr *)&place->at, place->size, &error);

    if (fd >= 0 && (error == 0 || error == EINPROGRESS)) {
        address_prepare(fd);
        knock_begin(knocks, knock, fd, KNOCK_CONNECTING);
        return 1;
    }
    if (fd >= 0)
        close(fd);
    knocks->probe->tries[knocks->next++].end = PROBE_FAILED;
    return 0;
}

/** The number of failures among the last tries that have ended. */
static int
has_gone(const struct knocks *knocks)
{
    size_t failed = 0;

    for (size_t i = knocks->next; i > 0 && failed < FAILED_ROW; i--) {
        if (knocks->probe->tries[i - 1].end != PROBE_FAILED)
            return 0;
        failed++;
    }
    return failed == FAILED_ROW;
}

/** Make the tries from next to end, each beside as many others as may be. */
static int
dial_all(struct knocks *knocks, const struct place *place)
{
    while ((knocks->next < knocks->end || knocks->busy > 0) && !interrupted()) {
        struct knock *knock;
        int began = 0;
        if (knocks->busy == 0 && has_gone(knocks))
            break;
        /* A few at a time: a full queue of the listener's would delay some of them. */
        for (unsigned i = 0; i < 8 && knocks->next < knocks->end && !has_gone(knocks) &&
                             (knock = knock_place(knocks)) != NULL;
             i++)
            began |= dial_next(knocks, knock, place);
        knock_round(knocks, NULL, 0, began && knock_place(knocks) != NULL ? 2 : STEP_MS);
    }
    return interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

int
probe_listener(struct probe *probe)
{
    static struct knocks knocks;
    struct place place;
    int code = find_place(&place, probe->address);

    if (code != EXIT_DONE)
        return code;
    knocks.probe = probe;
    knocks.most = probe->parallel;
    knocks.end = probe->live_first;
    code = dial_all(&knocks, &place);
    /* The first live session is alone: a pipe or recv that listens ends with it. */
    knocks.most = 1;
    knocks.next = probe->live_first;
    knocks.end = probe->live_first + (probe->live_first < probe->try_count);
    if (code == EXIT_DONE)
        code = dial_all(&knocks, &place);
    knocks.most = probe->parallel;
    knocks.end = probe->try_count;
    if (code == EXIT_DONE)
        code = dial_all(&knocks, &place);
    knock_end_all(&knocks);
    return code;
}

/* ---- A client ---- */

struct commands {
    pid_t running[COMMANDS_MOST]; /* 0: none */
    unsigned count, started;
};

static void
exec_client(const char *command, const char *address)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    if (null >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1 && dup2(null, 2) == 2 &&
        setenv("DUET_PROBE_ADDRESS", address, 1) == 0)
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static void
start_client(struct commands *commands, const struct probe *probe, const char *address)
{
    for (unsigned i = 0; i < COMMANDS_MOST; i++) {
        if (commands->running[i] > 0)
            continue;
        pid_t pid = fork();
        if (pid == 0)
            exec_client(probe->command, address);
        if (pid > 0) {
            (void)setpgid(pid, pid); /* here too: it may be ended before it has done so itself */
            commands->running[i] = pid;
            commands->count++;
            commands->started++;
        }
        return;
    }
}

/** Take note of commands that have ended. end 1: end those that have not. */
static void
reap_clients(struct commands *commands, int end)
{
    for (unsigned i = 0; i < COMMANDS_MOST; i++) {
        if (commands->running[i] <= 0)
            continue;
        if (end)
            (void)kill(-commands->running[i], SIGKILL);
        if (waitpid(commands->running[i], NULL, end ? 0 : WNOHANG) == commands->running[i]) {
            commands->running[i] = 0;
            commands->count--;
        }
    }
}

static void
accept_clients(struct knocks *knocks, const struct listener *listener)
{
    struct knock *knock;

    for (unsigned i = 0; i < listener->count; i++) {
        int fd = 0;
        while (fd >= 0 && knocks->next < knocks->end && (knock = knock_place(knocks)) != NULL) {
            fd = duet__os_accept(listener->fds[i], NULL, NULL);
            if (fd >= 0)
                knock_begin(knocks, knock, fd, KNOCK_HEARING);
        }
    }
}

/** The address that a command finds in its environment: the one that was given, with a host and the
 * port that the system chose. */
static void
name_address(char *out, size_t cap, const struct listener *listener, const char *given)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;
    char host[128], port[16];

    (void)snprintf(out, cap, "%s", given);
    if (getsockname(listener->fds[0], (struct sockaddr *)&at, &size) != 0 ||
        at.ss_family == AF_UNIX ||
        getnameinfo((struct sockaddr *)&at, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        (void)snprintf(out, cap, "localhost:%s", port);
    else
        (void)snprintf(out, cap, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
}

/** Answer until all tries are made, or until no client comes for as long as one is watched. */
static int
answer_all(struct knocks *knocks, const struct listener *listener, const char *address)
{
    static struct commands commands;
    struct probe *probe = knocks->probe;
    uint64_t last_ms = duet__os_now_ms();

    while ((knocks->next < knocks->end || knocks->busy > 0) && !interrupted()) {
        size_t before = knocks->next;
        knock_round(knocks, listener->fds, knocks->next < knocks->end ? listener->count : 0,
                    STEP_MS);
        accept_clients(knocks, listener);
        reap_clients(&commands, 0);
        uint64_t now_ms = duet__os_now_ms();
        if (knocks->next != before || knocks->busy > 0)
            last_ms = now_ms;
        if (probe->command != NULL && knocks->next < knocks->end &&
            commands.count < COMMANDS_MOST && knock_place(knocks) != NULL &&
            commands.started < 2 * knocks->end + EARLY_MOST)
            start_client(&commands, probe, address);
        if (now_ms - last_ms > (unsigned)probe->timeout_ms)
            break;
    }
    reap_clients(&commands, 1);
    return interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

int
probe_client(struct probe *probe)
{
    static struct knocks knocks;
    struct listener listener;
    char address[160];
    int code = listener_open(&listener, probe->address, (struct listen_how){LISTEN_ALONE, 0}, NULL);

    if (code != EXIT_DONE)
        return code;
    name_address(address, sizeof address, &listener, probe->address);
    log_info("listening on %s", printable(address));
    knocks.probe = probe;
    knocks.most = probe->parallel;
    knocks.end = probe->try_count;
    code = answer_all(&knocks, &listener, address);
    knock_end_all(&knocks);
    listener_close(&listener);
    if (code == EXIT_DONE && knocks.next == 0)
        code = log_error(EXIT_SLOW, "no client connected within %g s", probe->timeout_ms / 1000.0);
    return code;
}
