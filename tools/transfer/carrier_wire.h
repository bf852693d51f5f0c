/*
 * What carrier.c and carrier_wire.c share: the blocks of a queue.
 */
#ifndef DUET_TOOL_CARRIER_WIRE_H
#define DUET_TOOL_CARRIER_WIRE_H

#include "carrier.h"

/** The block that was filled first. */
struct carrier_block *carrier_first(struct carrier_queue *queue);

/** The block to fill; only where the queue is not full. The lock is held, as the other thread may
 * be emptying the first one. */
struct carrier_block *carrier_next(struct carrier_queue *queue);

/** The first block is empty now. The lock is held. */
void carrier_drop_first(struct carrier_queue *queue);

#endif
