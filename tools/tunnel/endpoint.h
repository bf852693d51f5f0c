/*
 * A connection's descriptor on the loop: what it is watched for, and whom an event is told.
 *
 * The set of what is watched is changed only when it differs, as each change is a system call.
 */
#ifndef DUET_TUNNEL_ENDPOINT_H
#define DUET_TUNNEL_ENDPOINT_H

#include <uv.h>

struct connection;

/** What an endpoint tells: a set, beside UV_READABLE and UV_WRITABLE. */
enum { ENDPOINT_BROKEN = 256 };

typedef void endpoint_event(struct connection *connection, int events);

struct endpoint {
    uv_poll_t poll;
    struct connection *connection; /* NULL once it is closed */
    endpoint_event *event;
    int fd; /* owned */
    int watched;
    int plain; /* endpoint_is_plain() was called */
};

/** Put a descriptor on the loop; it is closed with the endpoint, or at once on failure, which
 * returns NULL. */
struct endpoint *endpoint_open(uv_loop_t *loop, struct connection *connection, int fd,
                               endpoint_event *event);

/** Make a socket ready, before it connects or listens; what is accepted from it is so too. Nothing
 * waits for more bytes, and where the other end is another machine, is_far 1, the kernel asks it
 * now and then whether it lives. */
void endpoint_prepare(int fd, int is_far);

/** Watch for a set of UV_READABLE, UV_WRITABLE and so on; 0: for nothing. */
void endpoint_watch(struct endpoint *endpoint, int events);

/** From now on whoever closes it, this process's death included, cuts it: the other end sees a
 * reset and takes what has come for no whole. */
void endpoint_is_plain(struct endpoint *endpoint);

/** Take it off the loop and close it; reset 0: in order, as an end. NULL is fine. */
void endpoint_close(struct endpoint *endpoint, int reset);

#endif
