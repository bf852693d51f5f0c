/*
 * A bounded queue of datagrams (see datagrams.h). What leaves it is wiped, as it is confidential on
 * the wire.
 */
#include "datagrams.h"

#include <duet/duet.h>
#include <stdlib.h>
#include <string.h>

void
datagrams_start(struct datagrams *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
    queue->count = queue->bytes = 0;
}

void
datagrams_drop(struct datagrams *queue)
{
    struct datagram *oldest = queue->first;

    queue->first = oldest->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    queue->count--;
    queue->bytes -= oldest->size;
    duet_wipe(oldest->bytes, oldest->size);
    free(oldest);
}

unsigned
datagrams_add(struct datagrams *queue, const void *bytes, size_t size)
{
    struct datagram *fresh = size <= DATAGRAMS_BYTES_MOST ? malloc(sizeof *fresh + size) : NULL;
    unsigned dropped = 0;

    if (fresh == NULL)
        return 1;
    fresh->next = NULL;
    fresh->size = size;
    if (size > 0)
        memcpy(fresh->bytes, bytes, size);
    while (queue->count >= DATAGRAMS_MOST || queue->bytes + size > DATAGRAMS_BYTES_MOST) {
        datagrams_drop(queue);
        dropped++;
    }
    *queue->last = fresh;
    queue->last = &fresh->next;
    queue->count++;
    queue->bytes += size;
    return dropped;
}

void
datagrams_free(struct datagrams *queue)
{
    while (queue->first != NULL)
        datagrams_drop(queue);
}
