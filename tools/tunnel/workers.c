/*
 * The supervisor and its workers (see workers.h).
 *
 * The supervisor keeps the settings, to start a worker that died anew, and does nothing else: it
 * sleeps until a signal. A worker sees by the end of a pipe that its supervisor is gone, and ends.
 */
#include "workers.h"

#include "log.h"
#include "os/os.h"
#include "os/socket.h"
#include "record.h"
#include "systemd.h"
#include "tunnel.h"
#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAUSE_LEAST_MS = 100, PAUSE_MOST_MS = 10000, STEADY_MS = 10000 };

struct worker {
    pid_t pid; /* 0: not running */
    struct sockets sockets;
    uint64_t started_ms;
    uint64_t due_ms;   /* when it is started again; 0: it is not to be */
    unsigned pause_ms; /* before the next start */
};

struct crew {
    struct service *service;
    struct worker workers[WORKERS_MOST];
    pid_t supervisor;
    int leash[2]; /* a pipe whose writing end is the supervisor's alone */
    sigset_t signals, before;
    uint64_t watchdog_ms; /* how often systemd is given a sign; 0: never */
    int ending;
};

/* ---- A worker ---- */

/** The sockets of the others: what they share with this one stays open. */
static void
close_others(struct crew *crew, unsigned mine)
{
    for (unsigned i = crew->service->workers; i-- > 0;)
        if (i != mine && i != 0)
            sockets_close(&crew->workers[i].sockets, 0);
    if (mine != 0)
        sockets_leave(&crew->workers[0].sockets, &crew->workers[mine].sockets);
}

/** The child's life. */
static int
work(struct crew *crew, unsigned number)
{
    struct service *service = crew->service;

    close(crew->leash[1]);
    close_others(crew, number);
    unsetenv("NOTIFY_SOCKET");     /* the supervisor speaks for all */
    service->mask = &crew->before; /* a signal that came by now is heeded then */
    service->worker = number;
    service->supervisor = crew->supervisor;
    service->leash = crew->leash[0];
    service->sockets = crew->workers[number].sockets;
    return service_serve(service);
}

/* ---- The supervisor ---- */

/** Start a worker. Returns 1 in the worker itself. */
static int
start(struct crew *crew, unsigned number)
{
    struct worker *worker = &crew->workers[number];
    struct service *service = crew->service;

    worker->started_ms = duet__os_now_ms();
    worker->due_ms = 0;
    /* What a reload brought is opened now; what cannot be is told, and tried at the next start. */
    (void)sockets_open(&worker->sockets, service->generation->settings, 1,
                       &crew->workers[0].sockets);
    worker->pid = fork();
    if (worker->pid == 0)
        return 1;
    if (worker->pid < 0) {
        record_note(RECORD_ERROR, "worker %u: %s", number, errno_text());
        worker->pid = 0;
        worker->due_ms = worker->started_ms + PAUSE_MOST_MS;
    }
    return 0;
}

/** Nothing of a dead worker is open, and tunnels that are no more are told of no more. */
static void
forget_open(const struct service *service, struct worker_counters *counted)
{
    const struct settings *settings = service->generation->settings;

    memset(&counted->process, 0, sizeof counted->process);
    for (size_t row = 0; row < TUNNEL_ROWS; row++) {
        struct counters *c = &counted->tunnels[row];
        size_t i = 0;
        c->open = c->half_open = 0;
        while (i < settings->tunnel_count && strcmp(settings->tunnels[i].name, c->name) != 0)
            i++;
        if (i == settings->tunnel_count)
            memset(c->name, 0, sizeof c->name);
    }
}

/** Say what became of a worker, and when it is started again. */
static void
bury(struct crew *crew, unsigned number, int status)
{
    struct worker *worker = &crew->workers[number];
    uint64_t now = duet__os_now_ms();

    worker->pid = 0;
    forget_open(crew->service, &crew->service->counted[number]);
    if (crew->ending)
        return;
    worker->pause_ms = now >= worker->started_ms + STEADY_MS || worker->pause_ms == 0
                           ? PAUSE_LEAST_MS
                           : 2 * worker->pause_ms;
    if (worker->pause_ms > PAUSE_MOST_MS)
        worker->pause_ms = PAUSE_MOST_MS;
    worker->due_ms = now + worker->pause_ms;
    record_note(RECORD_ERROR, "worker %u died %s %d: it is started again in %u ms", number,
                WIFSIGNALED(status) ? "of signal" : "with exit code",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), worker->pause_ms);
}

static void
reap(struct crew *crew)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (unsigned i = 0; i < crew->service->workers; i++)
            if (crew->workers[i].pid == pid)
                bury(crew, i, status);
}

