/*
 * The supervisor and its workers (see workers.h).
 *
 * The supervisor keeps the settings, to restart a worker that died, and otherwise sleeps until a
 * signal. A worker notices by the end of a pipe (the leash) that its supervisor is gone, and ends.
 */
#include "workers.h"

#include "connection.h"
#include "log.h"
#include "os/os.h"
#include "os/socket.h"
#include "systemd.h"
#include "user.h"

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
    unsigned pause_ms; /* before the next start: doubled while it keeps dying */
};

struct supervisor {
    struct service *service;
    struct worker workers[WORKERS_MOST];
    pid_t pid;
    int leash[2]; /* a pipe whose writing end is the supervisor's alone */
    sigset_t signals, before;
    uint64_t watchdog_ms; /* how often systemd is notified; 0: never */
    struct upgrade upgrade;
    int ending;
};

enum { LOOK_MS = 50 }; /* while an upgrade is under way */

/* ---- A worker ---- */

/** Close the sockets of the other workers, except those that this one shares. */
static void
close_other_sockets(struct supervisor *s, unsigned mine)
{
    for (unsigned i = s->service->view.workers; i-- > 1;)
        if (i != mine)
            sockets_close(&s->workers[i].sockets, 0);
    if (mine != 0)
        sockets_leave(&s->workers[0].sockets, &s->workers[mine].sockets);
}

static int
worker_main(struct supervisor *s, unsigned number)
{
    struct service *service = s->service;

    close(s->leash[1]);
    if (s->upgrade.pid != 0)
        close(s->upgrade.answer);
    close_other_sockets(s, number);
    unsetenv("NOTIFY_SOCKET"); /* the supervisor speaks for all */
    service->mask = &s->before;
    service->takeover = NULL; /* the supervisor has finished it */
    service->view.worker = number;
    service->view.supervisor = s->pid;
    service->leash = s->leash[0];
    service->sockets = s->workers[number].sockets;
    return service_serve(service);
}

/* ---- The supervisor ---- */

