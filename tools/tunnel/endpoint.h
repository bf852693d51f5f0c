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
    int plain; /* wire_is_plain() was called */
};

/** Put a descriptor on the loop; it is closed with the wire, or at once on failure. Returns NULL
 * then. */
struct wire *wire_open(uv_loop_t *loop, struct connection *connection, int fd, wire_event *event);

/** Make a socket ready, before it connects or listens; what is accepted from it is so too. Nothing
 * waits for more octets, and where the other end is another machine, is_far 1, the kernel asks it
 * now and then whether it lives. */
void wire_prepare(int fd, int is_far);

/** Watch for a set of UV_READABLE, UV_WRITABLE and so on; 0: for nothing. */
void wire_watch(struct wire *wire, int events);

/** From now on whoever closes it, this process's death included, cuts it: the other end sees a
 * reset and takes what has come for no whole. */
void wire_is_plain(struct wire *wire);

/** Take it off the loop and close it; reset 0: in order, as an end. NULL is fine. */
void wire_close(struct wire *wire, int reset);

#endif
