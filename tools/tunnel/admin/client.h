/*
 * The other end of the control socket: ask a service, or each of its workers, and take the answers.
 */
#ifndef DUET_TUNNEL_CLIENT_H
#define DUET_TUNNEL_CLIENT_H

#include "request.h"
#include "settings.h"

#include <stddef.h>

struct reply {
    char *text; /* owned: the whole answer, with a final NUL */
    char *body; /* what follows its first line */
    int code;   /* 0, or the exit code that it names */
    char reason[256];
};

struct replies {
    struct reply list[WORKERS_MOST];
    unsigned count;   /* who answered */
    unsigned missing; /* who did not, though its socket is there */
};

/**
 * Ask at PATH, or where that is not there at PATH.0, PATH.1 and so on.
 *
 * first_only   1: whoever answers first is enough.
 *
 * Returns an exit code; who is missing is told. replies_free() in any case.
 */
int ask(struct replies *replies, const char *path, const struct request *request, int first_only);

void replies_free(struct replies *replies);

#endif
