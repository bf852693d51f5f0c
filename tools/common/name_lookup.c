/*
 * Names asked of the resolver with a deadline (see name_lookup.h). A resolver that does not answer
 * keeps its thread; nothing waits for that.
 */
#include "name_lookup.h"

#include "interrupt.h"
#include "os/os.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { STEP_MS = 64 };

/** A question to the resolver, which a thread asks: getaddrinfo() cannot be given a time. */
struct question {
    pthread_mutex_t lock;
    struct address address;
    struct addrinfo hints, *list;
    int result, error; /* error: errno of EAI_SYSTEM */
    int done;          /* 1: the thread is through */
    int left;          /* 1: nobody waits for it any more, so the thread releases it */
};

static void
free_question(struct question *q)
{
    if (q->list != NULL)
        freeaddrinfo(q->list);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

static void *
ask_resolver(void *context)
{
    struct question *q = context;
    struct addrinfo *list = NULL;
    int result = getaddrinfo(q->address.host[0] != 0 ? q->address.host : NULL, q->address.port,
                             &q->hints, &list);
    int error = errno;

    pthread_mutex_lock(&q->lock);
    q->list = result == 0 ? list : NULL;
    q->result = result;
    q->error = error;
    q->done = 1;
    int left = q->left;
    pthread_mutex_unlock(&q->lock);
    if (left)
        free_question(q);
    return NULL;
}

/** Start the thread. Returns 0, or -1 without memory. */
static int
start_question(struct question *q)
{
    pthread_t thread;
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    int result = pthread_create(&thread, NULL, ask_resolver, q);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result == 0)
        pthread_detach(thread);
    return result == 0 ? 0 : -1;
}

/** Wait for the answer, timeout_ms at most (negative: as long as it takes), or until a signal
 * comes. Returns getaddrinfo()'s result; NAME_LATE. */
static int
await_answer(struct question *q, struct addrinfo **list, int timeout_ms)
{
    const uint64_t begin = duet__os_now_ms();
    int done = 0, late = 0;

    for (int wait = 1; !done && !late; wait = wait < STEP_MS ? 2 * wait : wait) {
        struct pollfd fd = {.fd = interrupt_fd(), .events = POLLIN};
        (void)poll(&fd, 1, wait); /* numbers are there after the first millisecond */
        late =
            interrupted() || (timeout_ms >= 0 && duet__os_now_ms() - begin >= (uint64_t)timeout_ms);
        pthread_mutex_lock(&q->lock);
        done = q->done;
        q->left = !done && late;
        pthread_mutex_unlock(&q->lock);
    }
    if (!done)
        return NAME_LATE;
    int result = q->result;
    *list = q->list;
    q->list = NULL;
    errno = q->error;
    free_question(q);
    return result;
}

int
name_lookup(struct addrinfo **list, const struct address *address, const struct addrinfo *hints,
            int timeout_ms)
{
    struct question *q = calloc(1, sizeof *q);

    if (q == NULL || pthread_mutex_init(&q->lock, NULL) != 0) {
        free(q);
        return EAI_MEMORY;
    }
    q->address = *address;
    q->hints = *hints;
    if (start_question(q) == 0)
        return await_answer(q, list, timeout_ms);
    free_question(q);
    return EAI_MEMORY;
}
