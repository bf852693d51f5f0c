/*
 * Things of libcrypto's that are made once and lent, each to one caller at a time.
 *
 * Nobody waits for one: where all are busy the borrower makes its own. So it must be, as a thing
 * that another thread held when the process forked stays busy in the child for ever.
 */
#ifndef DUET_KERNEL_LENT_H
#define DUET_KERNEL_LENT_H

#include <stdatomic.h>

enum { DUET__LENT = 16 }; /* of a kind: more threads than this at once in it make their own */

struct duet__lent {
    void *thing[DUET__LENT];
    atomic_flag busy[DUET__LENT];
};

/** One that nobody has; NULL: none is free. */
void *duet__lent_take(struct duet__lent *lent);

/** Have it back. Returns 1; 0 when it is none of these: the borrower made it. */
int duet__lent_return(struct duet__lent *lent, const void *thing);

#endif