/** Start a worker. Returns 1 in the worker itself. */
static int
start_worker(struct supervisor *s, unsigned number)
{
    struct worker *worker = &s->workers[number];

    worker->started_ms = duet__os_now_ms();
    worker->due_ms = 0;
    /* Opens what a reload added. What cannot be opened is logged, and tried at the next start. */
    (void)sockets_open(&worker->sockets, s->service->view.settings, LISTEN_JOIN,
                       &s->workers[0].sockets);
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

/** Reset the gauges of a dead worker, and drop rows of tunnels that are no longer configured. */
static void
reset_counters(const struct settings *settings, struct worker_counters *counted)
{
    memset(&counted->process, 0, sizeof counted->process);
    for (size_t row = 0; row < TUNNEL_ROWS; row++) {
        struct counters *c = &counted->tunnels[row];
        size_t i = 0;
        c->open = c->half_open = c->waiting = c->listening = c->targets_up = 0;
        while (i < settings->tunnel_count && strcmp(settings->tunnels[i].name, c->name) != 0)
            i++;
        if (i == settings->tunnel_count)
            memset(c->name, 0, sizeof c->name);
    }
}

/** A worker has died: log it, and let it be started again after a pause. */
static void
worker_died(struct supervisor *s, unsigned number, int status)
{
    struct worker *worker = &s->workers[number];
    uint64_t now = duet__os_now_ms();

    worker->pid = 0;
    reset_counters(s->service->view.settings, &s->service->counted[number]);
    if (s->ending)
        return;
    if (now >= worker->started_ms + STEADY_MS || worker->pause_ms == 0)
        worker->pause_ms = PAUSE_LEAST_MS;
    else if (worker->pause_ms <= PAUSE_MOST_MS / 2)
        worker->pause_ms *= 2;
    else
        worker->pause_ms = PAUSE_MOST_MS;
    worker->due_ms = now + worker->pause_ms;
    if (WIFSIGNALED(status))
        record_note(RECORD_ERROR, "worker %u died of signal %d: it is restarted in %u ms", number,
                    WTERMSIG(status), worker->pause_ms);
    else
        record_note(RECORD_ERROR, "worker %u died with exit code %d: it is restarted in %u ms",
                    number, WEXITSTATUS(status), worker->pause_ms);
}

static void
reap_workers(struct supervisor *s)
{
    int status;

    for (unsigned i = 0; i < s->service->view.workers; i++)
        if (s->workers[i].pid > 0 && waitpid(s->workers[i].pid, &status, WNOHANG) > 0)
            worker_died(s, i, status);
}

/** Send a signal to all workers. Returns how many run. */
static unsigned
signal_workers(const struct supervisor *s, int number)
{
    unsigned running = 0;

    for (unsigned i = 0; i < s->service->view.workers; i++)
        if (s->workers[i].pid > 0) {
            (void)kill(s->workers[i].pid, number);
            running++;
        }
    return running;
}

/** Start those whose pause is over, and set an alarm for the next. Returns 1 in a worker. */
static int
start_due(struct supervisor *s, unsigned *number)
{
    struct itimerval timer = {0};
    uint64_t now = duet__os_now_ms(), next = 0;

    for (unsigned i = 0; i < s->service->view.workers && !s->ending; i++) {
        struct worker *worker = &s->workers[i];
        *number = i;
        if (worker->due_ms != 0 && worker->due_ms <= now && start_worker(s, i))
            return 1;
        if (worker->due_ms != 0 && (next == 0 || worker->due_ms < next))
            next = worker->due_ms;
    }
    if (s->upgrade.pid != 0 && (next == 0 || next > now + LOOK_MS))
        next = now + LOOK_MS;
    if (s->watchdog_ms != 0 && (next == 0 || next > now + s->watchdog_ms))
        next = now + s->watchdog_ms;
    if (next != 0) {
        uint64_t left = next > now ? next - now : 1;
        timer.it_value.tv_sec = (time_t)(left / 1000);
        timer.it_value.tv_usec = (suseconds_t)(left % 1000 * 1000);
    }
    setitimer(ITIMER_REAL, &timer, NULL);
    return 0;
}

/** Check what the workers will read, signal them to reload, and keep it for later starts. */
static void
supervisor_reload(struct supervisor *s)
{
    struct service *service = s->service;
    struct settings *settings = NULL;

    if (s->upgrade.pid != 0) {
        record_note(RECORD_ERROR, "not reloaded: an upgrade is under way");
        return;
    }
    systemd_notify("RELOADING=1");
    int code = settings_reload(&settings, service->view.settings);
    if (code == EXIT_DONE)
        code = relay_configure(settings);
    if (code == EXIT_DONE)
        code = sockets_check(settings, service->view.settings);
    if (code == EXIT_DONE) {
        settings_free(service->generation->settings);
        service->generation->settings = settings;
        service->view.settings = settings;
        signal_workers(s, SIGHUP);
        for (unsigned i = 0; i < service->view.workers; i++)
            sockets_keep(&s->workers[i].sockets, settings);
    } else {
        settings_free(settings);
        record_note(RECORD_ERROR, "not reloaded: the configuration from before stays");
    }
    systemd_notify("READY=1");
}

/** Start a supervisor that is to take over. */
static void
supervisor_upgrade(struct supervisor *s)
{
    const struct service *service = s->service;
    const struct sockets *sets[WORKERS_MOST];
    const struct upgrade_parts parts = {sets, service->view.workers, service->replay_fd,
                                        service->replay_size};

    for (unsigned i = 0; i < service->view.workers; i++)
        sets[i] = &s->workers[i].sockets;
    if (s->ending)
        record_note(RECORD_ERROR, "not upgraded: this service is ending");
    else
        (void)upgrade_start(&s->upgrade, &parts);
}

/** The other supervisor is ready: the workers go on with what is open, and are not replaced. */
static void
supervisor_leave(struct supervisor *s)
{
    s->ending = 1;
    for (unsigned i = 0; i < s->service->view.workers; i++)
        s->service->counted[i].process.has_left = 1;
    signal_workers(s, SIGUSR2);
    for (unsigned i = s->service->view.workers; i-- > 0;)
        sockets_close(&s->workers[i].sockets, 0);
    upgrade_go(&s->upgrade);
}

static void
supervisor_signal(struct supervisor *s, int number)
{
    if (number == SIGCHLD)
        reap_workers(s);
    if (number == SIGHUP && !s->ending)
        supervisor_reload(s);
    if (number == SIGUSR2)
        supervisor_upgrade(s);
    if (number == SIGTERM || number == SIGINT) {
        upgrade_cancel(&s->upgrade, "the service is ending");
        s->ending = 1;
        systemd_notify("STOPPING=1");
        signal_workers(s, SIGTERM);
    }
}

/** Watch over the workers until all have ended. Returns 1 in a worker. */
static int
supervise(struct supervisor *s, unsigned *number)
{
    int signal;

    while (!s->ending || signal_workers(s, 0) > 0) {
        if (start_due(s, number))
            return 1;
        if (sigwait(&s->signals, &signal) == 0)
            supervisor_signal(s, signal);
        if (s->upgrade.pid != 0 && upgrade_look(&s->upgrade) == UPGRADE_IS_READY)
            supervisor_leave(s);
        if (s->watchdog_ms != 0)
            systemd_notify("WATCHDOG=1");
    }
    return 0;
}

/** All is ready to serve in the place of the service before, if there is one. */
static int
supervisor_take_over(struct supervisor *s)
{
    const struct settings *settings = s->service->view.settings;
    int code = takeover_finish(s->service->takeover);

    if (code != EXIT_DONE || !s->service->view.takes_over)
        return code;
    for (unsigned i = 0; i < s->service->view.workers; i++) {
        sockets_own(&s->workers[i].sockets, settings);
        sockets_keep(&s->workers[i].sockets, settings);
    }
    return EXIT_DONE;
}

/** Open all sockets, give up root, and block the signals that are waited for. */
static int
prepare_supervisor(struct supervisor *s)
{
    static const int numbers[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT, SIGALRM, SIGUSR2};
    struct takeover *takeover = s->service->takeover;
    const struct settings *settings = s->service->view.settings;
    unsigned workers = s->service->view.workers;
    int code = EXIT_DONE;

    for (unsigned i = 0; i < workers && code == EXIT_DONE; i++) {
        s->workers[i].due_ms = 1;
        s->workers[i].sockets = takeover->sets[i];
        takeover->sets[i] = (struct sockets){0};
        code = sockets_open(&s->workers[i].sockets, settings, LISTEN_FIRST,
                            i > 0 ? &s->workers[0].sockets : NULL);
    }
    listener_end_start();
    if (code == EXIT_DONE)
        code = user_become(settings->user);
    if (code == EXIT_DONE)
        code = admin_check(settings, workers, s->service->view.takes_over);
    if (code == EXIT_DONE && duet__os_pipe(s->leash, DUET__OS_WAITS) != 0)
        code = log_error(EXIT_LIMIT, "pipe: %s", errno_text());
    sigemptyset(&s->signals);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&s->signals, numbers[i]);
    sigprocmask(SIG_BLOCK, &s->signals, &s->before);
    signal(SIGUSR2, SIG_DFL); /* an ignored one might not be waited for */
    return code == EXIT_DONE ? supervisor_take_over(s) : code;
}

int
workers_run(struct service *service)
{
    struct supervisor *s = calloc(1, sizeof *s);
    unsigned number = 0;

    if (s == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    s->service = service;
    s->pid = getpid();
    s->watchdog_ms = systemd_watchdog_ms();
    int code = prepare_supervisor(s);
    if (code == EXIT_DONE)
        systemd_notify("READY=1");
    if (code == EXIT_DONE && supervise(s, &number)) {
        code = worker_main(s, number);
    } else {
        for (unsigned i = service->view.workers; i-- > 0;)
            sockets_close(&s->workers[i].sockets, 1);
    }
    free(s);
    return code;
}
