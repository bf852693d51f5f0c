/*
 * Runs a script of the tests: run_test COMMAND [ARGUMENT...]
 *
 * The command begins with default signals and open standard streams, and it has ports of its own:
 * DUET_TEST_PORTS names the first of PORTS in a row. Port 0 of the row is bound here until the command
 * has ended, so that of all scripts which run at once, in whatever checkout and by whatever user, the
 * kernel gives each row to one. Exits as the command does; a signal N gives 128 + N.
 */
#include "support/reset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { PORTS = 100, FIRST = 10000, LAST = 32000, HIGHEST = 65535 };

static pid_t child;

static void
pass_on(int number)
{
    if (child > 0)
        kill(child, number);
}

/** Bind a port. Returns the socket, or -1 when another has it. */
static int
bind_port(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/** The range of ports outside the one from which the system draws those of connections. */
static void
free_range(int *first, int *last)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
    char line[64] = "", *end;

    *first = FIRST;
    *last = LAST;
    if (file == NULL)
        return;
    if (fgets(line, sizeof line, file) != NULL) {
        int low = (int)strtol(line, &end, 10), high = (int)strtol(end, NULL, 10);
        if (low < LAST && HIGHEST - high > low - 1024) {
            *first = high + 1;
            *last = HIGHEST;
        } else if (low < LAST) {
            *first = low < FIRST ? 1024 : FIRST;
            *last = low;
        }
    }
    fclose(file);
    if (*last - *first < 10 * PORTS) { /* the system draws from all: what is in use is skipped */
        *first = FIRST;
        *last = LAST;
    }
}

/** Have a row of ports. Returns the first, or 0 when all rows are taken. */
static int
claim_ports(void)
{
    int first, last;

    free_range(&first, &last);
    int rows = (last - first) / PORTS;
    int at = (int)(getpid() % rows);
    for (int i = 0; i < rows; i++) {
        int port = first + (at + i) % rows * PORTS;
        if (bind_port(port) >= 0)
            return port;
    }
    return 0;
}

int
main(int argc, char **argv)
{
    char text[16];
    int status;

    if (argc < 2) {
        fputs("usage: run_test COMMAND [ARGUMENT...]\n", stderr);
        return 2;
    }
    reset_streams();
    reset_signals();
    int port = claim_ports();
    if (port == 0) {
        fputs("run_test: no ports are free\n", stderr);
        return 1;
    }
    snprintf(text, sizeof text, "%d", port);
    setenv("DUET_TEST_PORTS", text, 1);
    child = fork();
    if (child == 0) {
        execvp(argv[1], argv + 1);
        fprintf(stderr, "run_test: %s: %s\n", argv[1], strerror(errno));
        _exit(127);
    }
    signal(SIGTERM, pass_on);
    signal(SIGINT, pass_on);
    signal(SIGHUP, pass_on);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
