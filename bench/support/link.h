/*
 * A link: a loopback TCP connection to a child process, and a control socket on which both agree on
 * the next run, so that only what is measured is on the connection.
 */
#ifndef BENCH_SUPPORT_LINK_H
#define BENCH_SUPPORT_LINK_H

#include <sys/types.h>

struct bench_link {
    int fd;      /* the connection */
    int control; /* the control socket */
    pid_t child;
};

struct bench_link_options {
    int nodelay;                                              /* 1: TCP_NODELAY at both ends */
    int near_cpu, far_cpu;                                    /* processors to stay on */
    int (*far)(const struct bench_link *link, void *context); /* runs in the child */
    void *context;
};

enum { BENCH_LINK_SECONDS = 240 }; /* after which the child ends itself */

/** How many processors there are. */
int bench_processors(void);

/** Make a link. Calls on its sockets time out after 20 s. Returns 0, or -1. */
int bench_link_open(struct bench_link *link, const struct bench_link_options *options);

/** Close it, and wait for the child. Returns 0 when the child succeeded too. */
int bench_link_close(struct bench_link *link);

#endif
