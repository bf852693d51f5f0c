/*
 * The queues of a transfer, and the worker's side of them (see carrier.h). What moves between the
 * queues and the channel is in carrier_wire.c.
 *
 * A block is filled by one thread, handed over whole, and emptied by the other, so the lock is held
 * for the moment of handing over alone.
 */
#include "carrier.h"

#include "carrier_wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct carrier_block *
carrier_first(struct carrier_queue *queue)
{
    return &queue->blocks[queue->first];
}

struct carrier_block *
carrier_next(struct carrier_queue *queue)
{
    return &queue->blocks[(queue->first + queue->count) % CARRIER_BLOCKS];
}

void
carrier_drop_first(struct carrier_queue *queue)
{
    struct carrier_block *block = carrier_first(queue);

    block->used = block->count = block->done = 0;
    queue->first = (queue->first + 1) % CARRIER_BLOCKS;
    queue->count--;
}

/** Wake the wire's thread where it waits. The lock is held. */
static void
wake_wire(struct carrier *carrier)
{
    if (carrier->polling)
        (void)!write(carrier->wake[1], "", 1);
}

/* ---- Putting ---- */

void
carrier_push(struct carrier *carrier)
{
    pthread_mutex_lock(&carrier->lock);
    if (carrier->out.count < CARRIER_BLOCKS && carrier_next(&carrier->out)->count > 0) {
        carrier->out.count++;
        wake_wire(carrier);
    }
    pthread_mutex_unlock(&carrier->lock);
}

/** 1 when the first received block has a message that was not taken. The lock is held. */
static int
has_message(struct carrier *carrier)
{
    const struct carrier_block *block = carrier_first(&carrier->in);

    return carrier->in.count > 1 || (carrier->in.count == 1 && block->done < block->count);
}

/** Wait until a block can be filled; what comes meanwhile goes to on_message(). Returns the block;
 * NULL: the worker has to end. */
static struct carrier_block *
block_to_fill(struct carrier *carrier)
{
    duet_message message;

    for (;;) {
        pthread_mutex_lock(&carrier->lock);
        int takes = carrier->on_message != NULL && !carrier->waiting;
        while (!carrier->stopped && carrier->out.count == CARRIER_BLOCKS &&
               !(takes && has_message(carrier)))
            pthread_cond_wait(&carrier->changed, &carrier->lock);
        int stopped = carrier->stopped, room = carrier->out.count < CARRIER_BLOCKS;
        struct carrier_block *block = carrier->filling = carrier_next(&carrier->out);
        pthread_mutex_unlock(&carrier->lock);
        if (stopped)
            return NULL;
        if (room)
            return block;
        carrier->waiting = 1;
        if (carrier_take(carrier, &message, 0) == 1)
            carrier->on_message(carrier->context, &message);
        carrier->waiting = 0;
    }
}

/** A block with room for size more bytes, as one message. NULL: the worker has to end. */
static struct carrier_block *
block_with_room(struct carrier *carrier, size_t size)
{
    struct carrier_block *block = block_to_fill(carrier);

    while (block != NULL && (CARRIER_BLOCK - block->used < size || block->count == CARRIER_LIST)) {
        carrier_push(carrier);
        block = block_to_fill(carrier);
    }
    return block;
}

uint8_t *
carrier_room(struct carrier *carrier)
{
    struct carrier_block *block = block_with_room(carrier, TRANSFER_DATA_MOST);

    return block != NULL ? block->bytes + block->used : NULL;
}

void
carrier_add(struct carrier *carrier, uint32_t code, size_t size)
{
    struct carrier_block *block = carrier->filling;

    block->list[block->count++] =
        (duet_message){.data = block->bytes + block->used, .size = size, .code = code};
    block->used += size;
    if (CARRIER_BLOCK - block->used < TRANSFER_DATA_MOST)
        carrier_push(carrier);
}

