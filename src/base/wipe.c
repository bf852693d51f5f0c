/*
 * Zeroizing (wiping) memory that held a secret.
 *
 * The call goes through a volatile pointer, so that no compiler removes it as a write to dead
 * memory; explicit_bzero() is not everywhere.
 */
#include "base/wipe.h"

#include <duet/secret.h>

#include <string.h>

static void *(*volatile const overwrite)(void *, int, size_t) = memset;

void
duet_wipe(void *p, size_t size)
{
    if (size > 0)
        overwrite(p, 0, size);
}

/* Not inlined, so that its array lies where the functions called before it had their frames. */
__attribute__((noinline)) void
duet__wipe_stack(void)
{
    uint8_t below[8192];

    overwrite(below, 0, sizeof below);
}
