/*
 * The sockets of HTTP for monitoring (see http.h). What a request means is in http_request.c, what
 * it is answered in http_answer.c.
 *
 * A connection that has its answer is read and dropped until its end: closed at once, with bytes
 * that were not read, it would be reset and the answer lost. Where all places are taken the oldest
 * one makes room, so that nobody who holds connections shuts the others out.
 */
#include "http.h"

#include "http_answer.h"
#include "log.h"
#include "network.h"
#include "os/socket.h"
#include "queue.h"
#include "record.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS_MOST = 16,
    TURN_MOST = 4,  /* accepted in one turn of the loop */
    TIME_MS = 5000, /* for the request, and again for the answer */
    RETRY_MS = 1000 /* after a lack of descriptors */
};

/** A listening descriptor. */
struct http_port {
    struct http *http;
    uv_poll_t poll;
    int fd; /* owned by the service's sockets */
    LIST_ENTRY(http_port) entry;
};

struct http {
    struct admin_view *view;
    uv_timer_t retry;
    LIST_HEAD(, http_port) ports;
    TAILQ_HEAD(, http_client) clients; /* the oldest first */
    unsigned client_count;
    unsigned holders; /* ports and clients that the loop has not closed yet, and retry */
};

struct http_client {
    struct http *http;
    uv_poll_t poll;
    uv_timer_t timer;
    int fd;
    unsigned handles; /* that are not closed yet */
    int any_host;     /* 1: no Host header is refused */
    size_t size;      /* bytes of head */
    char *answer;     /* NULL: the request has not come */
    size_t answer_size, sent;
    TAILQ_ENTRY(http_client) entry;
    char head[HTTP_HEAD_MOST];
};

/* ---- Release ---- */

static void
http_release(struct http *http)
{
    if (--http->holders == 0)
        free(http);
}

static void
client_closed(uv_handle_t *handle)
{
    struct http_client *client = handle->data;

    if (--client->handles > 0)
        return;
    http_release(client->http);
    free(client->answer);
    free(client);
}

static void
client_end(struct http_client *client)
{
    TAILQ_REMOVE(&client->http->clients, client, entry);
    client->http->client_count--;
    uv_close((uv_handle_t *)&client->poll, client_closed);
    uv_close((uv_handle_t *)&client->timer, client_closed);
    close(client->fd);
}

/* ---- One connection ---- */

static void client_polled(uv_poll_t *poll, int status, int events);
static void client_timeout(uv_timer_t *timer);

