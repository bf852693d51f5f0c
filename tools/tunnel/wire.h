/*
 * A connection's descriptor on the loop: what it is watched for, and whom an event is told.
 *
 * The set of what is watched is changed only when it differs, as each change is a system call.
 */
#ifndef DUET_TUNNEL_WIRE_H
#define DUET_TUNNEL_WIRE_H

#include <uv.h>

struct connection;

/** What a wire tells: a set, beside UV_READABLE and UV_WRITABLE. */
enum { WIRE_BROKEN = 256 };

typedef void wire_event(struct connection *connection, int events);

struct wire {
    uv_poll_t poll;
    struct connection *connection; /* NULL once it is closed */
    wire_event *event;
    int fd; /* owned */
    int watched;
};

/** Put a descriptor on the loop; it is closed with the wire, or at once on failure. Returns NULL
 * then. */
struct wire *wire_open(uv_loop_t *loop, struct connection *connection, int fd, wire_event *event);

/** Watch for a set of UV_READABLE, UV_WRITABLE and so on; 0: for nothing. */
void wire_watch(struct wire *wire, int events);

/** Take it off the loop and close it; reset 1: so that the other end sees a cut and no end. NULL is
 * fine. */
void wire_close(struct wire *wire, int reset);

#endif
