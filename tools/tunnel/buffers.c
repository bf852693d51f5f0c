/*
 * Buffers that are lent (see buffers.h).
 */
#include "buffers.h"

#include <duet/duet.h>
#include <stddef.h>
#include <stdlib.h>

uint8_t *
buffers_lend(struct buffers *buffers)
{
    return buffers->count > 0 ? buffers->kept[--buffers->count] : malloc(BUFFER_SIZE);
}

static void
wipe_and_free(uint8_t *buffer)
{
    duet_wipe(buffer, BUFFER_SIZE);
    free(buffer);
}

void
buffers_return(struct buffers *buffers, uint8_t **buffer)
{
    if (*buffer == NULL)
        return;
    if (buffers->count < BUFFERS_KEPT)
        buffers->kept[buffers->count++] = *buffer;
    else
        wipe_and_free(*buffer);
    *buffer = NULL;
}

void
buffers_free(struct buffers *buffers)
{
    while (buffers->count > 0)
        wipe_and_free(buffers->kept[--buffers->count]);
}