/** Send what is left of the answer. Returns 1 once all of it was, 0 before; -1: it is lost. */
static int
client_send(struct http_client *client)
{
    while (client->sent < client->answer_size) {
        ssize_t n = send(client->fd, client->answer + client->sent,
                         client->answer_size - client->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
        client->sent += (size_t)n;
    }
    return 1;
}

/** Go on with the answer; its end is the connection's, and the peer's close ends it here. */
static void
client_write(struct http_client *client)
{
    int sent = client_send(client);

    if (sent < 0) {
        client_end(client);
        return;
    }
    if (sent > 0)
        (void)shutdown(client->fd, SHUT_WR);
    uv_poll_start(&client->poll, sent > 0 ? UV_READABLE : UV_WRITABLE, client_polled);
}

static void
client_answer(struct http_client *client, const struct http_request *request,
              enum http_status status)
{
    client->answer = http_answer(client->http->view, request, status, &client->answer_size);
    if (client->answer == NULL) {
        client_end(client);
        return;
    }
    uv_timer_start(&client->timer, client_timeout, TIME_MS, 0);
    client_write(client);
}

/** The time for the request is over, or that for the answer. */
static void
client_timeout(uv_timer_t *timer)
{
    static const struct http_request none = {.path = HTTP_PATHS};
    struct http_client *client = timer->data;

    if (client->answer == NULL && client->size > 0)
        client_answer(client, &none, HTTP_LATE);
    else
        client_end(client);
}

/** Read and drop, until nothing is there now. Returns 1 at the end of what comes. */
static int
client_drop(struct http_client *client)
{
    ssize_t n = recv(client->fd, client->head, sizeof client->head, MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static void
client_read(struct http_client *client)
{
    struct http_request request;
    ssize_t n = recv(client->fd, client->head + client->size, sizeof client->head - client->size,
                     MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0) {
        client_end(client);
        return;
    }
    client->size += (size_t)n;
    enum http_status status =
        http_request_read(&request, client->head, client->size, client->any_host);
    if (status != HTTP_MORE)
        client_answer(client, &request, status);
}

static void
client_polled(uv_poll_t *poll, int status, int events)
{
    struct http_client *client = poll->data;
    int is_answered = client->answer != NULL && client->sent == client->answer_size;

    (void)events;
    if (status < 0 || (is_answered && client_drop(client)))
        client_end(client);
    else if (client->answer == NULL)
        client_read(client);
    else if (!is_answered)
        client_write(client);
}

/** A browser of this machine reaches what listens for this machine alone, and there is no browser
 * that reaches a Unix socket. What other machines may reach has a name. */
static int
accepts_any_host(int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;

    return getsockname(fd, (struct sockaddr *)&at, &size) == 0 &&
           (at.ss_family == AF_UNIX || !network_is_loopback(&at));
}

/** Take over an accepted descriptor. Returns 0, or -1: no memory; it is the caller's still. */
static int
client_begin(struct http *http, int fd)
{
    uv_loop_t *loop = http->view->loop;
    struct http_client *client = malloc(sizeof *client);

    if (client == NULL)
        return -1;
    client->http = http;
    client->fd = fd;
    client->handles = 2;
    client->any_host = accepts_any_host(fd);
    client->size = client->answer_size = client->sent = 0;
    client->answer = NULL;
    if (uv_poll_init(loop, &client->poll, fd) != 0) {
        free(client);
        return -1;
    }
    uv_timer_init(loop, &client->timer);
    client->poll.data = client->timer.data = client;
    http->holders++;
    http->client_count++;
    TAILQ_INSERT_TAIL(&http->clients, client, entry);
    uv_timer_start(&client->timer, client_timeout, TIME_MS, 0);
    uv_poll_start(&client->poll, UV_READABLE, client_polled);
    uv_unref((uv_handle_t *)&client->poll);
    uv_unref((uv_handle_t *)&client->timer);
    return 0;
}

/* ---- Listening ---- */

static void port_polled(uv_poll_t *poll, int status, int events);

static void
ports_watch(struct http *http)
{
    struct http_port *port;

    LIST_FOREACH (port, &http->ports, entry)
        uv_poll_start(&port->poll, UV_READABLE, port_polled);
}

static void
retry_ports(uv_timer_t *timer)
{
    ports_watch(timer->data);
}

/** Nothing can be accepted for now. */
static void
ports_pause(struct http *http)
{
    struct http_port *port;

    LIST_FOREACH (port, &http->ports, entry)
        uv_poll_stop(&port->poll);
    uv_timer_start(&http->retry, retry_ports, RETRY_MS, 0);
}

static void
port_polled(uv_poll_t *poll, int status, int events)
{
    struct http_port *port = poll->data;
    struct http *http = port->http;

    (void)status;
    (void)events;
    for (int turn = 0; turn < TURN_MOST; turn++) {
        int fd = duet__os_accept(port->fd, NULL, NULL);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            if (TAILQ_EMPTY(&http->clients))
                ports_pause(http);
            else
                client_end(TAILQ_FIRST(&http->clients));
        }
        if (fd < 0)
            return;
        if (http->client_count == CLIENTS_MOST)
            client_end(TAILQ_FIRST(&http->clients));
        if (client_begin(http, fd) != 0)
            close(fd);
    }
}

static void
port_closed(uv_handle_t *handle)
{
    struct http_port *port = handle->data;

    http_release(port->http);
    free(port);
}

static int
add_port(struct http *http, int fd)
{
    struct http_port *port = calloc(1, sizeof *port);

    if (port == NULL || uv_poll_init(http->view->loop, &port->poll, fd) != 0) {
        free(port);
        return log_error(EXIT_LIMIT, "http: no memory to listen");
    }
    port->http = http;
    port->fd = fd;
    port->poll.data = port;
    http->holders++;
    LIST_INSERT_HEAD(&http->ports, port, entry);
    uv_unref((uv_handle_t *)&port->poll);
    return EXIT_DONE;
}

/** Log where it listens: with the port that the system chose, where it was asked to. */
static void
log_listening(const struct http *http, const char *address, const struct listener *listener)
{
    char room[RECORD_ADDRESS];

    if (http->view->worker != 0)
        return;
    for (unsigned i = 0; i < listener->count; i++) {
        struct sockaddr_storage at = {0};
        socklen_t size = sizeof at;
        int is_ip = getsockname(listener->fds[i], (struct sockaddr *)&at, &size) == 0 &&
                    at.ss_family != AF_UNIX;
        record_note(RECORD_INFO, "http: listening on %s",
                    is_ip ? record_address(room, (const struct sockaddr *)&at)
                          : printable(address));
    }
}

static struct http *
http_new(struct admin_view *view)
{
    struct http *http = calloc(1, sizeof *http);

    if (http == NULL)
        return NULL;
    http->view = view;
    http->holders = 1;
    LIST_INIT(&http->ports);
    TAILQ_INIT(&http->clients);
    uv_timer_init(view->loop, &http->retry);
    uv_unref((uv_handle_t *)&http->retry);
    http->retry.data = http;
    return http;
}

int
http_renew(struct http **http, struct admin_view *view)
{
    const struct tunnel_settings *settings = &view->settings->http;
    int code = EXIT_DONE;

    http_drain(*http);
    if (settings->listen.count == 0)
        return EXIT_DONE;
    if (*http == NULL)
        *http = http_new(view);
    if (*http == NULL)
        return log_error(EXIT_LIMIT, "http: no memory to listen");
    for (size_t i = 0; i < settings->listen.count && code == EXIT_DONE; i++) {
        const char *address = settings->listen.at[i];
        const struct listener *listener = sockets_for(view->sockets, settings, address);
        if (listener == NULL)
            continue; /* why was logged */
        for (unsigned j = 0; j < listener->count && code == EXIT_DONE; j++)
            code = add_port(*http, listener->fds[j]);
        log_listening(*http, address, listener);
    }
    ports_watch(*http);
    return code;
}

/* ---- Ending ---- */

void
http_drain(struct http *http)
{
    while (http != NULL && !LIST_EMPTY(&http->ports)) {
        struct http_port *port = LIST_FIRST(&http->ports);
        LIST_REMOVE(port, entry);
        uv_close((uv_handle_t *)&port->poll, port_closed);
    }
    if (http != NULL)
        uv_timer_stop(&http->retry);
}

static void
retry_closed(uv_handle_t *handle)
{
    http_release(handle->data);
}

void
http_stop(struct http *http)
{
    if (http == NULL)
        return;
    http_drain(http);
    while (!TAILQ_EMPTY(&http->clients))
        client_end(TAILQ_FIRST(&http->clients));
    uv_close((uv_handle_t *)&http->retry, retry_closed);
}
