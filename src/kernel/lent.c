/*
 * Lending what was made once (see lent.h).
 */
#include "kernel/lent.h"

#include <stddef.h>

void *
duet__lent_take(struct duet__lent *lent)
{
    for (size_t i = 0; i < DUET__LENT; i++)
        if (!atomic_flag_test_and_set_explicit(&lent->busy[i], memory_order_acquire))
            return lent->thing[i];
    return NULL;
}

int
duet__lent_return(struct duet__lent *lent, const void *thing)
{
    for (size_t i = 0; i < DUET__LENT; i++) {
        if (lent->thing[i] != thing)
            continue;
        atomic_flag_clear_explicit(&lent->busy[i], memory_order_release);
        return 1;
    }
    return 0;
}
