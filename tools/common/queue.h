/*
 * Doubly linked lists: the macros of <sys/queue.h> that are used here, for C
 * libraries without that header (musl). They mean what queue(3) says.
 */
#ifndef DUET_QUEUE_H
#define DUET_QUEUE_H

#include <stddef.h>

/* ---- Lists with a head: LIST_ ---- */

#ifndef LIST_HEAD

#define LIST_HEAD(name, type)                                                                      \
    struct name {                                                                                  \
        struct type *first;                                                                        \
    }

#define LIST_ENTRY(type)                                                                           \
    struct {                                                                                       \
        struct type *next;                                                                         \
        struct type **before; /* what points at this element */                                    \
    }

#define LIST_INIT(head)           ((void)((head)->first = NULL))
#define LIST_EMPTY(head)          ((head)->first == NULL)
#define LIST_FIRST(head)          ((head)->first)
#define LIST_NEXT(element, field) ((element)->field.next)

#define LIST_FOREACH(element, head, field)                                                         \
    for ((element) = (head)->first; (element) != NULL; (element) = (element)->field.next)

#define LIST_INSERT_HEAD(head, element, field)                                                     \
    do {                                                                                           \
        (element)->field.next = (head)->first;                                                     \
        (element)->field.before = &(head)->first;                                                  \
        if ((head)->first != NULL)                                                                 \
            (head)->first->field.before = &(element)->field.next;                                  \
        (head)->first = (element);                                                                 \
    } while (0)

#define LIST_REMOVE(element, field)                                                                \
    do {                                                                                           \
        if ((element)->field.next != NULL)                                                         \
            (element)->field.next->field.before = (element)->field.before;                         \
        *(element)->field.before = (element)->field.next;                                          \
    } while (0)

#endif

/* ---- Lists with a head and a tail: TAILQ_ ---- */

#ifndef TAILQ_HEAD

#define TAILQ_HEAD(name, type)                                                                     \
    struct name {                                                                                  \
        struct type *first;                                                                        \
        struct type **last; /* where the next element's address goes */                            \
    }

#define TAILQ_ENTRY(type)                                                                          \
    struct {                                                                                       \
        struct type *next;                                                                         \
        struct type **before; /* what points at this element */                                    \
    }

#define TAILQ_INIT(head) ((void)((head)->first = NULL), (void)((head)->last = &(head)->first))

#define TAILQ_EMPTY(head)          ((head)->first == NULL)
#define TAILQ_FIRST(head)          ((head)->first)
#define TAILQ_NEXT(element, field) ((element)->field.next)

#define TAILQ_FOREACH(element, head, field)                                                        \
    for ((element) = (head)->first; (element) != NULL; (element) = (element)->field.next)

#define TAILQ_INSERT_TAIL(head, element, field)                                                    \
    do {                                                                                           \
        (element)->field.next = NULL;                                                              \
        (element)->field.before = (head)->last;                                                    \
        *(head)->last = (element);                                                                 \
        (head)->last = &(element)->field.next;                                                     \
    } while (0)

#define TAILQ_INSERT_HEAD(head, element, field)                                                    \
    do {                                                                                           \
        (element)->field.next = (head)->first;                                                     \
        (element)->field.before = &(head)->first;                                                  \
        if ((head)->first != NULL)                                                                 \
            (head)->first->field.before = &(element)->field.next;                                  \
        else                                                                                       \
            (head)->last = &(element)->field.next;                                                 \
        (head)->first = (element);                                                                 \
    } while (0)

#define TAILQ_REMOVE(head, element, field)                                                         \
    do {                                                                                           \
        if ((element)->field.next != NULL)                                                         \
            (element)->field.next->field.before = (element)->field.before;                         \
        else                                                                                       \
            (head)->last = (element)->field.before;                                                \
        *(element)->field.before = (element)->field.next;                                          \
    } while (0)

#endif

#endif
