/*
 * Making a link (see link.h).
 */
#include "bench/support/link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALL_SECONDS = 20 };

int
bench_processors(void)
{
    return (int)sysconf(_SC_NPROCESSORS_ONLN); /* not those of this process, which stays on one */
}

static void
stay_on(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set); /* may fail; the figures then vary more */
}

static int
bound(int fd)
{
    struct timeval most = {.tv_sec = CALL_SECONDS};
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most) == 0 &&
                   setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most) == 0
               ? 0
               : -1;
}

/* Connect to a listening socket of this process; *far: the accepted end. */
static int
connect_to(int listener, int *near, int *far)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return -1;
    *near = socket(AF_INET, SOCK_STREAM, 0);
    if (*near < 0)
        return -1;
    if (connect(*near, (struct sockaddr *)&address, sizeof address) == 0) {
        *far = accept(listener, NULL, NULL);
        if (*far >= 0)
            return 0;
    }
    close(*near);
    return -1;
}

static int
connect_pair(int *near, int *far, int nodelay)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0)
        return -1;
    int result = connect_to(listener, near, far);
    close(listener);
    if (result != 0)
        return -1;
    if (bound(*near) == 0 && bound(*far) == 0 &&
        setsockopt(*near, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof nodelay) == 0 &&
        setsockopt(*far, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof nodelay) == 0)
        return 0;
    close(*near);
    close(*far);
    return -1;
}

/* Fork; the child runs its end and never returns. */
static int
part(struct bench_link *link, struct bench_link *far, const struct bench_link_options *options)
{
    link->child = fork();
    if (link->child == 0) {
        close(link->fd);
        close(link->control);
        alarm(BENCH_LINK_SECONDS);
        stay_on(options->far_cpu);
        _exit(options->far(far, options->context) == 0 ? 0 : 1);
    }
    close(far->fd);
    close(far->control);
    if (link->child > 0) {
        stay_on(options->near_cpu);
        return 0;
    }
    close(link->fd);
    close(link->control);
    return -1;
}

int
bench_link_open(struct bench_link *link, const struct bench_link_options *options)
{
    struct bench_link far = {0};
    int control[2];
    memset(link, 0, sizeof *link);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control) != 0)
        return -1;
    if (bound(control[0]) != 0 || connect_pair(&link->fd, &far.fd, options->nodelay) != 0) {
        close(control[0]);
        close(control[1]);
        return -1;
    }
    link->control = control[0];
    far.control = control[1];
    return part(link, &far, options);
}

int
bench_link_close(struct bench_link *link)
{
    int status;
    /* Children that were forked later hold copies: closing alone would end nothing. */
    shutdown(link->control, SHUT_RDWR);
    close(link->fd);
    close(link->control);
    return waitpid(link->child, &status, 0) == link->child && WIFEXITED(status) &&
                   WEXITSTATUS(status) == 0
               ? 0
               : -1;
}
