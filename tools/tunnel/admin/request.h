/*
 * Requests at the control socket: a line with a word, for some with a number after it. Memory in,
 * memory out. A new verb of `duet ctl` is a row here and a function in answer.c.
 */
#ifndef DUET_TUNNEL_REQUEST_H
#define DUET_TUNNEL_REQUEST_H

#include <stddef.h>
#include <stdint.h>

enum { REQUEST_MOST = 64 }; /* bytes of a line */

/* X(name, word, what its argument is; "" none, 1: one worker answers or acts for all) */
#define REQUEST_ROWS(X)                                                                            \
    X(STATUS, "status", "", 0)                                                                     \
    X(SESSIONS, "sessions", "", 0)                                                                 \
    X(RELOAD, "reload", "", 1)                                                                     \
    X(UPGRADE, "upgrade", "", 1)                                                                   \
    X(DRAIN, "drain", "", 1)                                                                       \
    X(KILL, "kill", "WHICH", 0)                                                                    \
    X(METRICS, "metrics", "", 1)                                                                   \
    X(HEALTH, "health", "", 0)

/** The same for a reader. */
#define REQUEST_USAGE "status|sessions|reload|upgrade|drain|kill WHICH|metrics|health"

#define REQUEST_ENUM(name, word, argument, for_one) REQUEST_##name,
enum request_kind { REQUEST_ROWS(REQUEST_ENUM) REQUESTS };
#undef REQUEST_ENUM

/** Which connections kill ends. */
enum kill_by { KILL_ID, KILL_TUNNEL, KILL_SECRET, KILL_IDENTITY };

struct kill_request {
    enum kill_by by;
    uint64_t id;                  /* KILL_ID */
    char value[REQUEST_MOST + 1]; /* the others: a name, a secret's id in hex, a public key */
};

struct request {
    enum request_kind kind; /* REQUESTS: none */
    struct kill_request kill;
};

/** The word of a request, and its argument's name ("": none). */
const char *request_name(enum request_kind kind);
const char *request_argument(enum request_kind kind);

/** 1 when one worker answers or acts for all of them. */
int request_is_for_one(enum request_kind kind);

/** Write the argument of kill, as request_parse() reads it. */
void request_which(char out[REQUEST_MOST + 1], const struct kill_request *kill);

/** Read a line without its end, size bytes. Returns 0; -1 with a reason. */
int request_parse(struct request *request, const char *line, size_t size, const char **why);

enum { REQUEST_PATH = 112 }; /* bytes: more than a socket's path can have */

/** Write the folder of a control socket's path. */
void request_folder(char out[REQUEST_PATH], const char *path);

#endif
