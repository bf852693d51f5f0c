/*
 * Memory that a program and the processes it forks share, and the lock that goes with it.
 *
 * The lock is robust: a worker killed while it holds the lock does not stop the others.
 */
#include "os/os.h"

#include <errno.h>
#include <sys/mman.h>

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
