/*
 * Resolving names off the loop (see resolve.h). Addresses in digits need no lookup: connect.c reads
 * these by itself.
 *
 * A thread touches its question's answer alone, and that and the loop's wake-up under the lock, so
 * that one which getaddrinfo() keeps for minutes can outlive the service.
 */
#include "resolve.h"

#include "queue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREAD_STACK = 512 * 1024 }; /* bytes, enough for the resolver's modules */

struct resolver {
    pthread_mutex_t lock;
    uv_async_t wake;
    unsigned holders; /* the service, the handle above, and each thread */
    int closed;       /* 1: nobody is to be woken */
    struct question *questions;
};

/** One name, asked for all who wait for it. */
struct question {
    struct resolver *resolver;
    const void *owner; /* compared only */
    unsigned most;     /* threads of this owner */
    char host[256], port[32];
    int type;
    LIST_HEAD(, lookup) waiting;
    struct question *next;
    int is_running; /* 1: a thread has it */
    /* Under the lock: */
    int is_answered, result, error; /* error: errno of EAI_SYSTEM */
    struct addrinfo *list;
};

struct lookup {
    struct question *question;
    lookup_done *done;
    void *context;
    LIST_ENTRY(lookup) entry;
};

/** One holder less; the lock is held, and released. */
static void
leave_resolver(struct resolver *r)
{
    unsigned left = --r->holders;

    pthread_mutex_unlock(&r->lock);
    if (left > 0)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void
free_question(struct question *q)
{
    if (q->list != NULL)
        freeaddrinfo(q->list);
    free(q);
}

/* ---- The thread ---- */

static void *
ask_resolver(void *context)
{
    struct question *q = context;
    struct resolver *r = q->resolver;
    const struct addrinfo hints = {.ai_socktype = q->type};
    struct addrinfo *list = NULL;
    int result = getaddrinfo(q->host, q->port, &hints, &list);
    int error = errno;

    pthread_mutex_lock(&r->lock);
    q->is_answered = 1;
    q->result = result;
    q->error = error;
    q->list = result == 0 ? list : NULL;
    if (r->closed)
        free_question(q);
    else
        uv_async_send(&r->wake);
    leave_resolver(r);
    return NULL;
}

/** Give a question to a thread. Returns 0, or -1 without memory. */
static int
start_thread(struct question *q)
{
    struct resolver *r = q->resolver;
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;

    if (pthread_attr_init(&attributes) != 0)
        return -1;
    (void)pthread_attr_setstacksize(&attributes, THREAD_STACK);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_mutex_lock(&r->lock);
    r->holders++;
    pthread_mutex_unlock(&r->lock);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    int result = pthread_create(&thread, &attributes, ask_resolver, q);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    q->is_running = result == 0;
    if (result == 0)
        return 0;
    pthread_mutex_lock(&r->lock);
    leave_resolver(r);
    return -1;
}

/* ---- Questions ---- */

/** 1 when an owner may have one more thread, with so many at most. */
static int
has_room(const struct resolver *r, const void *owner, unsigned most)
{
    unsigned running = 0;

    for (const struct question *q = r->questions; q != NULL; q = q->next)
        running += q->is_running && q->owner == owner;
    return running < most;
}

/** Take a question out of the list. */
static void
take_question(struct resolver *r, struct question *q)
{
    struct question **at = &r->questions;

    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
}

/** Hand the end of a question that was taken to all who wait, and release it. A waiting connection
 * may end by that. */
static void
finish_question(struct question *q)
{
    struct lookup *lookup, *next;
    const char *why = q->result == EAI_SYSTEM ? strerror(q->error) : gai_strerror(q->result);

    while ((lookup = LIST_FIRST(&q->waiting)) != NULL) {
        next = LIST_NEXT(lookup, entry);
        LIST_REMOVE(lookup, entry);
        LIST_FIRST(&q->waiting) = next; /* as it is by now, in words that an analyzer follows */
        lookup->done(lookup->context, q->list, why);
        free(lookup);
    }
    free_question(q);
}

/** Take the next question that has an answer; NULL: none. */
static struct question *
take_answered(struct resolver *r)
{
    struct question **at = &r->questions;

    pthread_mutex_lock(&r->lock);
    while (*at != NULL && !(*at)->is_answered)
        at = &(*at)->next;
    pthread_mutex_unlock(&r->lock);
    struct question *q = *at;
    if (q != NULL)
        *at = q->next;
    return q;
}

/** Start what waited for a thread. */
static void
start_queued(struct resolver *r)
{
    struct question *q, *next;

    for (q = r->questions; q != NULL; q = next) {
        next = q->next;
        if (q->is_running || !has_room(r, q->owner, q->most) || start_thread(q) == 0)
            continue;
        q->result = EAI_MEMORY;
        q->is_running = 1; /* it is finish_question() that releases it */
        take_question(r, q);
        finish_question(q);
        next = r->questions; /* the list may have changed */
    }
}

static void
on_wake(uv_async_t *wake)
{
    struct resolver *r = wake->data;
    struct question *q;

    pthread_mutex_lock(&r->lock);
    r->holders++;
    pthread_mutex_unlock(&r->lock);
    while ((q = take_answered(r)) != NULL)
        finish_question(q);
    if (!r->closed)
        start_queued(r);
    pthread_mutex_lock(&r->lock);
    leave_resolver(r);
}

/** The question of this name that a new asker can join: one that runs, or waits for the same
 * owner's threads. NULL: none. */
static struct question *
find_question(struct resolver *r, const struct lookup_name *name)
{
    for (struct question *q = r->questions; q != NULL; q = q->next)
        if ((q->is_running || q->owner == name->owner) && strcmp(q->host, name->host) == 0 &&
            strcmp(q->port, name->port) == 0 && q->type == name->type)
            return q;
    return NULL;
}

static struct question *
add_question(struct resolver *r, const struct lookup_name *name)
{
    struct question *q = calloc(1, sizeof *q);

    if (q == NULL)
        return NULL;
    q->resolver = r;
    q->owner = name->owner;
    q->most = name->most;
    snprintf(q->host, sizeof q->host, "%s", name->host);
    snprintf(q->port, sizeof q->port, "%s", name->port);
    q->type = name->type;
    LIST_INIT(&q->waiting);
    if (has_room(r, name->owner, name->most) && start_thread(q) != 0) {
        free(q);
        return NULL;
    }
    q->next = r->questions;
    r->questions = q;
    return q;
}

int
lookup_start(struct lookup **lookup, struct resolver *resolver, const struct lookup_name *name,
             lookup_done *done, void *context)
{
    struct lookup *l = calloc(1, sizeof *l);
    struct question *q = NULL;

    if (l != NULL && resolver != NULL) {
        q = find_question(resolver, name);
        if (q == NULL)
            q = add_question(resolver, name);
    }
    if (q == NULL) {
        free(l);
        return -1;
    }
    *l = (struct lookup){.question = q, .done = done, .context = context};
    LIST_INSERT_HEAD(&q->waiting, l, entry);
    *lookup = l;
    return 0;
}

void
lookup_cancel(struct lookup *lookup)
{
    if (lookup == NULL)
        return;
    struct question *q = lookup->question;
    LIST_REMOVE(lookup, entry);
    free(lookup);
    if (q->is_running || !LIST_EMPTY(&q->waiting))
        return;
    take_question(q->resolver, q); /* nobody waits for its turn any more */
    free_question(q);
}

/* ---- The resolver ---- */

struct resolver *
resolver_new(uv_loop_t *loop)
{
    struct resolver *r = calloc(1, sizeof *r);

    if (r == NULL || pthread_mutex_init(&r->lock, NULL) != 0) {
        free(r);
        return NULL;
    }
    r->holders = 1; /* the handle, until it is closed */
    if (uv_async_init(loop, &r->wake, on_wake) != 0) {
        pthread_mutex_destroy(&r->lock);
        free(r);
        return NULL;
    }
    r->wake.data = r;
    return r;
}

static void
handle_closed(uv_handle_t *handle)
{
    struct resolver *r = handle->data;

    pthread_mutex_lock(&r->lock);
    leave_resolver(r);
}

void
resolver_close(struct resolver *r)
{
    struct question *next;

    if (r == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    r->closed = 1; /* from now on a busy thread releases its question */
    for (struct question *q = r->questions; q != NULL; q = next) {
        next = q->next;
        if (q->is_answered || !q->is_running)
            free_question(q);
    }
    r->questions = NULL;
    pthread_mutex_unlock(&r->lock);
    uv_close((uv_handle_t *)&r->wake, handle_closed);
}
