/*
 * Starting the service (see service.h): what all its processes share, then this process alone or
 * the supervisor with its workers.
 */
#include "connection.h"

#include "log.h"
#include "os/os.h"
#include "passphrase.h"
#include "service.h"
#include "user.h"
#include "workers.h"

#include <signal.h>
#include <stdlib.h>

/** Make what all workers share, before any of them is there. */
static int
make_shared(struct service *service)
{
    const struct takeover *takeover = service->takeover;

    service->replay_fd = takeover->replay_fd;
    service->replay_size =
        takeover->replay_fd >= 0 ? takeover->replay_entries : service->view.settings->replay_size;
    duet__os_shared_behind(&service->replay_fd);
    service->replay = duet_replay_new(service->replay_size);
    if (service->replay == NULL && takeover->replay_fd >= 0)
        return log_error(EXIT_USAGE,
                         "upgrade: this version keeps its replay cache in another form, so that "
                         "it cannot be taken over; restart the service");
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
        code = takeover_begin(service->takeover, settings);
    service->view.takes_over = service->takeover->answer >= 0;
    if (service->view.takes_over)
        listener_end_start(); /* what was passed is in the list, and has another number now */
    if (code == EXIT_DONE)
        code = make_shared(service);
    if (code != EXIT_DONE)
        return code;
    if (service->view.workers > 1)
        return workers_run(service);
    service->sockets = service->takeover->sets[0];
    service->takeover->sets[0] = (struct sockets){0};
    code = sockets_open(&service->sockets, settings, LISTEN_ALONE, NULL);
    listener_end_start();
    if (code == EXIT_DONE)
        code = user_become(settings->user);
    if (code == EXIT_DONE)
        code = admin_check(settings, 1, service->view.takes_over);
    return code == EXIT_DONE ? service_serve(service) : code;
}

int
service_prepare(void)
{
    signal(SIGUSR2, SIG_IGN); /* until there is a handler */
    if (!takeover_is_due())
        return EXIT_DONE;
    passphrase_ask_no_more();
    return takeover_detach();
}

int
service_run(struct settings *settings)
{
    struct service *service = calloc(1, sizeof *service);
    struct takeover *takeover = calloc(1, sizeof *takeover);
    struct generation *generation =
        service != NULL && takeover != NULL ? generation_new(settings) : NULL;

    if (generation == NULL) {
        free(service);
        free(takeover);
        settings_free(settings);
        return log_error(EXIT_LIMIT, "no memory");
    }
    record_start(settings->log_format, settings->log_target);
    service->generation = generation;
    service->takeover = takeover;
    service->view.settings = settings;
    service->view.workers = settings->workers > 1 ? settings->workers : 1;
    int code = start_service(service);
    sockets_close(&service->sockets, service->view.workers == 1 && !service->has_left);
    takeover_close(takeover);
    free(takeover);
    generation_release(service->generation);
    duet_replay_free(service->replay);
    duet__os_shared_free(service->counted, service->view.workers * sizeof *service->counted);
    free(service);
    return code;
}
