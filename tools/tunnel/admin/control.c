/*
 * The control socket (see control.h).
 *
 * A client is who may be root or who runs this process: the socket's mode says so, and the kernel
 * is asked again, as a mode can be changed. Its handles do not keep the loop running.
 */
#include "control.h"

#include "answer.h"
#include "log.h"

#include "os/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CLIENTS_MOST = 16,
    BACKLOG = 16,
    TIME_MS = 5000, /* to ask, and to take the answer */
};

struct control {
    uv_pipe_t pipe;
    struct service *service;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    uid_t owner;               /* who began this process */
    unsigned clients, handles; /* open ones; released with the last */
    struct client *list;
};

struct client {
    struct control *control;
    struct client *next;
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_write_t write;
    unsigned handles; /* that are not closed yet */
    int closing;
    char line[REQUEST_MOST + 2];
    size_t size;
    char *answer;
};

/* ---- Release ---- */

static void
release_control(struct control *control)
{
    if (--control->handles == 0)
        free(control);
}

static void
client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    struct control *control = client->control;

    if (--client->handles > 0)
        return;
    free(client->answer);
    free(client);
    release_control(control);
}

static void
close_client(struct client *client)
{
    struct client **at = &client->control->list;

    if (client->closing)
        return;
    client->closing = 1;
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    client->control->clients--;
    uv_close((uv_handle_t *)&client->pipe, client_closed);
    uv_close((uv_handle_t *)&client->timer, client_closed);
}

/* ---- One client ---- */

static void
written(uv_write_t *write, int status)
{
    (void)status; /* who went away has lost his answer */
    close_client(write->data);
}

/** Write the answer; the connection ends with it. */
static void
reply(struct client *client, char *text, size_t size)
{
    uv_buf_t piece = uv_buf_init(text, (unsigned)size);

    client->answer = text;
    if (client->closing)
        return; /* what was asked ended the service */
    client->write.data = client;
    uv_read_stop((uv_stream_t *)&client->pipe);
    uv_timer_start(&client->timer, client->timer.timer_cb, TIME_MS, 0);
    if (text == NULL || size > UINT32_MAX ||
        uv_write(&client->write, (uv_stream_t *)&client->pipe, &piece, 1, written) != 0)
        close_client(client);
}

static void
ask(struct client *client, size_t size)
{
    struct request request;
    const char *why;
    char *text = NULL;

    if (request_parse(&request, client->line, size, &why) != 0) {
        size = sizeof "error  \n" + 10 + strlen(why);
        text = malloc(size);
        if (text != NULL)
            size = (size_t)snprintf(text, size, "error %d %s\n", EXIT_USAGE, why);
        reply(client, text, size);
        return;
    }
    answer(client->control->service, &request, &text, &size);
    reply(client, text, size);
}

static void
give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    struct client *client = handle->data;

    (void)wanted;
    *out = uv_buf_init(client->line + client->size, (unsigned)(sizeof client->line - client->size));
}

static void
took(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct client *client = stream->data;

    (void)buffer; /* it lies in client->line */
    if (n < 0) {
        close_client(client);
        return;
    }
    client->size += (size_t)n;
    const char *end = memchr(client->line, '\n', client->size);
    if (end != NULL)
        ask(client, (size_t)(end - client->line));
    else if (client->size == sizeof client->line)
        ask(client, client->size); /* too long, and told so */
}

static void
late(uv_timer_t *timer)
{
    close_client(timer->data);
}

/** Is it root, or who runs or began this process? */
static int
is_allowed(const struct control *control, uv_pipe_t *pipe)
{
    uid_t user;
    int fd;

    if (uv_fileno((uv_handle_t *)pipe, &fd) != 0 || duet__os_peer_user(fd, &user) != 0)
        return 0;
    return user == 0 || user == geteuid() || user == control->owner;
}

static void
arrived(uv_stream_t *stream, int status)
{
    struct control *control = stream->data;
    struct client *client = status == 0 ? calloc(1, sizeof *client) : NULL;

    if (client == NULL)
        return;
    client->control = control;
    client->next = control->list;
    control->list = client;
    control->clients++;
    control->handles++;
    client->handles = 2;
    uv_pipe_init(stream->loop, &client->pipe, 0);
    uv_timer_init(stream->loop, &client->timer);
    client->pipe.data = client->timer.data = client;
    if (uv_accept(stream, (uv_stream_t *)&client->pipe) != 0 || control->clients > CLIENTS_MOST ||
        !is_allowed(control, &client->pipe) ||
        uv_read_start((uv_stream_t *)&client->pipe, give_room, took) != 0) {
        close_client(client);
        return;
    }
    uv_timer_start(&client->timer, late, TIME_MS, 0);
    uv_unref((uv_handle_t *)&client->pipe);
    uv_unref((uv_handle_t *)&client->timer);
}

/* ---- The socket ---- */

