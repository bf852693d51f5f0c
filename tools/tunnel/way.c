/*
 * The way to a peer: which address is dialled for it, its own or a proxy's, or the command that is
 * run instead, whose standard input and output lead there.
 *
 * A command is left to itself: it ends when its standard input does.
 */
#include "connection.h"

#include "os/socket.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

const char *
way_address(const struct connection *c, const char *target)
{
    return !c->dials_plain && c->settings->route.kind != ROUTE_DIRECT ? c->settings->route.address
                                                                      : target;
}

static void
command_closed(uv_handle_t *handle)
{
    free(handle);
}

static void
command_ended(uv_process_t *process, int64_t status, int number)
{
    (void)status; /* what it leads to shows on its descriptor */
    (void)number;
    uv_close((uv_handle_t *)process, command_closed);
}

/** Run the shell with a socket as standard input and output. Returns 0, or -1. */
static int
run_shell(uv_loop_t *loop, char *command, int fd)
{
    char shell[] = "sh", option[] = "-c";
    char *arguments[] = {shell, option, command, NULL};
    uv_stdio_container_t streams[] = {{.flags = UV_INHERIT_FD, .data.fd = fd},
                                      {.flags = UV_INHERIT_FD, .data.fd = fd},
                                      {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO}};
    const uv_process_options_t options = {.exit_cb = command_ended,
                                          .file = "/bin/sh",
                                          .args = arguments,
                                          .stdio = streams,
                                          .stdio_count = 3};
    uv_process_t *process = malloc(sizeof *process);

    if (process == NULL)
        return -1;
    int result = uv_spawn(loop, process, &options);
    uv_unref((uv_handle_t *)process); /* a service that ends does not wait for it */
    if (result == 0)
        return 0;
    uv_close((uv_handle_t *)process, command_closed);
    return -1;
}

int
way_is_command(const struct connection *c)
{
    return !c->dials_plain && c->settings->exec != NULL;
}

int
way_run_command(struct connection *c)
{
    int ends[2];

    if (duet__os_socket_pair(ends) != 0)
        return -1;
    int result = run_shell(&c->service->loop, c->settings->exec, ends[1]);
    close(ends[1]);
    if (result == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
        return connection_attach(c, ends[0], 0);
    close(ends[0]);
    return -1;
}
