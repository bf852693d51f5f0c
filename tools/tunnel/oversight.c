/*
 * Being watched over (see oversight.h).
 */
#include "oversight.h"

#include "control.h"
#include "metrics.h"
#include "say.h"
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

/** Each worker has a socket of its own. Returns an exit code. */
static int
start_control(struct oversight *oversight, struct service *service, const char *path)
{
    char own[256];

    int n = service_workers(service) > 1
                ? snprintf(own, sizeof own, "%s.%u", path, service_worker(service))
                : snprintf(own, sizeof own, "%s", path);
    if (n < 0 || (size_t)n >= sizeof own)
        return fail(EXIT_USAGE, "control socket %s: the path is too long", shown(path));
    return control_open(&oversight->control, service_loop(service), own, service);
}

int
oversight_start(struct oversight *oversight, struct service *service)
{
    const struct settings *settings = service_settings(service);
    int code = EXIT_DONE;

    start_watchdog(oversight, service);
    if (settings->control != NULL)
        code = start_control(oversight, service, settings->control);
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
