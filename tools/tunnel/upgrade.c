/*
 * The old process's part of an upgrade (see upgrade.h).
 */
#include "upgrade.h"

#include "log.h"
#include "os/os.h"
#include "os/socket.h"
#include "program.h"
#include "record.h"
#include "systemd.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int
not_upgraded(const char *why)
{
    record_note(RECORD_ERROR, "not upgraded: %s; this process goes on", why);
    return EXIT_FAILED;
}

/* ---- The list of what is handed over ---- */

/** Print the records of one worker's sockets. Those that another set owns are in its records. */
static void
put_sockets(FILE *out, const struct sockets *set, unsigned worker)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct socket_entry *entry = &set->entries[i];
        if (entry->lent)
            continue;
        fprintf(out, UPGRADE_SOCKET, worker, entry->listener.count);
        for (unsigned j = 0; j < entry->listener.count; j++)
            fprintf(out, " %d", entry->listener.fds[j]);
        fprintf(out, " %s", entry->address);
        fputc(0, out);
    }
}

/** The list, in memory behind a descriptor. Returns that, or -1. */
static int
write_list(const struct upgrade_parts *parts)
{
    char *text = NULL;
    size_t size = 0;
    int fd = -1;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return -1;
    fprintf(out, UPGRADE_FIRST, parts->workers, parts->replay_fd, parts->replay_entries);
    fputc(0, out);
    for (unsigned i = 0; i < parts->workers; i++)
        put_sockets(out, parts->sets[i], i);
    int bad = ferror(out);
    if (fclose(out) == 0 && !bad) {
        duet__os_shared_behind(&fd);
        void *shared = duet__os_shared_new(size);
        if (shared != NULL)
            memcpy(shared, text, size);
        duet__os_shared_free(shared, size);
    }
    free(text);
    return fd;
}

/* ---- Starting ---- */

/** 1 when a variable is the old process's alone. */
static int
is_own_variable(const char *text)
{
    static const char *const names[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
                                        "WATCHDOG_PID", UPGRADE_VARIABLE};
    size_t size = strcspn(text, "=");

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == size && strncmp(text, names[i], size) == 0)
            return 1;
    return 0;
}

/** The environment of the new process; the caller frees the list. NULL: no memory. */
static char **
make_environment(char *variable)
{
    size_t count = 0, kept = 0;

    while (environ != NULL && environ[count] != NULL)
        count++;
    char **made = malloc((count + 2) * sizeof *made);
    if (made == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!is_own_variable(environ[i]))
            made[kept++] = environ[i];
    made[kept++] = variable;
    made[kept] = NULL;
    return made;
}

/** Let the new process have a descriptor under its number. */
static int
inherit(posix_spawn_file_actions_t *actions, int fd)
{
    return posix_spawn_file_actions_adddup2(actions, fd, fd);
}

/** Let it have all that the list names. Returns 0, or an error number. */
static int
inherit_parts(posix_spawn_file_actions_t *actions, const struct upgrade_parts *parts)
{
    int error = inherit(actions, parts->replay_fd);

    for (unsigned worker = 0; worker < parts->workers; worker++)
        for (size_t i = 0; i < parts->sets[worker]->count && error == 0; i++) {
            const struct socket_entry *entry = &parts->sets[worker]->entries[i];
            for (unsigned j = 0; j < entry->listener.count && !entry->lent && error == 0; j++)
                error = inherit(actions, entry->listener.fds[j]);
        }
    return error;
}

/** Start the program with signals as at a usual start. Returns 0, or an error number. */
static int
spawn_program(pid_t *pid, const posix_spawn_file_actions_t *actions, char **environment)
{
    const char *const *arguments = program_arguments();
    char *const *same;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int error = posix_spawnattr_init(&attributes);

    if (error != 0)
        return error;
    memcpy(&same, &arguments, sizeof same); /* it changes none, whatever its type says */
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGUSR2); /* ignored until there is a handler, which another one is to find */
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                      POSIX_SPAWN_SETPGROUP);
    if (error == 0)
        error = posix_spawnattr_setpgroup(&attributes, 0);
    if (error == 0)
        error = posix_spawnattr_setsigmask(&attributes, &none);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(&attributes, &all);
    if (error == 0)
        error = posix_spawn(pid, program_path(), actions, &attributes, same, environment);
    posix_spawnattr_destroy(&attributes);
    return error;
}

