/*
 * An echo on one channel, polled: what the servers on epoll, libuv and libevent have in common.
 *
 * An event loop calls echo_run() when the socket can be read or written, and does what it returns.
 */
#ifndef EXAMPLES_ECHO_H
#define EXAMPLES_ECHO_H

#include <duet/duet.h>
#include <time.h>

/** The largest frame that is accepted: what the buffer holds. */
#define ECHO_FRAME_MOST 16384u

enum echo_next {
    ECHO_WAIT, /**< nothing more can be done before the socket is ready (see duet_channel_state()) */
    ECHO_MORE, /**< there is more to do now, but others should have their turn: call again soon */
    ECHO_END   /**< over: call echo_free() */
};

struct echo {
    duet_channel *channel;
    int fd;
    int closing, silent; /* the peer has closed; it has not proven itself */
    time_t since;        /* the last time something went on */
    size_t at, size;     /* what is in the buffer, from at on not sent yet */
    char buffer[ECHO_FRAME_MOST];
    size_t place; /* the event loop's own: where it is listed, */
    int listed;   /* whether it is to have a turn, */
};

/** Make a configuration for echo_new(), with the secret of a file. Returns NULL after a message. */
duet_config *echo_config(const char *path);

/** An echo on a connection, whose socket it owns from now on. Returns NULL when there is no memory. */
struct echo *echo_new(const duet_config *config, duet_replay *replay, int fd);

enum echo_next echo_run(struct echo *echo);

/** To be called once a second: whether nothing has gone on for a minute; end it then. A handshake that
 * is not done in time becomes silence, as one that has failed. */
int echo_is_idle(struct echo *echo);

/** Wipe and release it, and close its socket. */
void echo_free(struct echo *echo);

#endif
