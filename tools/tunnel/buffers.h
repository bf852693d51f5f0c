/*
 * Buffers of one size, lent to a connection only while it has bytes under way.
 *
 * A few that came back stay at hand, the last one first, as it is still in the processor's cache;
 * the others go back to the system, wiped: they held what is confidential on the wire.
 */
#ifndef DUET_TUNNEL_BUFFERS_H
#define DUET_TUNNEL_BUFFERS_H

#include <stdint.h>

enum {
    BUFFER_SIZE = 65536, /* bytes; one of the largest frames: another waits for a turn, beside its
                            neighbours */
    BUFFERS_AT_HAND = 16 /* that are kept for the next */
};

struct buffers {
    uint8_t *at_hand[BUFFERS_AT_HAND];
    unsigned count; /* of them */
    unsigned lent;
};

/** Lend BUFFER_SIZE bytes. NULL: no memory. */
uint8_t *buffers_lend(struct buffers *buffers);

/** Take one back. */
void buffers_return(struct buffers *buffers, uint8_t *buffer);

/** Wipe and release those at hand. */
void buffers_free(struct buffers *buffers);

#endif
