/*
 * The client of the control socket: asks a service, or each of its workers, and takes the answers.
 */
#ifndef DUET_TUNNEL_CLIENT_H
#define DUET_TUNNEL_CLIENT_H

#include "request.h"
#include "settings.h"

#include <stddef.h>

struct reply {
    char *text;         /* owned: the whole answer, with a final NUL */
    char *body;         /* what follows its first line */
    int code;           /* 0, or the exit code that it names */
    const char *reason; /* of the code; from outside, not yet printable */
};

struct replies {
    struct reply list[WORKERS_MOST];
    unsigned count;   /* processes that answered */
    unsigned missing; /* those that did not, though their socket is there */
};

/** Ask at PATH, or where that is not there at PATH.0, PATH.1 and so on; where one worker answers
 * for all, only the first. Returns an exit code; those that are missing are logged. replies_free()
 * in any case. */
int client_ask(struct replies *replies, const char *path, const struct request *request);

void replies_free(struct replies *replies);

#endif
