/*
 * Buffers that are lent (see buffers.h).
 */
#include "buffers.h"

#include <duet/duet.h>
#include <stdlib.h>

uint8_t *
buffers_lend(struct buffers *buffers)
{
    uint8_t *buffer = buffers->count > 0 ? buffers->at_hand[--buffers->count] : malloc(BUFFER_SIZE);

    if (buffer != NULL)
        buffers->lent++;
    return buffer;
}

static void
release(uint8_t *buffer)
{
    duet_wipe(buffer, BUFFER_SIZE);
    free(buffer);
}

void
buffers_return(struct buffers *buffers, uint8_t *buffer)
{
    buffers->lent--;
    if (buffers->count < BUFFERS_AT_HAND)
        buffers->at_hand[buffers->count++] = buffer;
    else
        release(buffer);
}

void
buffers_free(struct buffers *buffers)
{
    while (buffers->count > 0)
        release(buffers->at_hand[--buffers->count]);
}