int
carrier_put(struct carrier *carrier, uint32_t code, const void *bytes, size_t size)
{
    struct carrier_block *block = block_with_room(carrier, size);

    if (block == NULL)
        return -1;
    if (size > 0)
        memcpy(block->bytes + block->used, bytes, size);
    carrier_add(carrier, code, size);
    return 0;
}

void
carrier_end(struct carrier *carrier)
{
    carrier_push(carrier);
    pthread_mutex_lock(&carrier->lock);
    carrier->ending = 1;
    wake_wire(carrier);
    pthread_mutex_unlock(&carrier->lock);
}

/* ---- Taking ---- */

/** Wait until a message can be taken, ms at most (negative: as long as it takes). The lock is held.
 */
static void
wait_for_message(struct carrier *carrier, int ms)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += ms / 1000;
    end.tv_nsec += ms % 1000 * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000L;
    }
    int result = 0;
    while (result == 0 && !carrier->stopped && !carrier->closed && !has_message(carrier))
        result = ms < 0 ? pthread_cond_wait(&carrier->changed, &carrier->lock)
                        : pthread_cond_timedwait(&carrier->changed, &carrier->lock, &end);
}

/** The next frame's part of a message, if it is there. Returns 1, 0, or -1 as carrier_take(). */
static int
take_frame(struct carrier *carrier, duet_message *frame, int ms)
{
    int result = 1;

    pthread_mutex_lock(&carrier->lock);
    struct carrier_block *block = carrier_first(&carrier->in);
    if (carrier->in.count > 0 && block->done == block->count) { /* taken whole by the last call */
        carrier_drop_first(&carrier->in);
        wake_wire(carrier);
    }
    if (ms != 0)
        wait_for_message(carrier, ms);
    block = carrier_first(&carrier->in);
    if (carrier->stopped)
        result = -1;
    else if (has_message(carrier))
        *frame = block->list[block->done++];
    else
        result = carrier->closed ? -1 : 0;
    pthread_mutex_unlock(&carrier->lock);
    return result;
}

/** Append a part to the message that is being put together. Returns 0, or -1: too long. */
static int
assemble(struct carrier *carrier, const duet_message *frame)
{
    if (carrier->assembly == NULL)
        carrier->assembly = malloc(CARRIER_ASSEMBLY);
    if (carrier->assembly == NULL || frame->size > CARRIER_ASSEMBLY - carrier->assembled)
        return -1;
    if (frame->size > 0)
        memcpy(carrier->assembly + carrier->assembled, frame->data, frame->size);
    carrier->assembled += frame->size;
    return 0;
}

int
carrier_take(struct carrier *carrier, duet_message *message, int ms)
{
    int result;

    if (ms != 0)
        carrier_push(carrier);
    while ((result = take_frame(carrier, message, ms)) == 1) {
        int part = message->code == DUET_CODE_MORE;
        if (message->code == TRANSFER_TICK)
            continue;
        if (!part && carrier->assembled == 0)
            return 1;
        if (assemble(carrier, message) != 0) {
            message->code = DUET_CODE_MORE; /* which no end knows: an error */
            return 1;
        }
        if (part)
            continue;
        message->data = carrier->assembly;
        message->size = carrier->assembled;
        carrier->assembled = 0;
        return 1;
    }
    return result;
}

int
carrier_stopped(struct carrier *carrier)
{
    pthread_mutex_lock(&carrier->lock);
    int stopped = carrier->stopped;
    pthread_mutex_unlock(&carrier->lock);
    return stopped;
}

int
carrier_wait(struct carrier *carrier, int fd, int ms)
{
    struct pollfd fds[2] = {{.fd = carrier->stop[0], .events = POLLIN},
                            {.fd = fd, .events = POLLIN}};

    while (poll(fds, 2, ms) < 0)
        if (errno != EINTR)
            return 0;
    if (fds[0].revents != 0)
        return -1;
    return fds[1].revents != 0;
}
