/*
 * The hot reload of one process's configuration: everything that can fail first, then the change.
 *
 * Open connections keep their settings. Those that are not open are brought under the new ones, as
 * a peer is judged by what holds when it authenticates, not by what held when it connected
 * (lifecycle_reload()). The supervisor's part is in workers.c.
 */
#include "connection.h"

#include "log.h"
#include "systemd.h"

#include <stdlib.h>

/** Make a generation of new settings, with its sockets and tunnels. On failure nothing has changed,
 * and the settings are the caller's. */
static int
prepare_reload(struct service *service, struct settings *settings, struct generation **generation)
{
    int code = relay_configure(settings);

    if (code == EXIT_DONE)
        code = sockets_open(&service->sockets, settings,
                            service->view.workers > 1 ? LISTEN_JOIN : LISTEN_ALONE, NULL);
    if (code != EXIT_DONE)
        return code;
    *generation = generation_new(settings);
    if (*generation == NULL)
        code = log_error(EXIT_LIMIT, "no memory");
    else
        code = tunnels_make(service, *generation);
    if (code != EXIT_DONE) {
        free(*generation);
        sockets_return(&service->sockets, service->generation->settings);
    }
    return code;
}

/** Use a new generation. */
static int
take_over(struct service *service, struct generation *fresh)
{
    struct generation *old = service->generation;
    struct connection *c, *next;

    service->generation = fresh;
    service->view.settings = fresh->settings;
    int code = tunnels_renew(service);
    for (c = TAILQ_FIRST(&service->connections); c != NULL; c = next) {
        next = TAILQ_NEXT(c, entry);
        lifecycle_reload(c);
    }
    accept_resume(service); /* limits may be wider */
    admin_renew(&service->admin, &service->view);
    sockets_keep(&service->sockets, fresh->settings);
    generation_release(old);
    record_start(fresh->settings->log_format, fresh->settings->log_target);
    return code;
}

int
reload_service(struct service *service)
{
    struct generation *fresh = NULL;
    struct settings *settings = NULL;

    if (service->view.draining)
        return log_error(EXIT_FAILED, "not reloaded: the service is ending");
    if (service->upgrade.pid != 0)
        return log_error(EXIT_FAILED, "not reloaded: an upgrade is under way");
    systemd_notify("RELOADING=1");
    int code = settings_reload(&settings, service->generation->settings);
    if (code == EXIT_DONE)
        code = prepare_reload(service, settings, &fresh);
    if (code == EXIT_DONE) {
        code = take_over(service, fresh);
        service_counters(service)->reloads++;
        if (code == EXIT_DONE)
            record_note(RECORD_INFO, "reloaded: new connections have the new configuration");
        else
            record_note(RECORD_ERROR, "reloaded, but not all of it is listened on: reload again");
    } else {
        settings_free(settings);
        service_counters(service)->reload_failures++;
        record_note(RECORD_ERROR, "not reloaded: the configuration from before stays");
    }
    systemd_notify("READY=1");
    return code;
}
