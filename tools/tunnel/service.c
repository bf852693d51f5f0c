/*
 * One process of the service: its loop, its signals, and its graceful shutdown: at SIGTERM it
 * accepts nothing more and ends with its last connection, or when its time to drain is over.
 *
 * Which processes there are is start.c's and workers.c's matter.
 */
#include "connection.h"

#include "log.h"
#include "os/os.h"
#include "systemd.h"
#include "udp.h"

#include <string.h>
#include <unistd.h>

/* ---- What the admin parts ask for ---- */

/** What a flow of UDP has carried; NULL: it is a connection. */
static const struct session_datagrams *
count_datagrams(const struct connection *c, struct session_datagrams *out)
{
    if (c->udp == NULL)
        return NULL;
    *out = (struct session_datagrams){c->udp->received, c->udp->sent, c->udp->dropped,
                                      c->udp->out.count};
    return out;
}

static void
service_each_session(void *context, session_printer *print, void *out)
{
    struct service *service = context;
    const struct connection *c;
    uint64_t now = uv_now(&service->loop);

    TAILQ_FOREACH (c, &service->connections, entry) {
        duet_info info = {0};
        if (c->channel != NULL)
            duet_session_info(duet_channel_session(c->channel), &info);
        struct session_datagrams datagrams;
        int is_from_nowhere = c->pool != NULL; /* it is dialled, for nobody yet */
        const struct session_row row = {.id = c->id,
                                        .tunnel = c->settings->name,
                                        .state = connection_state_name(c),
                                        .from = is_from_nowhere ? NULL : &c->from.any,
                                        .target = c->target,
                                        .secret_id = info.ready ? info.secret_id : NULL,
                                        .peer_key = info.has_peer_key ? info.peer_key : NULL,
                                        .is_hybrid = info.ready && info.hybrid,
                                        .refreshes = info.refreshes,
                                        .bytes_in = c->in.bytes,
                                        .bytes_out = c->out.bytes,
                                        .age_ms = now - c->since_ms,
                                        .idle_ms = now - c->moved_ms,
                                        .datagrams = count_datagrams(c, &datagrams)};
        print(&row, out);
    }
}

static void
service_each_bound(void *context, const struct tunnel_settings *tunnel, bound_printer *print,
                   void *out)
{
    const struct service *service = context;
    char room[RECORD_ADDRESS];

    for (size_t i = 0; i < service->sockets.count; i++) {
        const struct socket_entry *entry = &service->sockets.entries[i];
        int is_its = 0;
        for (size_t j = 0; j < settings_address_count(tunnel); j++)
            is_its |= strcmp(settings_address(tunnel, j), entry->address) == 0;
        for (unsigned j = 0; j < entry->listener.count && is_its; j++) {
            struct sockaddr_storage at = {0};
            socklen_t size = sizeof at;
            int is_ip = getsockname(entry->listener.fds[j], (struct sockaddr *)&at, &size) == 0 &&
                        at.ss_family != AF_UNIX;
            print(is_ip ? record_address(room, (const struct sockaddr *)&at) : entry->address, out);
        }
    }
}

/** 1 when a connection is one of those that kill means. */
static int
is_meant(const struct connection *c, const struct kill_request *kill)
{
    char secret[2 * DUET_SECRET_ID_SIZE + 1], key[DUET_KEY_TEXT_SIZE];
    duet_info info = {0};

    if (kill->by == KILL_ID)
        return c->id == kill->id;
    if (kill->by == KILL_TUNNEL)
        return !c->is_undecided && strcmp(c->settings->name, kill->value) == 0;
    if (c->channel != NULL)
        duet_session_info(duet_channel_session(c->channel), &info);
    if (kill->by == KILL_SECRET) {
        to_hex(secret, info.secret_id, DUET_SECRET_ID_SIZE);
        return info.ready && strcmp(secret, kill->value) == 0;
    }
    if (!info.has_peer_key)
        return 0;
    duet_key_text(key, info.peer_key);
    return strcmp(key, kill->value) == 0;
}

static unsigned
service_kill(void *context, const struct kill_request *kill)
{
    struct service *service = context;
    struct connection *c;

    for (unsigned count = 0;; count++) {
        TAILQ_FOREACH (c, &service->connections, entry)
            if (is_meant(c, kill))
                break;
        if (c == NULL)
            return count;
        /* Others may end with it, so the next search is from the list's begin. */
        connection_end(c, connection_is_half_open(c) ? END_UNAUTHENTICATED : END_CUT,
                       "ended by duet ctl kill");
    }
}

