/*
 * Being watched over (see admin.h).
 */
#include "admin.h"

#include "control.h"
#include "log.h"
#include "metrics.h"
#include "systemd.h"

#include <stdio.h>

static void
pat(uv_timer_t *timer)
{
    (void)timer;
    systemd_notify("WATCHDOG=1");
}

static void
start_watchdog(struct oversight *oversight, struct service *service)
{
    uint64_t ms = systemd_watchdog_ms(); /* 0 in a worker: its supervisor gives the sign */

    uv_timer_init(service_loop(service), &oversight->watchdog);
    uv_unref((uv_handle_t *)&oversight->watchdog);
    if (ms > 0)
        uv_timer_start(&oversight->watchdog, pat, 0, ms);
}

enum { PATH_MOST = 256 }; /* bytes; a socket's path is shorter, and refused where it is not */

/** Each worker has a socket of its own. */
static void
control_path(char out[PATH_MOST], const struct service *service, unsigned worker)
{
    const char *path = service_settings(service)->control;

    if (service_workers(service) > 1)
        snprintf(out, PATH_MOST, "%s.%u", path, worker);
    else
        snprintf(out, PATH_MOST, "%s", path);
}

static int
start_control(struct oversight *oversight, struct service *service)
{
    char path[PATH_MOST];

    control_path(path, service, service_worker(service));
    int code = control_open(&oversight->control, service_loop(service), path, service);
    if (code == EXIT_DONE || service_workers(service) == 1)
        return code;
    log_warning("worker %u: duet ctl does not reach it until it is started anew",
                service_worker(service));
    return EXIT_DONE;
}

/** What a service of another number of workers may have left. */
static void
sweep(const struct service *service)
{
    const char *control = service_settings(service)->control;
    unsigned workers = service_workers(service);
    char path[PATH_MOST];

    if (workers > 1)
        control_sweep(control);
    for (unsigned i = workers > 1 ? workers : 0; i < WORKERS_MOST; i++) {
        snprintf(path, sizeof path, "%s.%u", control, i);
        control_sweep(path);
    }
}

int
oversight_check(const struct service *service)
{
    char path[PATH_MOST];
    int code = EXIT_DONE;

    if (service_settings(service)->control == NULL)
        return EXIT_DONE;
    for (unsigned i = 0; i < service_workers(service) && code == EXIT_DONE; i++) {
        control_path(path, service, i);
        code = control_check(path);
    }
    if (code == EXIT_DONE)
        sweep(service);
    return code;
}

int
oversight_start(struct oversight *oversight, struct service *service)
{
    const struct settings *settings = service_settings(service);
    int code = EXIT_DONE;

    start_watchdog(oversight, service);
    if (settings->control != NULL)
        code = start_control(oversight, service);
    if (code == EXIT_DONE && settings->metrics_file != NULL && service_worker(service) == 0)
        code = metrics_start(&oversight->metrics, service, settings->metrics_file,
                             settings->metrics_ms);
    return code;
}

void
oversight_stop(struct oversight *oversight)
{
    control_close(oversight->control);
    metrics_stop(oversight->metrics);
    oversight->control = NULL;
    oversight->metrics = NULL;
}
