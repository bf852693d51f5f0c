/*
 * A carrier: one way to use a TCP connection, plain or protected, by blocking calls. Each end is a
 * process; the link (support/link.h) has the timeouts.
 */
#ifndef BENCH_PEERS_CARRIER_H
#define BENCH_PEERS_CARRIER_H

#include <stddef.h>
#include <stdint.h>

struct carrier {
    const char *name;
    const void *variety; /* for the carrier's file: which variety this is */

    /** Make what both ends must have in common, before the processes part; NULL: nothing. Returns
     * 0, or -1. */
    int (*prepare)(void);

    /** Do the handshake on a socket. far: 1 at the end that accepted. NULL: it failed. */
    void *(*open)(const struct carrier *carrier, int fd, int far);

    /** Send count messages of size bytes each, which lie one behind the other, by as few calls of
     * the library as it allows. Returns 0, or -1. */
    int (*send)(void *end, const uint8_t *data, size_t size, size_t count);

    /** Receive least to size bytes in *got. Returns 0, or -1. */
    int (*recv)(void *end, uint8_t *buffer, size_t size, size_t least, size_t *got);

    void (*close)(void *end);
};

/* TCP alone. */
extern const struct carrier carrier_plain;

/* OpenSSL, TLS 1.3, AES-256-GCM: one SSL_write() for each message. */
extern const struct carrier carrier_libssl;

/* duet's stream, in frames of 16 KiB (the default), 64 KiB, and 64 bytes; duet's messages. */
extern const struct carrier carrier_duet, carrier_duet_large, carrier_duet_small,
    carrier_duet_messages;

#endif
