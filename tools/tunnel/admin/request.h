/*
 * What the control socket is asked: a line with a word, for kill with a number behind it. Memory
 * in, memory out.
 */
#ifndef DUET_TUNNEL_REQUEST_H
#define DUET_TUNNEL_REQUEST_H

#include <stddef.h>
#include <stdint.h>

enum { REQUEST_MOST = 64 }; /* bytes of a line */

enum request_kind {
    REQUEST_STATUS,
    REQUEST_SESSIONS,
    REQUEST_RELOAD,
    REQUEST_DRAIN,
    REQUEST_KILL,
    REQUEST_METRICS,
    REQUEST_HEALTH,
    REQUESTS
};

struct request {
    enum request_kind kind;
    uint64_t id; /* of kill */
};

/** The word of a request. */
const char *request_name(enum request_kind kind);

/** Read a line without its end, size bytes. Returns 0; -1 with a reason. */
int request_parse(struct request *request, const char *line, size_t size, const char **why);

#endif
