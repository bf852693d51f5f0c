/*
 * Starting the service (see service.h): what all its processes share, then this process alone or
 * the supervisor with its workers.
 */
#include "connection.h"

#include "log.h"
#include "os/os.h"
#include "service.h"
#include "user.h"
#include "workers.h"

#include <stdlib.h>

/** Make what all workers share, before any of them is there. */
static int
make_shared(struct service *service)
{
    service->replay = duet_replay_new(service->view.settings->replay_size);
    service->counted = duet__os_shared_new(service->view.workers * sizeof *service->counted);
    service->view.counted = service->counted;
    if (service->replay == NULL || service->counted == NULL)
        return log_error(EXIT_LIMIT, "no memory for what the workers share");
    return EXIT_DONE;
}

/** Bind ports, give up root, and serve. */
static int
start_service(struct service *service)
{
    struct settings *settings = service->generation->settings;
    int code = relay_configure(settings);

    if (code == EXIT_DONE)
        code = make_shared(service);
    if (code != EXIT_DONE)
        return code;
    if (service->view.workers > 1)
        return workers_run(service);
    code = sockets_open(&service->sockets, settings, LISTEN_ALONE, NULL);
    listener_end_start();
    if (code == EXIT_DONE)
        code = user_become(settings->user);
    if (code == EXIT_DONE)
        code = admin_check(settings, 1);
    return code == EXIT_DONE ? service_serve(service) : code;
}

int
service_run(struct settings *settings)
{
    struct service *service = calloc(1, sizeof *service);
    struct generation *generation = service != NULL ? generation_new(settings) : NULL;

    if (generation == NULL) {
        free(service);
        settings_free(settings);
        return log_error(EXIT_LIMIT, "no memory");
    }
    record_start(settings->log_format, settings->log_target);
    service->generation = generation;
    service->view.settings = settings;
    service->view.workers = settings->workers > 1 ? settings->workers : 1;
    int code = start_service(service);
    sockets_close(&service->sockets, service->view.workers == 1);
    generation_release(service->generation);
    duet_replay_free(service->replay);
    duet__os_shared_free(service->counted, service->view.workers * sizeof *service->counted);
    free(service);
    return code;
}