static void
tell_all(const struct crew *crew, int number)
{
    for (unsigned i = 0; i < crew->service->workers; i++)
        if (crew->workers[i].pid > 0)
            kill(crew->workers[i].pid, number);
}

/** Start those whose pause is over, and be woken for the next. Returns 1 in a worker. */
static int
start_due(struct crew *crew, unsigned *number)
{
    struct itimerval timer = {0};
    uint64_t now = duet__os_now_ms(), next = 0;

    for (unsigned i = 0; i < crew->service->workers && !crew->ending; i++) {
        struct worker *worker = &crew->workers[i];
        *number = i;
        if (worker->due_ms != 0 && worker->due_ms <= now && start(crew, i))
            return 1;
        if (worker->due_ms != 0 && (next == 0 || worker->due_ms < next))
            next = worker->due_ms;
    }
    if (crew->watchdog_ms != 0 && (next == 0 || next > now + crew->watchdog_ms))
        next = now + crew->watchdog_ms;
    if (next != 0) {
        uint64_t left = next > now ? next - now : 1;
        timer.it_value.tv_sec = (time_t)(left / 1000);
        timer.it_value.tv_usec = (suseconds_t)(left % 1000 * 1000);
    }
    setitimer(ITIMER_REAL, &timer, NULL);
    return 0;
}

/** Check what the workers will read, and keep it for those that are started later. */
static void
reload(struct crew *crew)
{
    struct service *service = crew->service;
    struct settings *settings = NULL;

    systemd_notify("RELOADING=1");
    int code = settings_reload(&settings, service->generation->settings);
    if (code == EXIT_DONE)
        code = service_check(settings);
    if (code == EXIT_DONE)
        code = sockets_check(settings, service->generation->settings);
    if (code == EXIT_DONE) {
        settings_free(service->generation->settings);
        service->generation->settings = settings;
        tell_all(crew, SIGHUP);
        for (unsigned i = 0; i < service->workers; i++)
            sockets_keep(&crew->workers[i].sockets, settings);
    } else {
        settings_free(settings);
        record_note(RECORD_ERROR, "not reloaded: the configuration from before stays");
    }
    systemd_notify("READY=1");
}

static void
end(struct crew *crew)
{
    crew->ending = 1;
    systemd_notify("STOPPING=1");
    tell_all(crew, SIGTERM);
}

static int
is_running(const struct crew *crew)
{
    for (unsigned i = 0; i < crew->service->workers; i++)
        if (crew->workers[i].pid > 0)
            return 1;
    return 0;
}

static void
heed(struct crew *crew, int number)
{
    if (number == SIGCHLD)
        reap(crew);
    if (number == SIGHUP && !crew->ending)
        reload(crew);
    if (number == SIGTERM || number == SIGINT)
        end(crew);
}

/** Watch until all is over. Returns 1 in a worker. */
static int
supervise(struct crew *crew, unsigned *number)
{
    int came;

    while (!crew->ending || is_running(crew)) {
        if (start_due(crew, number))
            return 1;
        if (sigwait(&crew->signals, &came) == 0)
            heed(crew, came);
        if (crew->watchdog_ms != 0)
            systemd_notify("WATCHDOG=1");
    }
    return 0;
}

static int
prepare(struct crew *crew)
{
    const struct settings *settings = crew->service->generation->settings;
    static const int numbers[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT, SIGALRM};
    int code = EXIT_DONE;

    for (unsigned i = 0; i < crew->service->workers && code == EXIT_DONE; i++) {
        crew->workers[i].due_ms = 1;
        code = sockets_open(&crew->workers[i].sockets, settings, 1,
                            i > 0 ? &crew->workers[0].sockets : NULL);
    }
    if (code == EXIT_DONE)
        code = user_become(settings->user);
    if (code == EXIT_DONE)
        code = oversight_check(crew->service);
    if (code == EXIT_DONE && duet__os_pipe(crew->leash, DUET__OS_WAITS) != 0)
        code = log_error(EXIT_LIMIT, "pipe: %s", errno_text());
    sigemptyset(&crew->signals);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&crew->signals, numbers[i]);
    sigprocmask(SIG_BLOCK, &crew->signals, &crew->before);
    return code;
}

int
workers_run(struct service *service)
{
    struct crew *crew = calloc(1, sizeof *crew);
    unsigned number = 0;

    if (crew == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    crew->service = service;
    crew->supervisor = getpid();
    crew->watchdog_ms = systemd_watchdog_ms();
    int code = prepare(crew);
    if (code == EXIT_DONE)
        systemd_notify("READY=1");
    if (code == EXIT_DONE && supervise(crew, &number)) {
        code = work(crew, number);
    } else {
        for (unsigned i = service->workers; i-- > 0;)
            sockets_close(&crew->workers[i].sockets, 1);
    }
    free(crew);
    return code;
}