static int
service_reload(void *context)
{
    return reload_service(context);
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
service_finish(struct service *service)
{
    if (service->ended)
        return;
    service->ended = 1;
    limit_log_rest(service);
    linger_end_all(service);
    tunnels_free(service);
    resolver_close(service->resolver);
    service->resolver = NULL;
    admin_stop(&service->admin);
    uv_walk(&service->loop, close_handle, NULL);
}

static void
finish_if_drained(struct service *service)
{
    if (service->view.draining && TAILQ_EMPTY(&service->connections))
        service_finish(service);
}

static void leave_sockets(struct service *service);

/** A connection has ended: others may be accepted. The last one ends a service that drains. */
static void
service_on_left(struct tunnel *tunnel)
{
    struct service *service = tunnel->service;

    tunnel_release_unused(tunnel);
    accept_resume(service);
    if (service->has_left && service->sockets.count > 0 &&
        !uv_is_active((const uv_handle_t *)&service->upgrade_timer))
        leave_sockets(service);
    finish_if_drained(service);
}

/** A connection that served nobody will end. */
static void
service_on_unused(struct connection *c, const char *reason)
{
    if (c->pool != NULL)
        pool_lost(c, reason);
    else if (reason[0] != 0 && !c->service->view.draining)
        record_note(RECORD_INFO, "%s: a connection that waited has ended: %s", c->settings->name,
                    reason);
}

/** The service ends: nobody will use what waits, and flows of datagrams would go on. One that
 * another process has taken over from lets these end as they do otherwise. */
static void
end_unused(struct service *service)
{
    int keeps_flows = service->has_left && !service->is_stopping;
    struct connection *c, *next;

    for (c = TAILQ_FIRST(&service->connections); c != NULL; c = next) {
        next = TAILQ_NEXT(c, entry);
        if (c->is_pooled)
            connection_end(c, END_DONE, "");
        else if (!keeps_flows)
            udp_flow_drain(c);
    }
}

static void
end_all(struct service *service, const char *why)
{
    struct connection *c;

    while ((c = TAILQ_FIRST(&service->connections)) != NULL)
        connection_end(c, connection_is_half_open(c) ? END_UNAUTHENTICATED : END_CUT, why);
}

static void
drain_is_over(uv_timer_t *timer)
{
    end_all(timer->data, "the service ended, and its time to drain was over");
}

static void
service_drain(struct service *service)
{
    struct tunnel *tunnel;

    if (service->view.draining)
        return;
    handover_cancel(service, "the service is ending");
    TAILQ_FOREACH (tunnel, &service->tunnels, entry) {
        accept_last(tunnel);
        half_open_drain(tunnel);
    }
    service->view.draining = 1;
    systemd_notify("STOPPING=1");
    tunnels_close_ports(service);
    admin_drain(&service->admin);
    sockets_close(&service->sockets, service->view.workers == 1);
    end_unused(service);
    uv_timer_start(&service->limit, drain_is_over, (uint64_t)service->view.settings->drain_ms, 0);
    finish_if_drained(service);
}

/* ---- Another process takes over ---- */

enum { LEAVE_MS = 10000 };

/** Close the listening sockets, but those by which a client's flows of datagrams send what is for
 * their sources: the process that took over reads these. */
static void
leave_sockets(struct service *service)
{
    if (udp_flows_hold_socket(service))
        sockets_keep_udp(&service->sockets);
    else
        sockets_close(&service->sockets, 0);
}

/** The process that took over has had time to dial its own: end what serves nobody. */
static void
leave_is_over(uv_timer_t *timer)
{
    struct service *service = timer->data;

    tunnels_close_ports(service);
    end_unused(service);
    leave_sockets(service);
}

/** A client's peers that wait dial again at once, and reach the process that took over. */
static void
end_waiting_peers(struct service *service)
{
    struct tunnel *tunnel;

    TAILQ_FOREACH (tunnel, &service->tunnels, entry)
        while (!TAILQ_EMPTY(&tunnel->waiting))
            connection_end(TAILQ_FIRST(&tunnel->waiting), END_DONE, "");
}

/** Another process serves now, with the same sockets: go on with what is open, half-open too, for
 * as long as that goes on: an upgrade costs no connection. */
static void
service_leave(struct service *service)
{
    if (service->view.draining)
        return;
    service->view.draining = 1;
    service->has_left = 1;
    admin_leave(&service->admin);
    int is_waited = tunnels_leave_ports(service);
    if (!is_waited)
        leave_sockets(service);
    uv_timer_start(&service->upgrade_timer, leave_is_over, LEAVE_MS, 0);
    end_waiting_peers(service);
    finish_if_drained(service);
}

/** SIGTERM after that, which systemd sends to all processes: as at the first one otherwise. */
static void
stop_leaving(struct service *service)
{
    struct tunnel *tunnel;

    service->is_stopping = 1;
    TAILQ_FOREACH (tunnel, &service->tunnels, entry)
        half_open_drain(tunnel);
    uv_timer_start(&service->limit, drain_is_over, (uint64_t)service->view.settings->drain_ms, 0);
    leave_is_over(&service->upgrade_timer);
    finish_if_drained(service);
}

/** A worker's supervisor says when another service has taken over. */
static void
on_upgrade(uv_signal_t *signal, int number)
{
    struct service *service = signal->data;

    (void)number;
    if (service->view.supervisor == 0)
        handover_start(service, service_leave);
    else if (service_counters(service)->has_left)
        service_leave(service);
}

/* ---- The loop ---- */

static void
on_hangup(uv_signal_t *signal, int number)
{
    (void)number;
    (void)reload_service(signal->data);
}

/** The first signal drains, the second one ends now. */
static void
on_terminate(uv_signal_t *signal, int number)
{
    struct service *service = signal->data;

    (void)number;
    if (service->has_left && !service->is_stopping)
        stop_leaving(service);
    else if (service->view.draining)
        end_all(service, "the service was asked to end now");
    else
        service_drain(service);
}

static void
on_supervisor_gone(uv_poll_t *poll, int status, int events)
{
    struct service *service = poll->data;

    (void)status;
    (void)events;
    uv_poll_stop(poll);
    service_drain(service);
    end_all(service, "the supervisor is gone");
}

static void
start_handles(struct service *service)
{
    uv_loop_t *loop = &service->loop;

    service->resolver = resolver_new(loop);
    uv_check_init(loop, &service->after_poll);
    uv_idle_init(loop, &service->more_work);
    uv_timer_init(loop, &service->retry);
    uv_timer_init(loop, &service->starving);
    uv_timer_init(loop, &service->trials);
    uv_timer_init(loop, &service->limit);
    uv_signal_init(loop, &service->hangup);
    uv_signal_init(loop, &service->terminate);
    uv_signal_init(loop, &service->interrupt);
    uv_signal_init(loop, &service->upgrade_signal);
    uv_timer_init(loop, &service->upgrade_timer);
    service->after_poll.data = service->retry.data = service->starving.data = service;
    service->trials.data = service->limit.data = service->hangup.data = service;
    service->terminate.data = service->interrupt.data = service;
    service->upgrade_signal.data = service->upgrade_timer.data = service;
    uv_check_start(&service->after_poll, relay_run);
    uv_signal_start(&service->hangup, on_hangup, SIGHUP);
    uv_signal_start(&service->terminate, on_terminate, SIGTERM);
    uv_signal_start(&service->interrupt, on_terminate, SIGINT);
    uv_signal_start(&service->upgrade_signal, on_upgrade, SIGUSR2);
    if (service->mask != NULL)
        sigprocmask(SIG_SETMASK, service->mask, NULL);
    if (service->leash > 0 && uv_poll_init(loop, &service->leash_poll, service->leash) == 0) {
        service->leash_poll.data = service;
        uv_poll_start(&service->leash_poll, UV_READABLE | UV_DISCONNECT, on_supervisor_gone);
    }
}

/** Fill in what does not come from start.c or workers.c. */
static void
prepare_service(struct service *service)
{
    static const struct connection_hooks hooks = {.on_event = lifecycle_event,
                                                  .on_timer = lifecycle_timer,
                                                  .on_authenticated = lifecycle_authenticated,
                                                  .on_dialled = lifecycle_dialled,
                                                  .on_reached = lifecycle_reached,
                                                  .on_left = service_on_left,
                                                  .on_unused = service_on_unused};

    service->hooks = &hooks;
    service->view.loop = &service->loop;
    service->view.service = service;
    service->view.sockets = &service->sockets;
    service->view.each_session = service_each_session;
    service->view.kill = service_kill;
    service->view.each_bound = service_each_bound;
    service->view.reload = service_reload;
    TAILQ_INIT(&service->tunnels);
    TAILQ_INIT(&service->connections);
    TAILQ_INIT(&service->ready);
    TAILQ_INIT(&service->lingering);
    service->descriptors_most = accept_descriptor_limit();
    *service_counters(service) =
        (struct process_counters){.pid = (uint64_t)getpid(),
                                  .started_unix_ms = duet__os_unix_ms(),
                                  .has_left = service_counters(service)->has_left};
}

/** All is ready to serve in the place of the process before, if there is one. */
static int
service_take_over(struct service *service)
{
    int code = takeover_finish(service->takeover);

    if (code == EXIT_DONE) {
        sockets_own(&service->sockets, service->view.settings);
        sockets_keep(&service->sockets, service->view.settings);
    }
    return code;
}

int
service_serve(struct service *service)
{
    if (uv_loop_init(&service->loop) != 0)
        return log_error(EXIT_LIMIT, "the event loop could not be made");
    prepare_service(service);
    start_handles(service);
    int code = tunnels_make(service, service->generation);
    if (code == EXIT_DONE && service->resolver == NULL)
        code = log_error(EXIT_LIMIT, "no memory for a resolver");
    if (code == EXIT_DONE && service->takeover != NULL)
        code = service_take_over(service);
    if (code == EXIT_DONE)
        code = tunnels_renew(service);
    if (code == EXIT_DONE)
        code = admin_start(&service->admin, &service->view);
    if (code == EXIT_DONE)
        systemd_notify("READY=1");
    else
        service_finish(service);
    uv_run(&service->loop, UV_RUN_DEFAULT);
    uv_loop_close(&service->loop);
    buffers_free(&service->buffers);
    service_counters(service)->pid = 0;
    return code;
}
