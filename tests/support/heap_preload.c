/*
 * A library that is loaded in front of the system's (LD_PRELOAD) and counts what a command allocates:
 * malloc() and its relatives, and anonymous mappings that the command itself makes. HEAP_FILE names
 * a file that holds two native 64-bit numbers all the while: bytes that are held now, and the most
 * that were held at a time. Processes that were forked count together.
 *
 * A test asks this instead of the system, whose figures of resident memory depend on its kernel.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRONT __attribute__((visibility("default")))

struct held {
    _Atomic int64_t now, peak;
};

static struct held early, *held = &early; /* early: until the file is mapped */
static unsigned char bootstrap[4096];     /* dlsym() may allocate before the real calloc is known */
static size_t bootstrapped;

static void
add(int64_t bytes)
{
    int64_t now = atomic_fetch_add(&held->now, bytes) + bytes;
    int64_t peak = atomic_load(&held->peak);

    while (now > peak && !atomic_compare_exchange_weak(&held->peak, &peak, now))
        continue;
}

static int
is_bootstrap(const void *memory)
{
    const unsigned char *at = memory;
    return at >= bootstrap && at < bootstrap + sizeof bootstrap;
}

typedef void function(void);

/** The system's function of this name. */
static function *
real_function(const char *name)
{
    void *at = dlsym(RTLD_NEXT, name);
    function *found;

    memcpy(&found, &at, sizeof found); /* ISO C has no cast from the one to the other */
    return found;
}

static void *(*real_malloc)(size_t), *(*real_calloc)(size_t, size_t),
    *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);
static int finding;

static void
find_real(void)
{
    if (real_free != NULL || finding)
        return;
    finding = 1;
    real_malloc = (void *(*)(size_t))real_function("malloc");
    real_calloc = (void *(*)(size_t, size_t))real_function("calloc");
    real_realloc = (void *(*)(void *, size_t))real_function("realloc");
    real_free = (void (*)(void *))real_function("free");
    finding = 0;
}

static void *
counted(void *memory)
{
    if (memory != NULL)
        add((int64_t)malloc_usable_size(memory));
    return memory;
}

/* The names of parameters in the system's headers are reserved.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

FRONT void *
malloc(size_t size)
{
    find_real();
    return real_malloc == NULL ? NULL : counted(real_malloc(size));
}

FRONT void *
calloc(size_t count, size_t size)
{
    find_real();
    if (real_calloc != NULL)
        return counted(real_calloc(count, size));
    size_t wanted = (count * size + 15) / 16 * 16;
    if (wanted > sizeof bootstrap - bootstrapped)
        return NULL;
    bootstrapped += wanted;
    return bootstrap + bootstrapped - wanted;
}

FRONT void *
realloc(void *memory, size_t size)
{
    find_real();
    if (real_realloc == NULL || is_bootstrap(memory))
        return NULL;
    int64_t before = memory != NULL ? (int64_t)malloc_usable_size(memory) : 0;
    void *after = real_realloc(memory, size);
    if (after != NULL || size == 0)
        add((after != NULL ? (int64_t)malloc_usable_size(after) : 0) - before);
    return after;
}

FRONT void
free(void *memory)
{
    find_real();
    if (memory == NULL || is_bootstrap(memory) || real_free == NULL)
        return;
    add(-(int64_t)malloc_usable_size(memory));
    real_free(memory);
}

FRONT int
posix_memalign(void **memory, size_t alignment, size_t size)
{
    int (*next)(void **, size_t, size_t) =
        (int (*)(void **, size_t, size_t))real_function("posix_memalign");
    int result = next(memory, alignment, size);

    if (result == 0)
        (void)counted(*memory);
    return result;
}

FRONT void *
aligned_alloc(size_t alignment, size_t size)
{
    void *(*next)(size_t, size_t) = (void *(*)(size_t, size_t))real_function("aligned_alloc");

    return counted(next(alignment, size));
}

FRONT void *
mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    void *(*next)(void *, size_t, int, int, int, off_t) =
        (void *(*)(void *, size_t, int, int, int, off_t))real_function("mmap");
    void *memory = next(at, size, protection, flags, fd, offset);

    if (memory != MAP_FAILED && (flags & MAP_ANONYMOUS) != 0)
        add((int64_t)size);
    return memory;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

__attribute__((constructor)) static void
map_file(void)
{
    const char *path = getenv("HEAP_FILE");
    int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd < 0)
        return;
    if (ftruncate(fd, sizeof *held) == 0) {
        void *memory = mmap(NULL, sizeof *held, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory != MAP_FAILED) {
            struct held *file = memory;
            atomic_store(&file->now, atomic_load(&early.now));
            atomic_store(&file->peak, atomic_load(&early.peak));
            held = file;
        }
    }
    close(fd);
}
