/*
 * Asking at the control socket (see client.h). The answer ends where the connection does.
 */
#include "client.h"

#include "log.h"
#include "options.h"

#include "os/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { TIME_S = 10, PIECE = 65536, ANSWER_MOST = 256 << 20 }; /* bytes */

static int
reach(const char *path)
{
    struct timeval time = {.tv_sec = TIME_S};
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    memcpy(un.sun_path, path, strlen(path) + 1);
    int fd = duet__os_socket(AF_UNIX, SOCK_STREAM, DUET__OS_WAITS);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) == 0 &&
        connect(fd, (struct sockaddr *)&un, sizeof un) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/** Make room for another piece and a final NUL. Returns 0, or -1 with errno. */
static int
grow(char **text, size_t size, size_t *cap)
{
    if (*cap - size > PIECE)
        return 0;
    char *more = *cap < ANSWER_MOST ? realloc(*text, 2 * *cap + PIECE + 1) : NULL;
    if (more == NULL) {
        errno = ENOMEM;
        return -1;
    }
    *text = more;
    *cap = 2 * *cap + PIECE + 1;
    return 0;
}

/** Take all that comes. Returns 0, or -1 with errno. */
static int
take_all(int fd, char **text)
{
    size_t size = 0, cap = 0;

    for (;;) {
        if (grow(text, size, &cap) != 0)
            return -1;
        ssize_t n = recv(fd, *text + size, PIECE, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        (*text)[size + (size_t)n] = 0;
        if (n == 0)
            return 0;
        size += (size_t)n;
    }
}

/** Take the first line apart. Returns 0, or -1: it is none of ours. */
static int
split(struct reply *reply)
{
    char *end = strchr(reply->text, '\n'), *reason;

    if (end == NULL)
        return -1;
    *end = 0;
    reply->body = end + 1;
    if (strcmp(reply->text, "ok") == 0)
        return 0;
    if (strncmp(reply->text, "error ", 6) != 0)
        return -1;
    long code = strtol(reply->text + 6, &reason, 10);
    if (code <= 0 || code > 255 || *reason != ' ')
        return -1;
    reply->code = (int)code;
    printable_copy(reply->reason, sizeof reply->reason, reason + 1);
    return 0;
}

static int
ask_one(struct reply *reply, const char *path, const char *line)
{
    size_t size = strlen(line);

    *reply = (struct reply){.text = NULL};
    int fd = reach(path);
    if (fd < 0)
        return -1;
    int bad = send(fd, line, size, 0) != (ssize_t)size || take_all(fd, &reply->text) != 0;
    int error = errno;
    close(fd);
    errno = bad ? error : EPROTO;
    if (!bad && split(reply) == 0)
        return 0;
    free(reply->text);
    return -1;
}

/** The request's line. */
static void
make_line(char out[REQUEST_MOST + 2], const struct request *request)
{
    int n = snprintf(out, REQUEST_MOST, "%s", request_name(request->kind));

    if (request->kind == REQUEST_KILL)
        n += snprintf(out + n, REQUEST_MOST - (size_t)n, " %llu", (unsigned long long)request->id);
    memcpy(out + n, "\n", 2);
}

static void
ask_path(struct replies *replies, const char *path, const char *line)
{
    if (ask_one(&replies->list[replies->count], path, line) == 0) {
        replies->count++;
        return;
    }
    replies->missing++;
    log_warning("%s: %s", printable(path),
                errno == EAGAIN         ? "no answer within 10 seconds"
                : errno == EPROTO       ? "what answers is no duet, or it ended meanwhile"
                : errno == ECONNREFUSED ? "nobody serves it now"
                                        : errno_text());
}

int
ask(struct replies *replies, const char *path, const struct request *request, int first_only)
{
    char line[REQUEST_MOST + 2], own[sizeof(((struct sockaddr_un *)0)->sun_path)];

    memset(replies, 0, sizeof *replies);
    make_line(line, request);
    if (strlen(path) + 4 > sizeof own)
        return log_error(EXIT_USAGE, "%s: the path is too long for a socket", printable(path));
    if (access(path, F_OK) == 0)
        ask_path(replies, path, line);
    for (unsigned i = 0; i < WORKERS_MOST && access(path, F_OK) != 0; i++) {
        snprintf(own, sizeof own, "%s.%u", path, i);
        if (access(own, F_OK) == 0 && !(first_only && replies->count > 0))
            ask_path(replies, own, line);
    }
    if (replies->count + replies->missing == 0)
        return log_error(
            EXIT_CONNECT,
            "%s: %s; does the service run, and is --control what its configuration says?",
            printable(path), errno_text());
    if (replies->count == 0 || (replies->missing > 0 && !first_only))
        return log_error(EXIT_CONNECT, "%s: %u of the service's processes did not answer",
                         printable(path), replies->missing);
    return EXIT_DONE;
}

void
replies_free(struct replies *replies)
{
    for (unsigned i = 0; i < replies->count; i++)
        free(replies->list[i].text);
    replies->count = 0;
}
