/*
 * Wiping: memory that held a secret is overwritten, and no compiler may leave it out.
 *
 * The call goes through a volatile pointer, so that no compiler can tell that the memory is dead
 * afterwards; explicit_bzero would need a system's header, and this layer has none.
 */
#include <duet/secret.h>

#include <string.h>

static void *(*volatile const overwrite)(void *, int, size_t) = memset;

void
duet_wipe(void *p, size_t size)
{
    if (size > 0)
        overwrite(p, 0, size);
}
