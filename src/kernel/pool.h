/*
 * A pool of libcrypto's objects: made once, each used by one caller at a time.
 *
 * No caller waits: when all are busy it makes its own object. After a fork this is needed, as an
 * object that another thread used at that moment stays busy in the child.
 */
#ifndef DUET_KERNEL_POOL_H
#define DUET_KERNEL_POOL_H

#include <stdatomic.h>

enum { DUET__POOL_SIZE = 16 }; /* objects; further callers at the same time make their own */

struct duet__pool {
    void *item[DUET__POOL_SIZE];
    atomic_flag busy[DUET__POOL_SIZE];
};

/** Take a free object; NULL: all are busy. */
void *duet__pool_take(struct duet__pool *pool);

/** Return an object. 0: it is not of this pool, the caller has to free it; else 1. */
int duet__pool_return(struct duet__pool *pool, const void *item);

#endif
