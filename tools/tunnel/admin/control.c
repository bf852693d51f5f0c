/*
 * The control socket (see control.h). What a request does is answer.c's matter.
 *
 * It serves root, and the user who runs or started this process: the socket's mode says so, and the
 * kernel is asked again, as a mode can be changed. Its handles do not keep the loop
 * running.
 */
#include "control.h"

#include "answer.h"
#include "dial.h"
#include "log.h"
#include "os/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The end of the name that a socket has until it takes another's place. */
#define NEXT ".next"

enum {
    CLIENTS_MOST = 16,
    BACKLOG = 16,
    TIME_MS = 5000, /* to ask, and to take the answer */
};

struct control {
    uv_pipe_t pipe;
    struct admin_view *view;
    struct sockaddr_un un;
    uid_t owner;               /* who started this process */
    dev_t device;              /* of the socket's file, with its number there: another process's */
    ino_t file;                /* socket may take its place */
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
answer_written(uv_write_t *write, int status)
{
    (void)status; /* a client that went away has lost its answer */
    close_client(write->data);
}

static void
client_timeout(uv_timer_t *timer)
{
    close_client(timer->data);
}

/** Do what the line asks for and write the answer; the connection ends with it. */
static void
answer_client(struct client *client, size_t line_size)
{
    size_t size;

    client->answer = answer(client->control->view, client->line, line_size, &size);
    if (client->closing)
        return; /* the request ended the service */
    uv_buf_t piece = uv_buf_init(client->answer, (unsigned)size);
    client->write.data = client;
    uv_read_stop((uv_stream_t *)&client->pipe);
    uv_timer_start(&client->timer, client_timeout, TIME_MS, 0);
    if (client->answer == NULL || size > UINT32_MAX ||
        uv_write(&client->write, (uv_stream_t *)&client->pipe, &piece, 1, answer_written) != 0)
        close_client(client);
}

static void
give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    struct client *client = handle->data;

    (void)wanted;
    *out = uv_buf_init(client->line + client->size, (unsigned)(sizeof client->line - client->size));
}

static void
client_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct client *client = stream->data;

    (void)buffer; /* it is in client->line */
    if (n < 0) {
        close_client(client);
        return;
    }
    client->size += (size_t)n;
    const char *end = memchr(client->line, '\n', client->size);
    if (end != NULL)
        answer_client(client, (size_t)(end - client->line));
    else if (client->size == sizeof client->line)
        answer_client(client, client->size); /* too long, and answered so */
}

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
client_connected(uv_stream_t *stream, int status)
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
        uv_read_start((uv_stream_t *)&client->pipe, give_room, client_read) != 0) {
        close_client(client);
        return;
    }
    uv_timer_start(&client->timer, client_timeout, TIME_MS, 0);
    uv_unref((uv_handle_t *)&client->pipe);
    uv_unref((uv_handle_t *)&client->timer);
}

/* ---- The socket ---- */

static int
socket_error(const char *path, int code, const char *why)
{
    return log_error(code, "control socket %s: %s", printable(path), why);
}

/** Check who may write in the folder of the path. Where root made it so for this process's user, as
 * a kubelet does, it is used: nobody else can connect, and duet ctl refuses what another user
 * serves there. Returns an exit code. */
static int
check_folder(const char *path)
{
    char folder[REQUEST_PATH];
    struct stat status;

    request_folder(folder, path);
    if (stat(folder, &status) != 0)
        return log_error(EXIT_LOCAL,
                         "control socket %s: folder %s: %s; make it, or let systemd "
                         "(RuntimeDirectory=)",
                         printable(path), printable(folder), errno_text());
    if ((status.st_mode & 022) == 0 && (status.st_uid == 0 || status.st_uid == geteuid()))
        return EXIT_DONE;
    if (status.st_uid == 0 && geteuid() != 0) {
        log_warning("control socket %s: others may write in %s, and could remove the socket",
                    printable(path), printable(folder));
        return EXIT_DONE;
    }
    return log_error(EXIT_POLICY,
                     "control socket %s: others may write in %s; use a folder where only its "
                     "owner may write (chmod go-w)",
                     printable(path), printable(folder));
}

/** 1 when no process serves a socket. */
static int
is_dead(const struct sockaddr_un *un)
{
    int fd = dial_once((const struct sockaddr *)un, sizeof *un, 0);

    if (fd >= 0)
        close(fd);
    return fd < 0 && errno == ECONNREFUSED;
}

