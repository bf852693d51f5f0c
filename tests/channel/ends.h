/*
 * Two channels for a test, with the test in the middle of the wire.
 *
 * Each channel has a socket of its own; what one writes reaches the other only as far as the test
 * carries it, so streams can be cut, held back, dribbled and changed at any byte.
 */
#ifndef TESTS_CHANNEL_ENDS_H
#define TESTS_CHANNEL_ENDS_H

#include <duet/duet.h>

/* Sanitizers make everything slow, and take memory of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ENDS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define ENDS_SANITIZED 1
#endif
#endif
#ifndef ENDS_SANITIZED
#define ENDS_SANITIZED 0
#endif

/* Milliseconds that a call may wait for what must come, however busy the machine is. */
#define ENDS_PATIENCE 60000

struct ends {
    duet_config *config;
    duet_replay *replay;
    duet_channel *top, *bottom;
    int top_fd, bottom_fd; /* the channels' own */
    int top_far,
        bottom_far; /* their other ends, the test's; the same as the peer's fd when direct */
};

/** What lies between two ends. */
enum ends_wire {
    ENDS_APART,    /* a socketpair each, with the test in the middle */
    ENDS_DIRECT,   /* the two ends of one socketpair */
    ENDS_TCP,      /* the two ends of a TCP connection on loopback */
    ENDS_TCP_APART /* a TCP connection each, with the test in the middle */
};

/** A configuration with one secret; the caller frees it. */
duet_config *ends_config(void);

/** Open both ends on sockets with the test in the middle. */
void ends_open(struct ends *ends);

/** Open both ends on the two ends of one socketpair. */
void ends_open_direct(struct ends *ends);

/** As either, with a configuration that the ends take over. */
void ends_open_with(struct ends *ends, duet_config *config, enum ends_wire wire);

/** Two connected sockets of the kind that a wire is made of. */
void ends_sockets(enum ends_wire wire, int *one, int *other);

void ends_close(struct ends *ends);

/** Carry at most n bytes from one far end to the other and wait until they have arrived there;
 * returns how many. */
size_t ends_carry(int from, int to, size_t n);

/** Carry all that is there, both ways. */
void ends_carry_all(struct ends *ends);

/** Initiate, polled, until both ends are ready and nothing is under way. */
void ends_handshake(struct ends *ends);

/** Bytes that lie in the kernel to be read. */
size_t ends_waiting(int fd);

/** 1 when poll() says that fd can be read. */
int ends_readable(int fd);

/** Fill with a pattern of a seed's. */
void ends_fill(uint8_t *out, size_t size, uint32_t seed);

/** 1 when all bytes are of one value. */
int ends_all(const uint8_t *bytes, size_t size, uint8_t value);

#endif
