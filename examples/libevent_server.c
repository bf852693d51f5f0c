/*
 * An echo server in libevent's loop: an event for each channel, told what duet_channel_state() wants.
 *   libevent_server secret.key 4000
 */
#include "echo.h"
#include "tcp.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/** What watches one connection. */
struct watch {
    struct event *event;
    struct echo *echo;
    struct watch *next, **link; /* the list of all */
};

struct server {
    struct event_base *base;
    duet_config *config;
    duet_replay *replay;
    struct watch *all;
};

static void
watch_end(struct watch *watch)
{
    *watch->link = watch->next;
    if (watch->next != NULL)
        watch->next->link = watch->link;
    event_free(watch->event); /* before the socket is closed */
    echo_free(watch->echo);
    free(watch);
}

/** Run it, and wait for what it needs next, or a second. */
static void
watch_run(evutil_socket_t fd, short what, void *context)
{
    struct watch *watch = context;
    const struct timeval second = {1, 0};
    enum echo_next next = echo_run(watch->echo);
    unsigned want = duet_channel_state(watch->echo->channel);
    short events = 0;

    (void)what;
    if (next == ECHO_END || (next == ECHO_WAIT && echo_is_idle(watch->echo))) {
        watch_end(watch);
        return;
    }
    if (want & DUET_WANT_READ || watch->echo->silent)
        events |= EV_READ;
    if (want & DUET_WANT_WRITE)
        events |= EV_WRITE;
    event_assign(watch->event, event_get_base(watch->event), fd, events, watch_run, watch);
    event_add(watch->event, &second);
    if (next == ECHO_MORE)
        event_active(watch->event, EV_TIMEOUT, 0); /* when the others have had their turn */
}

static void
server_accept(evutil_socket_t listener, short what, void *context)
{
    struct server *server = context;
    int fd = accept(listener, NULL, NULL);
    struct watch *watch = fd >= 0 ? calloc(1, sizeof *watch) : NULL;

    (void)what;
    if (watch == NULL || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        free(watch);
        if (fd >= 0)
            close(fd);
        return;
    }
    watch->echo = echo_new(server->config, server->replay, fd); /* it owns the socket */
    watch->event = event_new(server->base, fd, EV_READ, watch_run, watch);
    if (watch->echo == NULL || watch->event == NULL) {
        if (watch->event != NULL)
            event_free(watch->event);
        echo_free(watch->echo);
        free(watch);
        return;
    }
    watch->next = server->all;
    watch->link = &server->all;
    if (watch->next != NULL)
        watch->next->link = &watch->next;
    server->all = watch;
    watch_run(fd, EV_READ, watch);
}

static void
server_stop(evutil_socket_t number, short what, void *context)
{
    (void)number, (void)what;
    event_base_loopbreak(context);
}

/** Run until SIGINT or SIGTERM. Returns 0 on failure. */
static int
server_run(struct server *server, int listener)
{
    struct event_base *base = server->base;
    struct event *events[3] = {
        event_new(base, listener, EV_READ | EV_PERSIST, server_accept, server),
        evsignal_new(base, SIGINT, server_stop, base),
        evsignal_new(base, SIGTERM, server_stop, base),
    };
    int result = -1;

    if (events[0] != NULL && events[1] != NULL && events[2] != NULL) {
        for (int i = 0; i < 3; i++)
            event_add(events[i], NULL);
        result = event_base_dispatch(base);
    }
    for (struct watch *watch = server->all, *next; watch != NULL; watch = next) {
        next = watch->next;
        watch_end(watch);
    }
    for (int i = 0; i < 3; i++) {
        if (events[i] != NULL)
            event_free(events[i]);
    }
    return result >= 0;
}

int
main(int argc, char **argv)
{
    static struct server server;
    int listener = -1, ran = 0;

    if (argc != 3)
        return fputs("usage: libevent_server SECRET PORT\n", stderr), 2;
    server.config = echo_config(argv[1]);
    if (server.config == NULL)
        return 1;
    server.replay = duet_replay_new(DUET_REPLAY_DEFAULT);
    server.base = event_base_new();
    listener = tcp_listen(argv[2]);
    if (server.replay != NULL && server.base != NULL && listener >= 0 &&
        fcntl(listener, F_SETFL, O_NONBLOCK) == 0)
        ran = server_run(&server, listener);
    if (server.base != NULL)
        event_base_free(server.base);
    if (listener >= 0)
        close(listener);
    duet_replay_free(server.replay);
    duet_config_free(server.config); /* wipes the secret */
    return ran ? 0 : 1;
}
