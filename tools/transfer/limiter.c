/*
 * The limit of a transfer's rate (see limiter.h).
 */
#include "limiter.h"

#include "os/os.h"

enum { PAUSE_MS = 200 };

int
limiter_init(struct limiter *limiter, uint64_t rate)
{
    limiter->rate = rate;
    limiter->begun_ms = limiter->sent = 0;
    return pthread_mutex_init(&limiter->lock, NULL) == 0 ? 0 : -1;
}

void
limiter_free(struct limiter *limiter)
{
    pthread_mutex_destroy(&limiter->lock);
}

/** How many milliseconds are to be waited before more may be sent. */
static uint64_t
limiter_left(struct limiter *limiter)
{
    uint64_t now = duet__os_now_ms();

    pthread_mutex_lock(&limiter->lock);
    if (limiter->begun_ms == 0)
        limiter->begun_ms = now;
    uint64_t due = limiter->begun_ms + limiter->sent * 1000 / limiter->rate;
    pthread_mutex_unlock(&limiter->lock);
    return due > now ? due - now : 0;
}

int
limiter_keep(struct limiter *limiter, struct carrier *carrier)
{
    duet_message message;
    uint64_t left;

    while (limiter->rate != 0 && (left = limiter_left(limiter)) > 0) {
        carrier_push(carrier);
        /* What the peer reports must not wait: a refusal, and what is on its disk. */
        carrier->waiting = 1;
        while (carrier->on_message != NULL && carrier_take(carrier, &message, 0) == 1)
            carrier->on_message(carrier->context, &message);
        carrier->waiting = 0;
        if (carrier_wait(carrier, -1, left < PAUSE_MS ? (int)left : PAUSE_MS) < 0)
            return -1;
    }
    return 0;
}

void
limiter_count(struct limiter *limiter, uint64_t bytes)
{
    if (limiter->rate == 0)
        return;
    pthread_mutex_lock(&limiter->lock);
    limiter->sent += bytes;
    pthread_mutex_unlock(&limiter->lock);
}
