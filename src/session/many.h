/*
 * Frames of several sessions by one call, for channel and for measuring: neighbours of different
 * sessions go through the kernel two by two, in less time than one after the other.
 */
#ifndef DUET_SESSION_MANY_H
#define DUET_SESSION_MANY_H

#include <duet/session.h>

/** A frame to seal: what duet_session_send() takes, and what it returns. */
struct duet__sealing {
    duet_session *session;
    uint8_t *out;
    const uint8_t *payload;
    size_t len;
    uint32_t code;
    int result; /* out */
};

/** A step of receiving: what duet_session_recv() takes, and what it returns. */
struct duet__opening {
    duet_session *session;
    struct duet_step step;
    int result; /* out */
};

/**
 * Seal frames of several sessions, as duet_session_send() on each job in order.
 *
 * jobs    count of them; a session may have several. Buffers of different jobs do not overlap. Two
 *         neighbours are sealed together when their sessions differ and each payload is 128 bytes
 *         or longer: let sessions take turns, and lengths be equal.
 *
 * Returns DUET_OK, else the first job's result that is not. All jobs are done in any case; a
 * failure of libcrypto ends both sessions of a pair.
 */
int duet__session_send_many(struct duet__sealing *jobs, size_t count);

/** Take bytes from the wires of several sessions, as duet_session_recv() on each job in order. Two
 * neighbours of different sessions that both are within an application's frame (after BEGIN) are
 * opened together. Returns as duet__session_send_many(). */
int duet__session_recv_many(struct duet__opening *jobs, size_t count);

#endif
