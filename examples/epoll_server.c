/*
 * An echo server of a thousand sessions in one thread, on edge-triggered epoll (Linux).
 *   epoll_server secret.key 4000
 * An edge comes once: after it a channel is called until it returns DUET_AGAIN. One that still has
 * more to do when its turn is over waits in a list, so that nobody has the server for himself.
 */
#include "echo.h"
#include "tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 2000, EVENTS = 64 };

struct server {
    const duet_config *config;
    duet_replay *replay;
    int epoll, listener;
    struct echo *all[MOST], *list[2][MOST]; /* all; who has a turn now, and who has the next one */
    size_t count, list_count[2];
    int now; /* which of the two lists is the next one */
    time_t swept;
};

/** Let a connection have a turn, one at a time. */
static void
server_list(struct server *server, struct echo *echo)
{
    if (!echo->listed)
        server->list[server->now][server->list_count[server->now]++] = echo;
    echo->listed = 1;
}

static void
server_remove(struct server *server, struct echo *echo)
{
    struct echo *last = server->all[--server->count];

    server->all[echo->place] = last;
    last->place = echo->place;
    echo_free(echo); /* closing its socket takes it out of epoll */
}

/** Take all connections that wait: this edge too comes once. */
static void
server_accept(struct server *server)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    struct echo *echo;
    int fd;

    while ((fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0 ||
           errno == EINTR || errno == ECONNABORTED) {
        if (fd < 0)
            continue;
        if (server->count == MOST) {
            close(fd);
            continue;
        }
        echo = echo_new(server->config, server->replay, fd);
        if (echo == NULL)
            continue;
        echo->place = server->count;
        server->all[server->count++] = echo;
        event.data.ptr = echo;
        if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
            server_remove(server, echo);
    }
}

/** Give everyone who is listed a turn. */
static void
server_run(struct server *server)
{
    int now = server->now;

    server->now = !now; /* where those are listed who have more to do */
    for (size_t i = 0; i < server->list_count[now]; i++) {
        struct echo *echo = server->list[now][i];
        enum echo_next next = echo_run(echo);
        echo->listed = 0;
        if (next == ECHO_MORE)
            server_list(server, echo);
        if (next == ECHO_END)
            server_remove(server, echo);
    }
    server->list_count[now] = 0;
}

/** Once a second: a turn for those who are kept in silence until their time is over, and an end for
 * those who have done nothing for long. */
static void
server_sweep(struct server *server)
{
    if (time(NULL) == server->swept)
        return;
    server->swept = time(NULL);
    for (size_t i = server->count; i-- > 0;) {
        struct echo *echo = server->all[i];
        if (echo_is_idle(echo) && !echo->listed)
            server_remove(server, echo);
        else if (echo->silent)
            server_list(server, echo);
    }
}

static void
server_turn(struct server *server)
{
    struct epoll_event events[EVENTS];
    int n =
        epoll_wait(server->epoll, events, EVENTS, server->list_count[server->now] > 0 ? 0 : 1000);

    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == server)
            server_accept(server);
        else
            server_list(server, events[i].data.ptr);
    }
    server_sweep(server);
    server_run(server);
}

/** Listen, without waiting, and let epoll watch it. Returns 0 on failure. */
static int
server_listen(struct server *server, const char *port)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = server};
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max; /* a descriptor for each connection */
        setrlimit(RLIMIT_NOFILE, &files);
    }
    server->listener = tcp_listen(port);
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    return server->listener >= 0 && server->epoll >= 0 &&
           fcntl(server->listener, F_SETFL, O_NONBLOCK) == 0 &&
           epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->listener, &event) == 0;
}

int
main(int argc, char **argv)
{
    static struct server server;
    duet_config *config;
    int listens;

    if (argc != 3)
        return fputs("usage: epoll_server SECRET PORT\n", stderr), 2;
    config = echo_config(argv[1]);
    if (config == NULL)
        return 1;
    server.config = config;
    server.replay = duet_replay_new(DUET_REPLAY_DEFAULT);
    tcp_stop_on_signals();
    listens = server.replay != NULL && server_listen(&server, argv[2]);
    while (listens && !tcp_stopped)
        server_turn(&server);
    while (server.count > 0)
        server_remove(&server, server.all[0]);
    duet_replay_free(server.replay);
    duet_config_free(config); /* wipes the secret */
    return tcp_stopped ? 0 : 1;
}
