/*
 * The service's own life (see service.h): its loop, its signals, its end, and what it tells.
 */
#include "service.h"

#include "connection.h"
#include "log.h"
#include "os/os.h"
#include "record.h"
#include "systemd.h"
#include "user.h"
#include "workers.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- What it tells ---- */

const struct settings *
service_settings(const struct service *service)
{
    return service->generation->settings;
}

uv_loop_t *
service_loop(struct service *service)
{
    return &service->loop;
}

unsigned
service_worker(const struct service *service)
{
    return service->worker;
}

unsigned
service_workers(const struct service *service)
{
    return service->workers;
}

pid_t
service_supervisor(const struct service *service)
{
    return service->supervisor;
}

int
service_draining(const struct service *service)
{
    return service->draining;
}

const struct counters *
service_counters(const struct service *service, unsigned worker, size_t row)
{
    if (worker >= service->workers || row >= TUNNEL_ROWS)
        return NULL;
    return &service->counted[worker].tunnels[row];
}

const struct process_counters *
service_process(const struct service *service, unsigned worker)
{
    return worker < service->workers ? &service->counted[worker].process : NULL;
}

struct process_counters *
service_own(struct service *service)
{
    return &service->counted[service->worker].process;
}

static void
tell_session(const struct connection *c,
             void (*tell)(const struct service_session *session, void *context), void *context)
{
    uint64_t now = uv_now(&c->service->loop);
    duet_info info = {0};

    if (c->channel != NULL)
        duet_session_info(duet_channel_session(c->channel), &info);
    const struct service_session session = {.id = c->id,
                                            .tunnel = c->settings->name,
                                            .state = connection_state_name(c),
                                            .from = &c->from,
                                            .target = c->target,
                                            .secret_id = info.ready ? info.secret_id : NULL,
                                            .peer_key = info.has_peer_key ? info.peer_key : NULL,
                                            .bytes_in = c->in.bytes,
                                            .bytes_out = c->out.bytes,
                                            .age_ms = now - c->since_ms,
                                            .idle_ms = now - c->moved_ms};
    tell(&session, context);
}

void
service_each(struct service *service,
             void (*tell)(const struct service_session *session, void *context), void *context)
{
    struct connection *c;

    TAILQ_FOREACH (c, &service->connections, entry)
        tell_session(c, tell, context);
}

int
service_kill(struct service *service, uint64_t id)
{
    struct connection *c;

    TAILQ_FOREACH (c, &service->connections, entry)
        if (c->id == id) {
            connection_end(c, END_CUT, "it was told to end");
            return 0;
        }
    return -1;
}

/* ---- Reloading ---- */

int
service_check(struct settings *settings)
{
    for (size_t i = 0; i < settings->tunnel_count; i++) {
        duet_config *config = settings->tunnels[i].config;
        int first = settings->tunnels[i].side == TUNNEL_CLIENT;
        /* A client may send right behind its READY: its peer has proven the secret by then. */
        if (duet_config_set(config, DUET_SET_FRAME_SIZE, RELAY_FRAME) != DUET_OK ||
            duet_config_set(config, DUET_SET_MAX_PAYLOAD, RELAY_FRAME) != DUET_OK ||
            duet_config_set(config, DUET_SET_SPEAK_FIRST, (uint64_t)first) != DUET_OK)
            return log_error(EXIT_FAILED, "%s: the channel's limits", settings->tunnels[i].name);
    }
    return EXIT_DONE;
}

static struct generation *
new_generation(struct settings *settings)
{
    struct generation *generation = calloc(1, sizeof *generation);

    if (generation == NULL)
        return NULL;
    generation->settings = settings;
    generation->holders = 1;
    return generation;
}

/** All that can fail, before anything is changed. */
static int
prepare(struct service *service, struct settings *settings, struct generation **generation)
{
    int code = service_check(settings);

    if (code == EXIT_DONE)
        code = sockets_open(&service->sockets, settings, service->workers > 1, NULL);
    if (code != EXIT_DONE)
        return code;
    struct generation *made = new_generation(settings);
    code = made != NULL ? tunnels_make(service, made) : log_error(EXIT_LIMIT, "no memory");
    if (code != EXIT_DONE) {
        free(made);
        sockets_keep(&service->sockets, service->generation->settings);
        return code;
    }
    *generation = made;
    return EXIT_DONE;
}

