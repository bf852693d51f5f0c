/*
 * The pool of objects (see pool.h). Lock-free: a flag for each object says that it is in use.
 */
#include "kernel/pool.h"

#include <stddef.h>

void *
duet__pool_take(struct duet__pool *pool)
{
    for (size_t i = 0; i < DUET__POOL_SIZE; i++)
        if (!atomic_flag_test_and_set_explicit(&pool->busy[i], memory_order_acquire))
            return pool->item[i];
    return NULL;
}

int
duet__pool_return(struct duet__pool *pool, const void *item)
{
    for (size_t i = 0; i < DUET__POOL_SIZE; i++) {
        if (pool->item[i] != item)
            continue;
        atomic_flag_clear_explicit(&pool->busy[i], memory_order_release);
        return 1;
    }
    return 0;
}
