/*
 * TCP for the examples; see tcp.h.
 */
#include "tcp.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

volatile sig_atomic_t tcp_stopped;

/** Try each address of a name: connect, or bind and listen where host is NULL. */
static int
open_socket(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = host ? 0 : AI_PASSIVE};
    struct addrinfo *list, *one;
    int fd = -1, on = 1, error = getaddrinfo(host, port, &hints, &list);

    if (error != 0) {
        fprintf(stderr, "%s port %s: %s\n", host ? host : "*", port, gai_strerror(error));
        return -1;
    }
    for (one = list; one != NULL; one = one->ai_next) {
        fd = socket(one->ai_family, one->ai_socktype, one->ai_protocol);
        if (fd < 0)
            continue;
        if (host != NULL && connect(fd, one->ai_addr, one->ai_addrlen) == 0)
            break;
        if (host == NULL && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
            bind(fd, one->ai_addr, one->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
            break;
        close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    if (fd < 0)
        fprintf(stderr, "%s port %s: %s\n", host ? host : "*", port, strerror(errno));
    return fd;
}

int
tcp_connect(const char *host, const char *port)
{
    return open_socket(host, port);
}

int
tcp_listen(const char *port)
{
    return open_socket(NULL, port);
}

int
tcp_accept(int listener)
{
    int fd;

    do
        fd = tcp_stopped ? -1 : accept(listener, NULL, NULL);
    while (fd < 0 && !tcp_stopped && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0 && !tcp_stopped)
        perror("accept");
    return fd;
}

static void
set_stopped(int number)
{
    (void)number;
    tcp_stopped = 1;
}

void
tcp_stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = set_stopped}; /* without SA_RESTART */

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int
tcp_from_words(char **words, enum duet_role *role)
{
    int listener, fd;

    if (words[0] != NULL && strcmp(words[0], "listen") == 0 && words[1] != NULL) {
        *role = DUET_BOTTOM;
        listener = tcp_listen(words[1]);
        fd = listener < 0 ? -1 : tcp_accept(listener);
        if (listener >= 0)
            close(listener);
        return fd;
    }
    if (words[0] != NULL && strcmp(words[0], "connect") == 0 && words[1] != NULL &&
        words[2] != NULL) {
        *role = DUET_TOP;
        return tcp_connect(words[1], words[2]);
    }
    fputs("say: listen PORT, or: connect HOST PORT\n", stderr);
    return -1;
}