/** Bring what is not open under the new generation. */
static void
reach_connections(struct service *service)
{
    struct connection *c, *next;

    for (c = TAILQ_FIRST(&service->connections); c != NULL; c = next) {
        next = TAILQ_NEXT(c, entry);
        renewal_reach(c);
    }
}

static int
take_over(struct service *service, struct generation *fresh)
{
    struct generation *old = service->generation;

    service->generation = fresh;
    int code = tunnels_renew(service);
    reach_connections(service);
    accept_resume(service); /* limits may be wider */
    sockets_keep(&service->sockets, fresh->settings);
    generation_release(old);
    record_start(fresh->settings->log_format, fresh->settings->log_target);
    return code;
}

int
service_reload(struct service *service)
{
    struct generation *fresh = NULL;
    struct settings *settings = NULL;

    if (service->draining)
        return log_error(EXIT_FAILED, "no reload: the service is ending");
    systemd_notify("RELOADING=1");
    int code = settings_reload(&settings, service->generation->settings);
    if (code == EXIT_DONE)
        code = prepare(service, settings, &fresh);
    if (code == EXIT_DONE) {
        code = take_over(service, fresh);
        service_own(service)->reloads++;
        if (code == EXIT_DONE)
            record_note(RECORD_INFO, "reloaded: new connections have the new configuration");
        else
            record_note(RECORD_ERROR, "reloaded, but not all of it is listened on: reload again");
    } else {
        settings_free(settings);
        service_own(service)->reload_failures++;
        record_note(RECORD_ERROR, "not reloaded: the configuration from before stays");
    }
    systemd_notify("READY=1");
    return code;
}

/* ---- Ending ---- */

