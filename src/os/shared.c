/*
 * Memory that a program shares with the processes it forks, and the lock in that memory.
 *
 * The lock survives its holder: when a worker is killed while it holds the lock, the next one gets
 * it and finds out. Linux has a robust mutex for that. Elsewhere the lock is the holder's process
 * id, which another process may replace when no process of that id exists any more.
 */
#include "os/os.h"

#include <errno.h>
#include <sys/mman.h>
#ifndef DUET__OS_ROBUST_MUTEX
#include <signal.h>
#include <time.h>
#include <unistd.h>
#endif

void *
duet__os_shared_new(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void
duet__os_shared_free(void *memory, size_t size)
{
    if (memory != NULL)
        munmap(memory, size);
}

#ifdef DUET__OS_ROBUST_MUTEX

int
duet__os_lock_init(struct duet__os_lock *lock)
{
    pthread_mutexattr_t attributes;
    if (pthread_mutexattr_init(&attributes) != 0)
        return -1;
    int failed = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) != 0 ||
                 pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) != 0 ||
                 pthread_mutex_init(&lock->mutex, &attributes) != 0;
    pthread_mutexattr_destroy(&attributes);
    return failed ? -1 : 0;
}

int
duet__os_lock(struct duet__os_lock *lock)
{
    int failed = pthread_mutex_lock(&lock->mutex);
    if (failed == 0)
        return 0;
    if (failed != EOWNERDEAD)
        return -1;
    return pthread_mutex_consistent(&lock->mutex) == 0 ? 1 : -1;
}

void
duet__os_unlock(struct duet__os_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

#else

int
duet__os_lock_init(struct duet__os_lock *lock)
{
    atomic_init(&lock->holder, 0);
    return 0;
}

int
duet__os_lock(struct duet__os_lock *lock)
{
    const struct timespec pause = {.tv_nsec = 50000}; /* far longer than the lock is held */
    uint32_t mine = (uint32_t)getpid();

    for (;;) {
        uint32_t holder = 0;
        if (atomic_compare_exchange_strong(&lock->holder, &holder, mine))
            return 0;
        /* Of two that see the holder dead, one replaces it. */
        if (kill((pid_t)holder, 0) != 0 && errno == ESRCH &&
            atomic_compare_exchange_strong(&lock->holder, &holder, mine))
            return 1;
        nanosleep(&pause, NULL);
    }
}

void
duet__os_unlock(struct duet__os_lock *lock)
{
    atomic_store(&lock->holder, 0);
}

#endif
