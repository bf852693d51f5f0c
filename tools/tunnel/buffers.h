/*
 * Buffers of one size, lent to a connection only while its bytes are pending.
 *
 * A few that came back are kept, the last one first, as it is still in the processor's cache. The
 * others are wiped and freed: they held what is confidential on the wire.
 */
#ifndef DUET_TUNNEL_BUFFERS_H
#define DUET_TUNNEL_BUFFERS_H

#include <stdint.h>

enum {
    BUFFER_SIZE = 65536, /* bytes: one of the largest frames */
    BUFFERS_KEPT = 16    /* for the next */
};

struct buffers {
    uint8_t *kept[BUFFERS_KEPT];
    unsigned count; /* of them */
};

/** Lend BUFFER_SIZE bytes. NULL: no memory. */
uint8_t *buffers_lend(struct buffers *buffers);

/** Take one back and set the pointer to NULL; one that is NULL is fine. */
void buffers_return(struct buffers *buffers, uint8_t **buffer);

/** Wipe and free the kept ones. */
void buffers_free(struct buffers *buffers);

#endif
