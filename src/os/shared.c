/*
 * Memory that a program shares with the processes it forks, and with a program that takes its
 * place, and the lock in that memory.
 *
 * The lock survives its holder: when a worker is killed while it holds the lock, the next one gets
 * it and finds out. Linux has a robust mutex for that. Elsewhere the lock is the holder's process
 * id, which another process may replace when no process of that id exists any more.
 */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifndef DUET__OS_ROBUST_MUTEX
#include <signal.h>
#include <time.h>
#endif

static _Thread_local int *shared_behind; /* of the next duet__os_shared_new(); NULL: nothing */

/** A descriptor of zeroed memory without a name, of no size yet; -1: this system has none. */
static int
open_memory(void)
{
#ifdef DUET__OS_LINUX
    return memfd_create("duet", MFD_CLOEXEC);
#else
    char name[64];
    uint64_t number;

    if (duet__os_random((uint8_t *)&number, sizeof number) != 0)
        return -1;
    snprintf(name, sizeof name, "/duet-%llx", (unsigned long long)number);
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd >= 0)
        (void)shm_unlink(name);
    return fd;
#endif
}

/** Map what is behind a descriptor, made first where it is -1. NULL: it cannot be, or what is there
 * has another size. */
static void *
map_behind(int *fd, size_t size)
{
    int is_new = *fd < 0;
    int used = is_new ? open_memory() : *fd;
    struct stat status;

    if (used < 0)
        return NULL;
    int fits = is_new ? ftruncate(used, (off_t)size) == 0
                      : fstat(used, &status) == 0 && (uint64_t)status.st_size == size;
    void *memory =
        fits ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, used, 0) : MAP_FAILED;
    if (memory == MAP_FAILED && is_new)
        close(used);
    else
        *fd = used;
    return memory == MAP_FAILED ? NULL : memory;
}

void
duet__os_shared_behind(int *fd)
{
    shared_behind = fd;
}

void *
duet__os_shared_new(size_t size)
{
    int *fd = shared_behind;
    int was_given = fd != NULL && *fd >= 0;

    shared_behind = NULL;
    void *memory = fd != NULL ? map_behind(fd, size) : NULL;
    if (memory != NULL || was_given)
        return memory;
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
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
