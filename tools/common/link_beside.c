/*
 * Another channel to the peer of a link that is open (see link.h).
 */
#include "interrupt.h"
#include "link.h"
#include "log.h"

#include <string.h>
#include <sys/socket.h>

/** Connect once more to where a link is connected. Returns an exit code. */
static int
dial_beside(struct link *link, const struct link *first, int timeout_ms)
{
    struct sockaddr_storage at;
    socklen_t size = sizeof at;

    if (getpeername(first->rfd, (struct sockaddr *)&at, &size) != 0)
        return log_error(EXIT_CONNECT, "a further stream: %s", errno_text());
    link->rfd = link->wfd = dial_once((struct sockaddr *)&at, size, timeout_ms);
    if (link->rfd >= 0)
        return EXIT_DONE;
    return interrupted() ? EXIT_INTERRUPTED
                         : log_error(EXIT_CONNECT, "a further stream: %s", errno_text());
}

int
link_open_beside(struct link *link, const struct link *first, const struct options *o,
                 int timeout_ms)
{
    memset(link, 0, sizeof *link);
    link->beside = 1;
    link->config = first->config;
    link->replay = first->replay;
    link->role = first->role;
    link->drain_ms = first->drain_ms;
    link->linger_least_ms = first->linger_least_ms;
    link->linger_most_ms = first->linger_most_ms;
    link->rfd = link->wfd = -1;
    int code = EXIT_CONNECT;
    if (first->wait != NULL) {
        code = await_next(first->wait, &link->channel, &link->rfd, timeout_ms);
        link->wfd = link->rfd;
    } else if (!o->listen) {
        code = dial_beside(link, first, timeout_ms);
        if (code == EXIT_DONE)
            code = link_open_direct(link, o);
    }
    return code;
}
