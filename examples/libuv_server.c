/*
 * An echo server in libuv's loop: a uv_poll_t for each channel, told what duet_channel_state() wants.
 *   libuv_server secret.key 4000
 */
#include "echo.h"
#include "tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

struct server {
    duet_config *config;
    duet_replay *replay;
    uv_poll_t listener;
    uv_signal_t stop[2];
};

/** What watches one connection. */
struct watch {
    uv_poll_t poll;
    uv_timer_t timer; /* the next turn where there is more to do, else a look at the time */
    struct echo *echo;
    int handles;
};

static void
watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;

    if (--watch->handles == 0) {
        echo_free(watch->echo);
        free(watch);
    }
}

static void
watch_end(struct watch *watch)
{
    if (!uv_is_closing((uv_handle_t *)&watch->timer)) {
        uv_close((uv_handle_t *)&watch->poll, watch_closed);
        uv_close((uv_handle_t *)&watch->timer, watch_closed);
    }
}

static void watch_ready(uv_poll_t *poll, int status, int events);
static void watch_time(uv_timer_t *timer);

/** Run it, and wait for what it needs next. */
static void
watch_run(struct watch *watch)
{
    enum echo_next next = echo_run(watch->echo);
    unsigned want = duet_channel_state(watch->echo->channel);
    int events = (want & DUET_WANT_WRITE ? UV_WRITABLE : 0);

    if (next == ECHO_END || (next == ECHO_WAIT && echo_is_idle(watch->echo))) {
        watch_end(watch);
        return;
    }
    if (want & DUET_WANT_READ || watch->echo->silent)
        events |= UV_READABLE;
    uv_poll_start(&watch->poll, events, watch_ready);
    uv_timer_start(&watch->timer, watch_time, next == ECHO_MORE ? 0 : 1000, 0);
}

static void
watch_ready(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events; /* duet finds out by reading */
    watch_run(poll->data);
}

static void
watch_time(uv_timer_t *timer)
{
    watch_run(timer->data);
}

static void
server_accept(uv_poll_t *listener, int status, int events)
{
    struct server *server = listener->data;
    struct watch *watch;
    uv_os_fd_t listening;
    int fd = -1;

    if (status == 0 && events != 0 && uv_fileno((uv_handle_t *)listener, &listening) == 0)
        fd = accept(listening, NULL, NULL);
    watch = fd >= 0 ? calloc(1, sizeof *watch) : NULL;
    if (watch != NULL)
        watch->echo = echo_new(server->config, server->replay, fd); /* it owns the socket */
    else if (fd >= 0)
        close(fd);
    if (watch == NULL || watch->echo == NULL ||
        uv_poll_init(listener->loop, &watch->poll, fd) != 0) {
        echo_free(watch != NULL ? watch->echo : NULL);
        free(watch);
        return;
    }
    uv_timer_init(listener->loop, &watch->timer);
    watch->poll.data = watch->timer.data = watch;
    watch->handles = 2;
    watch_run(watch);
}

/** Close what is open at the server's end. */
static void
server_close_one(uv_handle_t *handle, void *server)
{
    if (uv_is_closing(handle))
        return;
    if (handle->data == server)
        uv_close(handle, NULL);
    else
        watch_end(handle->data);
}

static void
server_stop(uv_signal_t *stop, int number)
{
    (void)number;
    uv_walk(stop->loop, server_close_one, stop->data); /* with no handle left the loop ends */
}

/** Listen, and end at SIGINT and SIGTERM. Returns 0 on failure. */
static int
server_start(struct server *server, uv_loop_t *loop, const char *port)
{
    static const int signals[2] = {SIGINT, SIGTERM};
    int fd = tcp_listen(port);

    if (fd < 0 || uv_poll_init(loop, &server->listener, fd) != 0)
        return 0;
    server->listener.data = server;
    for (int i = 0; i < 2; i++) {
        uv_signal_init(loop, &server->stop[i]);
        server->stop[i].data = server;
        uv_signal_start(&server->stop[i], server_stop, signals[i]);
    }
    return uv_poll_start(&server->listener, UV_READABLE, server_accept) == 0;
}

int
main(int argc, char **argv)
{
    static struct server server;
    uv_loop_t *loop = uv_default_loop();
    int started;

    if (argc != 3)
        return fputs("usage: libuv_server SECRET PORT\n", stderr), 2;
    server.config = echo_config(argv[1]);
    if (server.config == NULL)
        return 1;
    server.replay = duet_replay_new(DUET_REPLAY_DEFAULT);
    started = server.replay != NULL && server_start(&server, loop, argv[2]);
    if (started)
        uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    duet_replay_free(server.replay);
    duet_config_free(server.config); /* wipes the secret */
    return started ? 0 : 1;
}
