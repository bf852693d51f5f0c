/*
 * The admin parts of a process (see admin.h). How the control socket works is in control.c, what it
 * answers in answer.c.
 */
#include "admin.h"

#include "control.h"
#include "http.h"
#include "log.h"
#include "metrics.h"
#include "systemd.h"

#include <stdio.h>

static void
notify_watchdog(uv_timer_t *timer)
{
    (void)timer;
    systemd_notify("WATCHDOG=1");
}

enum { PATH_MOST = 256 }; /* bytes; a longer one is no socket's path, and refused by control.c */

/** Each of several workers has a socket of its own. */
static void
control_path(char out[PATH_MOST], const char *path, unsigned worker, unsigned workers)
{
    if (workers > 1)
        snprintf(out, PATH_MOST, "%s.%u", path, worker);
    else
        snprintf(out, PATH_MOST, "%s", path);
}

static int
start_control(struct admin *admin, struct admin_view *view)
{
    char path[PATH_MOST];

    control_path(path, view->settings->control, view->worker, view->workers);
    int code = control_open(&admin->control, path, view);
    if (code == EXIT_DONE || view->workers == 1)
        return code;
    log_warning("worker %u: duet ctl cannot reach it until it is restarted", view->worker);
    return EXIT_DONE;
}

int
admin_check(const struct settings *settings, unsigned workers, int takes_over)
{
    char path[PATH_MOST];
    int code = EXIT_DONE;

    if (settings->control == NULL)
        return EXIT_DONE;
    for (unsigned i = 0; i < workers && code == EXIT_DONE; i++) {
        control_path(path, settings->control, i, workers);
        code = control_check(path, takes_over);
    }
    if (code != EXIT_DONE || takes_over)
        return code;
    /* A service with another number of workers may have left others: duet ctl would ask there. */
    if (workers > 1)
        control_remove_dead(settings->control);
    for (unsigned i = workers > 1 ? workers : 0; i < WORKERS_MOST; i++) {
        control_path(path, settings->control, i, WORKERS_MOST);
        control_remove_dead(path);
    }
    return EXIT_DONE;
}

int
admin_start(struct admin *admin, struct admin_view *view)
{
    const struct settings *settings = view->settings;
    uint64_t watchdog_ms = systemd_watchdog_ms(); /* 0 in a worker: its supervisor notifies */
    int code = EXIT_DONE;

    uv_timer_init(view->loop, &admin->watchdog);
    uv_unref((uv_handle_t *)&admin->watchdog);
    if (watchdog_ms > 0)
        uv_timer_start(&admin->watchdog, notify_watchdog, 0, watchdog_ms);
    if (settings->control != NULL)
        code = start_control(admin, view);
    view->takes_over = 0; /* from now on a socket there that is served is not replaced */
    if (code == EXIT_DONE && settings->metrics_file != NULL && view->worker == 0)
        code = metrics_start(&admin->metrics, view, settings->metrics_file, settings->metrics_ms);
    if (code == EXIT_DONE)
        code = http_renew(&admin->http, view);
    return code;
}

/** Make the control socket anew if its file was removed. */
static void
renew_control(struct admin *admin, struct admin_view *view)
{
    if (view->settings->control == NULL)
        return;
    if (admin->control != NULL && !control_is_removed(admin->control))
        return;
    if (admin->control != NULL)
        log_warning("control socket %s: its file was removed, and is made anew",
                    printable(view->settings->control));
    control_close(admin->control);
    if (start_control(admin, view) != EXIT_DONE)
        log_warning("duet ctl cannot reach the service; a reload tries again");
}

void
admin_renew(struct admin *admin, struct admin_view *view)
{
    (void)http_renew(&admin->http, view);
    renew_control(admin, view);
}

void
admin_drain(struct admin *admin)
{
    http_drain(admin->http);
}

void
admin_leave(struct admin *admin)
{
    http_drain(admin->http);
    metrics_leave(admin->metrics);
    admin->metrics = NULL;
}

void
admin_stop(struct admin *admin)
{
    control_close(admin->control);
    metrics_stop(admin->metrics);
    http_stop(admin->http);
    admin->http = NULL;
    admin->control = NULL;
    admin->metrics = NULL;
}
