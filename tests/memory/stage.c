/*
 * Steps on a stack of their own, and assertions about the scan (see stage.h).
 */
#include "memory/stage.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

enum { STACK = 1 << 18, KEY = 32 };

static void *stack;

static void *
on_stack(void *step)
{
    void (*const *call)(void) = step;

    (*call)();
    return NULL;
}

void
stage_run(void (*step)(void))
{
    pthread_attr_t attributes;
    pthread_t thread;

    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, on_stack, &step), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
}

void
stage_clear(void)
{
    if (stack != NULL)
        munmap(stack, STACK);
    stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(stack != MAP_FAILED);
}

void
stage_begin(void)
{
#ifdef __GLIBC__ /* freed memory stays, to be searched */
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_MMAP_THRESHOLD, 1 << 25);
#endif
    scan_forget();
    stack = NULL;
    stage_clear();
}

void
stage_random(void *memory, size_t size)
{
    static uint64_t running = 88172645463325252u;
    uint64_t fixed = 2463534242u;
    uint64_t *state = size > KEY ? &fixed : &running;

    for (size_t i = 0; i < size; i++) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        ((uint8_t *)memory)[i] = (uint8_t)(*state >> 32);
    }
}

void
assert_there(const char *name)
{
    assert_true(scan_count(name, 0) > 0);
}

void
assert_gone(const char *name)
{
    assert_int_equal(scan_count(name, 1), 0);
}

void
assert_copies(const char *name, unsigned n)
{
    unsigned found = scan_count(name, 0), wanted = n * scan_pieces(name);

    if (found != wanted)
        scan_count(name, 1);
    assert_int_equal(found, wanted);
}

void
stage_end(void)
{
    munmap(stack, STACK);
    stack = NULL;
}