/** Start it with the list and the end of a pair. Returns 0, or an error number. */
static int
start_program(struct upgrade *upgrade, const struct upgrade_parts *parts, int list, int end)
{
    char variable[sizeof UPGRADE_VARIABLE + 32];
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);

    if (error != 0)
        return error;
    snprintf(variable, sizeof variable, UPGRADE_VARIABLE "=%d %d", list, end);
    char **environment = make_environment(variable);
    error = environment != NULL ? inherit_parts(&actions, parts) : ENOMEM;
    if (error == 0)
        error = inherit(&actions, list);
    if (error == 0)
        error = inherit(&actions, end);
    if (error == 0)
        error = spawn_program(&upgrade->pid, &actions, environment);
    free(environment);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/** Why an upgrade cannot be; NULL: it can. */
static const char *
find_obstacle(const struct upgrade *upgrade, const struct upgrade_parts *parts)
{
    if (upgrade->pid != 0)
        return "another upgrade is under way";
    if (parts->replay_fd < 0)
        return "the replay cache cannot be handed over on this system, so that a restart is needed";
    if (program_path() == NULL)
        return "the path that this program was started by is not known";
    if (getpid() == 1)
        return "this is the first process of a container, which ends with it; restart the "
               "container";
    return NULL;
}

int
upgrade_start(struct upgrade *upgrade, const struct upgrade_parts *parts)
{
    int ends[2] = {-1, -1};
    const char *why = find_obstacle(upgrade, parts);

    if (why != NULL)
        return not_upgraded(why);
    int list = write_list(parts);
    int error = list < 0 || duet__os_socket_pair(ends) != 0 ? errno : 0;
    if (error == 0)
        error = start_program(upgrade, parts, list, ends[1]);
    if (list >= 0)
        close(list);
    if (ends[1] >= 0)
        close(ends[1]);
    if (error != 0) {
        if (ends[0] >= 0)
            close(ends[0]);
        upgrade->pid = 0;
        errno = error;
        record_note(RECORD_ERROR, "not upgraded: %s could not be started: %s; this process goes on",
                    printable(program_path()), errno_text());
        return EXIT_FAILED;
    }
    upgrade->ready = 0;
    upgrade->answer = ends[0];
    upgrade->end_ms = duet__os_now_ms() + UPGRADE_MS;
    record_note(RECORD_INFO, "upgrade: %s is started", printable(program_path()));
    return EXIT_DONE;
}

/* ---- Its answer ---- */

/** End what was started, with its children, and forget it. Returns its status as waitpid(2) has it;
 * -1: none. */
static int
end_process(struct upgrade *upgrade)
{
    int status = -1;

    (void)kill(-upgrade->pid, SIGKILL);
    if (waitpid(upgrade->pid, &status, 0) != upgrade->pid)
        status = -1;
    close(upgrade->answer);
    upgrade->pid = 0;
    return status;
}

static enum upgrade_state
upgrade_failed(struct upgrade *upgrade, int is_late)
{
    char why[128];
    int status = end_process(upgrade);

    if (is_late)
        snprintf(why, sizeof why, "the new process was not ready in %d s, and was ended",
                 UPGRADE_MS / 1000);
    else if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) != 0)
        snprintf(why, sizeof why, "the new process ended with exit code %d; its messages say why",
                 WEXITSTATUS(status));
    else
        snprintf(why, sizeof why, "the new process ended before it was ready");
    (void)not_upgraded(why);
    return UPGRADE_FAILED;
}

enum upgrade_state
upgrade_look(struct upgrade *upgrade)
{
    int32_t ready;
    ssize_t got = recv(upgrade->answer, &ready, sizeof ready, MSG_DONTWAIT);

    if (got == sizeof ready && ready > 0)
        upgrade->ready = ready;
    else if (got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        return upgrade_failed(upgrade, 0);
    if (upgrade->ready != 0)
        return UPGRADE_IS_READY;
    return duet__os_now_ms() < upgrade->end_ms ? UPGRADE_WAITS : upgrade_failed(upgrade, 1);
}

void
upgrade_go(struct upgrade *upgrade)
{
    char state[32];

    snprintf(state, sizeof state, "MAINPID=%d", (int)upgrade->ready);
    systemd_notify(state);
    unsetenv("NOTIFY_SOCKET"); /* from now on the new process speaks for the service */
    const char byte = UPGRADE_GO_BYTE;
    (void)!write(upgrade->answer, &byte, 1); /* one that has died meanwhile cannot be helped */
    close(upgrade->answer);
    (void)waitpid(upgrade->pid, NULL, 0); /* it has ended, or does so now */
    record_note(RECORD_INFO,
                "upgrade: process %d has taken over; this one ends with its last connection",
                (int)upgrade->ready);
    upgrade->pid = 0;
}

void
upgrade_cancel(struct upgrade *upgrade, const char *why)
{
    if (upgrade->pid == 0)
        return;
    (void)end_process(upgrade);
    (void)not_upgraded(why);
}
