/*
 * A connection's descriptor on the loop: which events it is watched for, and who is called.
 *
 * The watched set is changed only when it differs, as each change is a system call.
 */
#ifndef DUET_TUNNEL_ENDPOINT_H
#define DUET_TUNNEL_ENDPOINT_H

#include <stdint.h>
#include <uv.h>

struct connection;

/** An event of its own, beside UV_READABLE and so on: the loop met an error on the descriptor. */
enum { ENDPOINT_ERROR = 256 };

typedef void endpoint_event(struct connection *connection, int is_plain, int events);

struct endpoint {
    uv_poll_t poll; /* its data: the connection; NULL once it is closed */
    endpoint_event *on_event;
    int fd;          /* owned */
    uint8_t watched; /* set of UV_READABLE and so on */
    uint8_t is_plain;
};

/** Put a descriptor on the loop, unwatched. A plain one is reset by whatever closes it, the death
 * of this process included, so that the other end does not take a part for the whole;
 * endpoint_close() can undo that. Returns NULL without memory; the descriptor is closed then. */
struct endpoint *endpoint_new(uv_loop_t *loop, struct connection *connection, int fd, int is_plain,
                              endpoint_event *on_event);

/** Set a socket's options, before it connects or listens; accepted ones inherit them: no delay, and
 * keep-alive where the other end is another machine (is_far 1). */
void endpoint_prepare(int fd, int is_far);

/** Give it to another connection. */
void endpoint_give(struct endpoint *endpoint, struct connection *connection);

/** Watch for a set of UV_READABLE, UV_WRITABLE and so on; 0: for nothing. NULL is fine. */
void endpoint_watch(struct endpoint *endpoint, int events);

/** Take it off the loop. Returns its descriptor, the caller's now. */
int endpoint_detach(struct endpoint *endpoint);

/** Take it off the loop and close it; reset 0: with a FIN, as an end in order. NULL is fine. */
void endpoint_close(struct endpoint *endpoint, int reset);

#endif
