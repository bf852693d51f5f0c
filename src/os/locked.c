/*
 * Memory for long-term secrets: pages of their own that are not swapped out and in no core dump.
 *
 * Both are best effort: where RLIMIT_MEMLOCK leaves no room, or the system has no such thing, the
 * memory is as any other. The pages lie within a block of malloc(), so that leak checkers see them.
 */
#include "os/os.h"

#include "os/features.h"

#include <duet/secret.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t
page_size(void)
{
    long size = sysconf(_SC_PAGESIZE);

    return size > 0 ? (size_t)size : 4096;
}

/** Whole pages for size bytes. */
static size_t
whole_pages(size_t size)
{
    size_t page = page_size();

    return (size + page - 1) / page * page;
}

/** Say that these pages go into core dumps, as others do, or do not. */
static void
set_dumped(void *pages, size_t size, int dumped)
{
#if defined(DUET__OS_LINUX) && defined(MADV_DONTDUMP)
    (void)madvise(pages, size, dumped ? MADV_DODUMP : MADV_DONTDUMP);
#else
    (void)pages, (void)size, (void)dumped;
#endif
}

void *
duet__os_locked_new(size_t size)
{
    size_t whole = whole_pages(size), page = page_size();
    uint8_t *block = calloc(1, sizeof block + page - 1 + whole);

    if (block == NULL)
        return NULL;
    uint8_t *least = block + sizeof block;
    uint8_t *pages = least + (page - (uintptr_t)least % page) % page;
    memcpy(pages - sizeof block, &block, sizeof block); /* for free() */
    (void)mlock(pages, whole);
    set_dumped(pages, whole, 0);
    return pages;
}

void
duet__os_locked_again(void *pages, size_t size)
{
    (void)mlock(pages, whole_pages(size));
}

void
duet__os_locked_free(void *pages, size_t size)
{
    if (pages == NULL)
        return;
    size_t whole = whole_pages(size);
    uint8_t *block;
    memcpy(&block, (uint8_t *)pages - sizeof block, sizeof block);
    duet_wipe(pages, whole);
    set_dumped(pages, whole, 1);
    (void)munlock(pages, whole);
    free(block);
}