/** Remove the socket of a dead process. Returns an exit code. */
static int
make_way(const struct sockaddr_un *un)
{
    struct stat status;
    const char *path = un->sun_path;

    if (lstat(path, &status) != 0)
        return errno == ENOENT ? EXIT_DONE : socket_error(path, EXIT_LOCAL, errno_text());
    if (!S_ISSOCK(status.st_mode))
        return socket_error(path, EXIT_LOCAL, "something else is there; choose another path");
    if (!is_dead(un))
        return socket_error(path, EXIT_LOCAL,
                            "another process serves it; end that, or choose another path");
    return unlink(path) == 0 ? EXIT_DONE : socket_error(path, EXIT_LOCAL, errno_text());
}

/** Bind a socket that only its owner can use from its first moment on. Returns it, or -1. */
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

/** Write a path as an address, with more at its end. Returns an exit code. */
static int
write_address(struct sockaddr_un *un, const char *path, const char *more)
{
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size + strlen(more) >= sizeof un->sun_path)
        return socket_error(path, EXIT_USAGE, "the path is too long");
    memcpy(un->sun_path, path, size);
    memcpy(un->sun_path + size, more, strlen(more) + 1);
    return EXIT_DONE;
}

/** Bind a socket at a path where that is safe. Returns an exit code; *fd: -1 unless EXIT_DONE. */
static int
bind_safely(int *fd, struct sockaddr_un *un, const char *path, const char *more)
{
    *fd = -1;
    if (write_address(un, path, more) != EXIT_DONE)
        return EXIT_USAGE;
    int code = check_folder(path);
    if (code == EXIT_DONE)
        code = make_way(un);
    if (code != EXIT_DONE)
        return code;
    *fd = bind_socket(un);
    if (*fd < 0 && errno == EACCES)
        return log_error(EXIT_LOCAL,
                         "control socket %s: %s; its folder must belong to the user that runs duet "
                         "(chown)",
                         printable(path), errno_text());
    return *fd >= 0 ? EXIT_DONE : socket_error(path, EXIT_LOCAL, errno_text());
}

int
control_check(const char *path, int takes_over)
{
    struct sockaddr_un un;
    int fd, code = bind_safely(&fd, &un, path, takes_over ? NEXT : "");

    if (code != EXIT_DONE)
        return code;
    close(fd);
    unlink(un.sun_path);
    return EXIT_DONE;
}

void
control_remove_dead(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct stat status;

    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    if (strlen(path) < sizeof un.sun_path && lstat(path, &status) == 0 &&
        S_ISSOCK(status.st_mode) && is_dead(&un))
        unlink(path);
}

/** Bind the socket; one that takes another's place is bound beside it first, so that somebody can
 * be asked at any time. Returns an exit code; *fd: -1 unless EXIT_DONE. */
static int
bind_control(struct control *control, int *fd, const char *path, int takes_over)
{
    struct stat status;
    int code = bind_safely(fd, &control->un, path, takes_over ? NEXT : "");

    if (code == EXIT_DONE && lstat(control->un.sun_path, &status) == 0) {
        control->device = status.st_dev;
        control->file = status.st_ino;
    }
    if (code != EXIT_DONE || !takes_over)
        return code;
    if (listen(*fd, BACKLOG) == 0 && rename(control->un.sun_path, path) == 0)
        return write_address(&control->un, path, "");
    code = socket_error(path, EXIT_LOCAL, errno_text());
    unlink(control->un.sun_path);
    close(*fd);
    *fd = -1;
    return code;
}

int
control_open(struct control **control, const char *path, struct admin_view *view)
{
    struct control *made = calloc(1, sizeof *made);
    int fd;

    *control = NULL;
    if (made == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    int code = bind_control(made, &fd, path, view->takes_over);
    if (code != EXIT_DONE) {
        free(made);
        return code;
    }
    made->owner = geteuid();
    made->view = view;
    made->pipe.data = made;
    made->handles = 1;
    uv_pipe_init(view->loop, &made->pipe, 0);
    int result = uv_pipe_open(&made->pipe, fd);
    if (result != 0)
        close(fd);
    else
        result = uv_listen((uv_stream_t *)&made->pipe, BACKLOG, client_connected);
    if (result != 0) {
        control_close(made);
        return socket_error(path, EXIT_LOCAL, uv_strerror(result));
    }
    uv_unref((uv_handle_t *)&made->pipe);
    *control = made;
    return EXIT_DONE;
}

int
control_is_removed(const struct control *control)
{
    struct stat status;

    return lstat(control->un.sun_path, &status) != 0 && errno == ENOENT;
}

static void
control_closed(uv_handle_t *handle)
{
    release_control(handle->data);
}

void
control_close(struct control *control)
{
    struct stat status;

    if (control == NULL)
        return;
    if (lstat(control->un.sun_path, &status) == 0 && status.st_dev == control->device &&
        status.st_ino == control->file)
        unlink(control->un.sun_path);
    while (control->list != NULL)
        close_client(control->list);
    uv_close((uv_handle_t *)&control->pipe, control_closed);
}
