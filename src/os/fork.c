/*
 * Detects a fork: gives a number that differs between a process and its children.
 *
 * pthread_atfork() clears it in the child. On Linux it also lies in a page that the kernel clears,
 * which works where fork() was bypassed; emulators accept that request and ignore it, so both are
 * used. Reading the number costs a load and no system call.
 */
#include "os/os.h"

#include "os/features.h"

#include <stdatomic.h>
#include <sys/mman.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic uint32_t counter = 1; /* the last number given out in this line of processes */
static _Atomic uint32_t fallback = 1;
static _Atomic uint32_t *mark = &fallback; /* 0: forked, and not noticed yet */

static void
clear_in_child(void)
{
    atomic_store(mark, 0);
}

static void
set_up_mark(void)
{
#if defined(DUET__OS_LINUX) && defined(MADV_WIPEONFORK)
    size_t size = sizeof *mark;
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && madvise(page, size, MADV_WIPEONFORK) == 0) {
        mark = page;
        atomic_store(mark, 1);
    } else if (page != MAP_FAILED) {
        munmap(page, size);
    }
#endif
    pthread_atfork(NULL, NULL, clear_in_child);
}

uint32_t
duet__os_process(void)
{
    pthread_once(&once, set_up_mark);
    uint32_t number = atomic_load(mark);
    if (number != 0)
        return number;
    /* Two threads of a new child may both get here: the first one's number counts. */
    uint32_t next = atomic_fetch_add(&counter, 1) + 1;
    if (atomic_compare_exchange_strong(mark, &number, next))
        return next;
    return number;
}