/** May nobody but its owner write in the folder of the path? Returns an exit code. */
static int
check_folder(const char *path)
{
    char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct stat status;

    snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    if (stat(folder, &status) != 0)
        return log_error(
            EXIT_LOCAL,
            "control socket %s: folder %s: %s; make it, or let systemd (RuntimeDirectory=)",
            printable(path), printable(folder), errno_text());
    if ((status.st_mode & 022) != 0 || (status.st_uid != 0 && status.st_uid != geteuid()))
        return log_error(EXIT_POLICY,
                         "control socket %s: others may write in %s; give it a folder that is its "
                         "owner's alone (chmod go-w)",
                         printable(path), printable(folder));
    return EXIT_DONE;
}

/** 1 when no process serves a socket. */
static int
is_dead(const struct sockaddr_un *un)
{
    int fd = duet__os_socket(AF_UNIX, SOCK_STREAM, DUET__OS_NO_WAITS);
    int dead = fd >= 0 && connect(fd, (const struct sockaddr *)un, sizeof *un) != 0 &&
               errno == ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return dead;
}

/** Remove what an earlier process left. Returns an exit code. */
static int
clear(const struct sockaddr_un *un)
{
    struct stat status;

    if (lstat(un->sun_path, &status) != 0)
        return errno == ENOENT ? EXIT_DONE
                               : log_error(EXIT_LOCAL, "control socket %s: %s",
                                           printable(un->sun_path), errno_text());
    if (!S_ISSOCK(status.st_mode))
        return log_error(EXIT_LOCAL,
                         "control socket %s: something else is there; choose another path",
                         printable(un->sun_path));
    if (!is_dead(un))
        return log_error(
            EXIT_LOCAL,
            "control socket %s: another process serves it; end that, or choose another path",
            printable(un->sun_path));
    return unlink(un->sun_path) == 0 ? EXIT_DONE
                                     : log_error(EXIT_LOCAL, "control socket %s: %s",
                                                 printable(un->sun_path), errno_text());
}

/** Bind a socket that is its owner's alone from its first moment. Returns it, or -1. */
static int
bind_socket(const struct sockaddr_un *un)
{
    int fd = duet__os_socket(AF_UNIX, SOCK_STREAM, DUET__OS_NO_WAITS);

    if (fd < 0)
        return -1;
    mode_t before = umask(0177);
    int result = bind(fd, (const struct sockaddr *)un, sizeof *un);
    int error = errno;
    umask(before);
    if (result == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

/** Put the socket on the loop. Returns an exit code. */
static int
serve(struct control *control, uv_loop_t *loop, int fd)
{
    uv_pipe_init(loop, &control->pipe, 0);
    control->pipe.data = control;
    control->handles = 1;
    int result = uv_pipe_open(&control->pipe, fd);
    if (result != 0)
        close(fd);
    else
        result = uv_listen((uv_stream_t *)&control->pipe, BACKLOG, arrived);
    if (result != 0) {
        log_error(EXIT_LOCAL, "control socket %s: %s", printable(control->path),
                  uv_strerror(result));
        control_close(control);
        return EXIT_LOCAL;
    }
    uv_unref((uv_handle_t *)&control->pipe);
    return EXIT_DONE;
}

/** Bind a socket at a path where that is safe. Returns an exit code; *fd: -1 but for EXIT_DONE. */
static int
take_place(int *fd, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    *fd = -1;
    if (strlen(path) >= sizeof un.sun_path)
        return log_error(EXIT_USAGE, "control socket %s: the path is too long", printable(path));
    memcpy(un.sun_path, path, strlen(path) + 1);
    int code = check_folder(path);
    if (code == EXIT_DONE)
        code = clear(&un);
    if (code != EXIT_DONE)
        return code;
    *fd = bind_socket(&un);
    return *fd >= 0 ? EXIT_DONE
                    : log_error(EXIT_LOCAL, "control socket %s: %s", printable(path), errno_text());
}

int
control_check(const char *path)
{
    int fd, code = take_place(&fd, path);

    if (code != EXIT_DONE)
        return code;
    close(fd);
    unlink(path);
    return EXIT_DONE;
}

void
control_sweep(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct stat status;

    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    if (strlen(path) < sizeof un.sun_path && lstat(path, &status) == 0 &&
        S_ISSOCK(status.st_mode) && is_dead(&un))
        unlink(path);
}

int
control_open(struct control **control, uv_loop_t *loop, const char *path, struct service *service)
{
    struct control *made = calloc(1, sizeof *made);
    int fd;

    *control = NULL;
    if (made == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    int code = take_place(&fd, path);
    if (code != EXIT_DONE) {
        free(made);
        return code;
    }
    snprintf(made->path, sizeof made->path, "%s", path);
    made->owner = geteuid();
    made->service = service;
    code = serve(made, loop, fd);
    if (code == EXIT_DONE)
        *control = made;
    return code;
}

static void
control_closed(uv_handle_t *handle)
{
    release_control(handle->data);
}

void
control_close(struct control *control)
{
    if (control == NULL)
        return;
    unlink(control->path);
    while (control->list != NULL)
        close_client(control->list);
    uv_close((uv_handle_t *)&control->pipe, control_closed);
}
