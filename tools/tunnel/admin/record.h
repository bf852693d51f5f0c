/*
 * The log: the access log, with one line for each connection at its end, and notes of the process,
 * as text, logfmt or JSON, on standard error or to syslog.
 *
 * A secret is never logged, only its id. What came from outside is made printable. A line is one
 * write; where nobody reads it, it is dropped and counted, as a log must not stop a tunnel.
 */
#ifndef DUET_TUNNEL_RECORD_H
#define DUET_TUNNEL_RECORD_H

#include "settings.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    RECORD_LINE = 4096,  /* bytes of the longest line: a pipe takes them whole or not at all */
    RECORD_ADDRESS = 160 /* bytes of an address's text */
};

/** How a connection ended. Its words in the log are in record.c. */
enum record_outcome {
    END_DONE,            /* both sides closed in order */
    END_CUT,             /* it was open and ended otherwise */
    END_REFUSED,         /* a limit or a policy of this end */
    END_UNAUTHENTICATED, /* the peer did not authenticate */
    END_UNREACHED        /* no target could be reached */
};

/** A connection at its end. What is not known is NULL. */
struct record {
    const char *tunnel;
    uint64_t id;
    const struct sockaddr *from; /* where it came from */
    const struct sockaddr *via;  /* the proxy that named that source */
    const char *target;
    const uint8_t *secret_id; /* DUET_SECRET_ID_SIZE bytes */
    const uint8_t *peer_key;  /* DUET_KEY_SIZE bytes */
    int is_hybrid;            /* 1: ML-KEM-768 beside X25519 */
    const char *peer_name;    /* in the peers file */
    uint64_t bytes_in;        /* duet to plain */
    uint64_t bytes_out;       /* plain to duet */
    uint64_t duration_ms;
    uint64_t setup_ms; /* of these until the channel was ready; 0: it never was */
    enum record_outcome outcome;
    const char *reason; /* a sentence */
};

enum record_level { RECORD_ERROR, RECORD_WARNING, RECORD_INFO };

/** Set how and where lines are written from now on, those of log.h included. */
void record_start(enum log_format format, enum log_target target);

/** Log a connection. */
void record_write(const struct record *record);

/** Log a note of the process; INFO is left out under -q. */
void record_note(enum record_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Format an address as 192.0.2.1:99, [2001:db8::1]:99 or unix. NULL stays NULL. Returns the text.
 */
const char *record_address(char room[RECORD_ADDRESS], const struct sockaddr *address);

/** Make the line of a connection, or of a note when record is NULL, without its end. unix_ms: its
 * time; 0: without one. Returns its size, under RECORD_LINE. */
size_t record_format(char out[RECORD_LINE], enum log_format format, uint64_t unix_ms,
                     enum record_level level, const struct record *record, const char *note);

#endif
