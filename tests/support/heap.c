/*
 * Counted allocations; see heap.h. No memory is checked here.
 */
#include "support/heap.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#ifdef __linux__
#include <malloc.h>
#elif defined(__FreeBSD__)
#include <malloc_np.h>
#elif defined(__APPLE__)
#include <malloc/malloc.h>
#define malloc_usable_size malloc_size
#endif

struct heap_count heap_ours, heap_libcrypto;
long heap_until = -1;

#ifdef __APPLE__ /* no --wrap there: nothing is counted */
#define __real_malloc  malloc
#define __real_realloc realloc
#define __real_free    free
#else
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
#pragma GCC visibility push(default) /* musl refers to them from its own library */
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);
#pragma GCC visibility pop
#endif

static void *
count_block(struct heap_count *count, void *memory, size_t size)
{
    count->calls++;
    count->bytes += size;
    if (memory != NULL) {
        count->live++;
        count->held += malloc_usable_size(memory);
        count->peak = count->held > count->peak ? count->held : count->peak;
    }
    return memory;
}

static void
uncount_block(struct heap_count *count, void *memory)
{
    if (memory != NULL) {
        count->live--;
        count->held -= malloc_usable_size(memory);
    }
}

#ifndef __APPLE__
static int
heap_fails(void)
{
    return heap_until >= 0 && heap_until-- == 0;
}

void *
__wrap_malloc(size_t size)
{
    if (heap_fails())
        return NULL;
    return count_block(&heap_ours, __real_malloc(size), size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    if (heap_fails())
        return NULL;
    return count_block(&heap_ours, __real_calloc(count, size), count * size);
}

void *
__wrap_realloc(void *memory, size_t size)
{
    uncount_block(&heap_ours, memory);
    return count_block(&heap_ours, __real_realloc(memory, size), size);
}

void
__wrap_free(void *memory)
{
    uncount_block(&heap_ours, memory);
    __real_free(memory);
}
#endif

static void *
libcrypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return count_block(&heap_libcrypto, __real_malloc(size), size);
}

static void *
libcrypto_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    uncount_block(&heap_libcrypto, memory);
    return count_block(&heap_libcrypto, __real_realloc(memory, size), size);
}

static void
libcrypto_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    uncount_block(&heap_libcrypto, memory);
    __real_free(memory);
}

int
heap_count_libcrypto(void)
{
    return CRYPTO_set_mem_functions(libcrypto_malloc, libcrypto_realloc, libcrypto_free) == 1 ? 0
                                                                                              : -1;
}

void
heap_restart(void)
{
    heap_ours.calls = heap_ours.bytes = 0;
    heap_ours.peak = heap_ours.held;
    heap_libcrypto.calls = heap_libcrypto.bytes = 0;
    heap_libcrypto.peak = heap_libcrypto.held;
}

int
heap_counts(void)
{
    /* volatile: the compiler takes it that malloc() changes no variable of ours, and would leave out
     * a pair of calls. */
    const volatile size_t *calls = &heap_ours.calls;
    size_t before = *calls;
    void *volatile memory = malloc(1);
    free(memory);
    return *calls > before;
}
