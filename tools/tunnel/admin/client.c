/*
 * The client of the control socket (see client.h). An answer ends where the connection does.
 */
#include "client.h"

#include "log.h"
#include "os/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { TIME_S = 10, PIECE = 65536, ANSWER_MOST = 256 << 20 }; /* bytes */

/** Connect. Returns a descriptor that waits for TIME_S at most, or -1 with errno. */
static int
connect_control(const char *path)
{
    struct timeval time = {.tv_sec = TIME_S};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = duet__os_socket(AF_UNIX, SOCK_STREAM, DUET__OS_WAITS);

    memcpy(un.sun_path, path, strlen(path) + 1);
    if (fd < 0 || (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0 &&
                   setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) == 0 &&
                   connect(fd, (struct sockaddr *)&un, sizeof un) == 0))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/** Is the socket served by root or this user, or in a folder where nobody else could put one? Root
 * may ask other users' services. Returns 0, or -1 with EPERM. */
static int
check_server(int fd, const char *path)
{
    char folder[REQUEST_PATH];
    struct stat status;
    uid_t user;

    request_folder(folder, path);
    if (stat(folder, &status) == 0 && (status.st_mode & 022) == 0)
        return 0;
    if (duet__os_peer_user(fd, &user) == 0) {
        if (user == 0 || user == geteuid())
            return 0;
        if (geteuid() == 0) {
            log_warning("%s: user %lu serves it, in a folder where others may write",
                        printable(path), (unsigned long)user);
            return 0;
        }
    }
    errno = EPERM;
    return -1;
}

/** Make room for another piece and a final NUL. Returns 0, or -1 with errno. */
static int
grow_answer(char **text, size_t size, size_t *cap)
{
    if (*cap - size > PIECE)
        return 0;
    *cap = 2 * *cap + PIECE + 1;
    char *more = *cap < ANSWER_MOST ? realloc(*text, *cap) : NULL;
    if (more == NULL) {
        errno = ENOMEM;
        return -1;
    }
    *text = more;
    return 0;
}

/** Read all that comes. Returns 0, or -1 with errno. */
static int
read_answer(int fd, char **text)
{
    size_t size = 0, cap = 0;

    for (;;) {
        if (grow_answer(text, size, &cap) != 0)
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

/** Take the first line apart. Returns 0, or -1: it is not an answer. */
static int
split_answer(struct reply *reply)
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
    reply->reason = reason + 1;
    return 0;
}

/** Ask one process. Returns 0, or -1 with errno; EPROTO: it is not an answer. */
static int
ask_process(struct reply *reply, const char *path, const char *line)
{
    size_t size = strlen(line);
    int fd = connect_control(path);

    *reply = (struct reply){.text = NULL};
    if (fd < 0)
        return -1;
    int bad = check_server(fd, path) != 0 || send(fd, line, size, 0) != (ssize_t)size ||
              read_answer(fd, &reply->text) != 0;
    int error = errno;
    close(fd);
    errno = bad ? error : EPROTO;
    if (!bad && split_answer(reply) == 0)
        return 0;
    free(reply->text);
    return -1;
}

static const char *
ask_error(void)
{
    switch (errno) {
    case EAGAIN:
        return "no answer within 10 seconds";
    case EPROTO:
        return "what answers is not duet, or it ended meanwhile";
    case EPERM:
        return "another user serves it, in a folder where others may write";
    case ECONNREFUSED:
        return "no process serves it now";
    default:
        return errno_text();
    }
}

static void
ask_path(struct replies *replies, const char *path, const char *line)
{
    if (ask_process(&replies->list[replies->count], path, line) == 0) {
        replies->count++;
        return;
    }
    replies->missing++;
    log_warning("%s: %s", printable(path), ask_error());
}

int
client_ask(struct replies *replies, const char *path, const struct request *request)
{
    char line[2 * REQUEST_MOST], own[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const char *word = request_name(request->kind);
    char which[REQUEST_MOST + 1];
    int for_one = request_is_for_one(request->kind);

    memset(replies, 0, sizeof *replies);
    if (*request_argument(request->kind) != 0) {
        request_which(which, &request->kill);
        snprintf(line, sizeof line, "%s %s\n", word, which);
    } else {
        snprintf(line, sizeof line, "%s\n", word);
    }
    if (strlen(path) + 4 > sizeof own)
        return log_error(EXIT_USAGE, "%s: the path is too long for a socket", printable(path));
    if (access(path, F_OK) == 0)
        ask_path(replies, path, line);
    for (unsigned i = 0; i < WORKERS_MOST && access(path, F_OK) != 0; i++) {
        snprintf(own, sizeof own, "%s.%u", path, i);
        if (access(own, F_OK) == 0 && !(for_one && replies->count > 0))
            ask_path(replies, own, line);
    }
    if (replies->count + replies->missing == 0)
        return log_error(EXIT_CONNECT,
                         "%s: %s; does the service run, and is --control what its configuration "
                         "says?",
                         printable(path), errno_text());
    if (replies->count == 0 || (replies->missing > 0 && !for_one))
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