static void
close_handle(uv_handle_t *handle, void *argument)
{
    (void)argument;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/** Nothing is left to serve: the loop ends once its handles are closed. */
static void
finish(struct service *service)
{
    if (service->ended)
        return;
    service->ended = 1;
    tunnels_free(service);
    oversight_stop(&service->oversight);
    uv_walk(&service->loop, close_handle, NULL);
}

void
service_left(struct service *service)
{
    if (service->draining && TAILQ_EMPTY(&service->connections))
        finish(service);
}

/** End all that is left. The last one ends the service. */
static void
cut_all(struct service *service, const char *why)
{
    struct connection *c;

    while ((c = TAILQ_FIRST(&service->connections)) != NULL)
        connection_end(c, c->is_half_open ? END_STRANGER : END_CUT, why);
}

static void
drained_long_enough(uv_timer_t *timer)
{
    cut_all(timer->data, "the service ended, and its time to drain was over");
}

void
service_drain(struct service *service)
{
    struct tunnel *tunnel;

    if (service->draining)
        return;
    TAILQ_FOREACH (tunnel, &service->tunnels, entry) {
        accept_last(tunnel);
        stranger_drain(tunnel);
    }
    service->draining = 1;
    systemd_notify("STOPPING=1");
    tunnels_close_ports(service);
    sockets_close(&service->sockets, service->workers == 1);
    uv_timer_start(&service->limit, drained_long_enough,
                   (uint64_t)service_settings(service)->drain_ms, 0);
    service_left(service);
}

/* ---- The loop ---- */

static void
hang_up(uv_signal_t *signal, int number)
{
    (void)number;
    (void)service_reload(signal->data);
}

/** The first one drains, the second one ends now. */
static void
terminate(uv_signal_t *signal, int number)
{
    struct service *service = signal->data;

    (void)number;
    if (service->draining)
        cut_all(service, "the service was told to end now");
    else
        service_drain(service);
}

static void
supervisor_is_gone(uv_poll_t *poll, int status, int events)
{
    struct service *service = poll->data;

    (void)status;
    (void)events;
    uv_poll_stop(poll);
    service_drain(service);
    cut_all(service, "the supervisor is gone");
}

static void
start_handles(struct service *service)
{
    uv_loop_t *loop = &service->loop;

    uv_check_init(loop, &service->after_poll);
    uv_idle_init(loop, &service->more_work);
    uv_timer_init(loop, &service->retry);
    uv_timer_init(loop, &service->starving);
    uv_timer_init(loop, &service->limit);
    uv_signal_init(loop, &service->hangup);
    uv_signal_init(loop, &service->terminate);
    uv_signal_init(loop, &service->interrupt);
    service->after_poll.data = service->retry.data = service->starving.data = service;
    service->limit.data = service->hangup.data = service;
    service->terminate.data = service->interrupt.data = service;
    uv_check_start(&service->after_poll, relay_run);
    uv_signal_start(&service->hangup, hang_up, SIGHUP);
    uv_signal_start(&service->terminate, terminate, SIGTERM);
    uv_signal_start(&service->interrupt, terminate, SIGINT);
    if (service->mask != NULL)
        sigprocmask(SIG_SETMASK, service->mask, NULL);
    if (service->leash > 0 && uv_poll_init(loop, &service->leash_poll, service->leash) == 0) {
        service->leash_poll.data = service;
        uv_poll_start(&service->leash_poll, UV_READABLE | UV_DISCONNECT, supervisor_is_gone);
    }
}

int
service_serve(struct service *service)
{
    if (uv_loop_init(&service->loop) != 0)
        return log_error(EXIT_LIMIT, "no event loop could be had");
    TAILQ_INIT(&service->tunnels);
    TAILQ_INIT(&service->connections);
    TAILQ_INIT(&service->ready);
    service->descriptors_most = accept_descriptors();
    memset(service_own(service), 0, sizeof *service_own(service));
    service_own(service)->pid = (uint64_t)getpid();
    service_own(service)->started_unix_ms = duet__os_unix_ms();
    start_handles(service);
    int code = tunnels_make(service, service->generation);
    if (code == EXIT_DONE)
        code = tunnels_renew(service);
    if (code == EXIT_DONE)
        code = oversight_start(&service->oversight, service);
    if (code == EXIT_DONE)
        systemd_notify("READY=1");
    else
        finish(service);
    uv_run(&service->loop, UV_RUN_DEFAULT);
    uv_loop_close(&service->loop);
    buffers_free(&service->buffers);
    service_own(service)->pid = 0;
    return code;
}

/* ---- Starting ---- */

/** What all workers share, made before any of them. */
static int
make_shared(struct service *service)
{
    service->replay = duet_replay_new(DUET_REPLAY_DEFAULT);
    service->counted = duet__os_shared_new(service->workers * sizeof *service->counted);
    if (service->replay == NULL || service->counted == NULL)
        return log_error(EXIT_LIMIT, "no memory for what the workers share");
    return EXIT_DONE;
}

static int
run(struct service *service)
{
    int code = service_check(service->generation->settings);

    if (code == EXIT_DONE)
        code = make_shared(service);
    if (code != EXIT_DONE)
        return code;
    if (service->workers > 1)
        return workers_run(service);
    code = sockets_open(&service->sockets, service->generation->settings, 0, NULL);
    if (code == EXIT_DONE)
        code = user_become(service->generation->settings->user);
    if (code == EXIT_DONE)
        code = oversight_check(service);
    return code == EXIT_DONE ? service_serve(service) : code;
}

int
service_run(struct settings *settings)
{
    struct service *service = calloc(1, sizeof *service);
    struct generation *generation = service != NULL ? new_generation(settings) : NULL;

    if (generation == NULL) {
        free(service);
        settings_free(settings);
        return log_error(EXIT_LIMIT, "no memory");
    }
    record_start(settings->log_format, settings->log_target);
    service->generation = generation;
    service->workers = settings->workers > 1 ? settings->workers : 1;
    int code = run(service);
    sockets_close(&service->sockets, service->workers == 1);
    generation_release(service->generation);
    duet_replay_free(service->replay);
    duet__os_shared_free(service->counted, service->workers * sizeof *service->counted);
    free(service);
    return code;
}
