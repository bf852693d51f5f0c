/*
 * A library that is loaded in front of the system's (LD_PRELOAD) and makes the command's n-th call
 * of a kind fail. Calls by libraries that the command uses are left alone.
 *
 *   FAIL_KIND   the kind of call: read, write, poll, accept, open, fsync, syncfs, random, malloc, socket,
 *               stat, file, fcntl, fork, thread, map; or the name of one call, such as flock
 *   FAIL_NTH    which one, from 1
 *   FAIL_ERRNO  the number that it fails with
 *   FAIL_MORE   set: and every one after it
 *   FAIL_SHORT  set: reads and writes are not refused but cut to one byte
 *   FAIL_SEEN   a file that is made once a call was made to fail
 */
/* Fortified calls would be defined inline, before those here. */
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FRONT __attribute__((visibility("default")))

static struct {
    const char *kind; /* NULL: nothing fails */
    long nth;
    int number, more, cut;
    const char *seen;
    uintptr_t begin, end; /* of the command's own code */
    atomic_long count;
} plan;

/** The first object in the list is the program itself. */
static int
find_program(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        plan.begin = info->dlpi_addr + part->p_vaddr;
        plan.end = plan.begin + part->p_memsz;
    }
    return 1;
}

__attribute__((constructor)) static void
read_plan(void)
{
    const char *nth = getenv("FAIL_NTH"), *number = getenv("FAIL_ERRNO");

    dl_iterate_phdr(find_program, NULL);
    plan.nth = nth != NULL ? strtol(nth, NULL, 10) : 0;
    plan.number = number != NULL ? (int)strtol(number, NULL, 10) : EIO;
    plan.more = getenv("FAIL_MORE") != NULL;
    plan.cut = getenv("FAIL_SHORT") != NULL;
    plan.seen = getenv("FAIL_SEEN");
    plan.kind = getenv("FAIL_KIND");
}

typedef void function(void);

/** The system's own. */
static function *
real(const char *name)
{
    void *at = dlsym(RTLD_NEXT, name);
    function *found;

    memcpy(&found, &at, sizeof found); /* ISO C has no cast from the one to the other */
    return found;
}

static void
make_seen_file(void)
{
    int (*open_it)(const char *, int, ...) = (int (*)(const char *, int, ...))real("open");
    int fd = plan.seen != NULL ? open_it(plan.seen, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd >= 0)
        close(fd);
}

/** 1 when this call, made from `from`, is to fail; errno is set. */
static int
fails(const char *kind, const char *name, void *from)
{
    uintptr_t at = (uintptr_t)from;

    if (plan.kind == NULL || (strcmp(plan.kind, kind) != 0 && strcmp(plan.kind, name) != 0) ||
        at < plan.begin || at >= plan.end)
        return 0;
    long n = atomic_fetch_add(&plan.count, 1) + 1;
    if (n != plan.nth && !(plan.more && n > plan.nth))
        return 0;
    make_seen_file();
    errno = plan.number;
    return 1;
}

#define FAILS(kind, name) fails(kind, name, __builtin_return_address(0))

/* FRONT_OF(kind, value on failure, type, name, parameters in two forms) */
#define FRONT_OF(kind, bad, type, name, parameters, arguments)                                     \
    FRONT type name parameters;                                                                    \
    FRONT type name parameters                                                                     \
    {                                                                                              \
        type(*next) parameters = (type(*) parameters)real(#name);                                  \
        if (FAILS(kind, #name))                                                                    \
            return bad;                                                                            \
        return next arguments;                                                                     \
    }

/* As above, for a call that may do a part of what it is asked, `size` bytes. */
#define FRONT_OF_PART(kind, name, parameters, arguments, cut_arguments)                            \
    FRONT ssize_t name parameters;                                                                 \
    FRONT ssize_t name parameters                                                                  \
    {                                                                                              \
        ssize_t(*next) parameters = (ssize_t(*) parameters)real(#name);                            \
        if (!FAILS(kind, #name))                                                                   \
            return next arguments;                                                                 \
        return plan.cut ? next cut_arguments : -1;                                                 \
    }

FRONT_OF_PART("read", read, (int fd, void *to, size_t size), (fd, to, size),
              (fd, to, size > 1 ? 1 : size))
FRONT_OF_PART("read", recv, (int fd, void *to, size_t size, int flags), (fd, to, size, flags),
              (fd, to, size > 1 ? 1 : size, flags))
FRONT_OF_PART("read", pread, (int fd, void *to, size_t size, off_t at), (fd, to, size, at),
              (fd, to, size > 1 ? 1 : size, at))
FRONT_OF_PART("read", readv, (int fd, const struct iovec *parts, int count), (fd, parts, count),
              (fd, parts, 1))
FRONT_OF_PART("read", recvmsg, (int fd, struct msghdr *to, int flags), (fd, to, flags),
              (fd, to, flags))
FRONT_OF_PART("write", write, (int fd, const void *from, size_t size), (fd, from, size),
              (fd, from, size > 1 ? 1 : size))
FRONT_OF_PART("write", send, (int fd, const void *from, size_t size, int flags),
              (fd, from, size, flags), (fd, from, size > 1 ? 1 : size, flags))
FRONT_OF_PART("write", sendmsg, (int fd, const struct msghdr *from, int flags), (fd, from, flags),
              (fd, from, flags))
FRONT_OF_PART("write", writev, (int fd, const struct iovec *parts, int count), (fd, parts, count),
              (fd, parts, 1))
FRONT_OF("poll", -1, int, poll, (struct pollfd * fds, nfds_t count, int ms), (fds, count, ms))
FRONT_OF("accept", -1, int, accept4, (int fd, __SOCKADDR_ARG a, socklen_t *size, int flags),
         (fd, a, size, flags))
FRONT_OF("fsync", -1, int, fsync, (int fd), (fd))
FRONT_OF("syncfs", -1, int, syncfs, (int fd), (fd))
FRONT_OF("random", -1, int, getentropy, (void *to, size_t size), (to, size))
FRONT_OF("socket", -1, int, socket, (int domain, int type, int protocol), (domain, type, protocol))
FRONT_OF("socket", -1, int, socketpair, (int domain, int type, int protocol, int fds[2]),
         (domain, type, protocol, fds))
FRONT_OF("socket", -1, int, bind, (int fd, __CONST_SOCKADDR_ARG a, socklen_t n), (fd, a, n))
FRONT_OF("socket", -1, int, connect, (int fd, __CONST_SOCKADDR_ARG a, socklen_t n), (fd, a, n))
FRONT_OF("socket", -1, int, listen, (int fd, int backlog), (fd, backlog))
FRONT_OF("socket", -1, int, pipe2, (int fds[2], int flags), (fds, flags))
FRONT_OF("socket", -1, int, getsockopt, (int fd, int level, int name, void *value, socklen_t *n),
         (fd, level, name, value, n))
FRONT_OF("stat", -1, int, stat, (const char *path, struct stat *to), (path, to))
FRONT_OF("stat", -1, int, lstat, (const char *path, struct stat *to), (path, to))
FRONT_OF("stat", -1, int, fstat, (int fd, struct stat *to), (fd, to))
FRONT_OF("stat", -1, int, fstatat, (int fd, const char *path, struct stat *to, int flags),
         (fd, path, to, flags))
FRONT_OF("file", -1, int, ftruncate, (int fd, off_t size), (fd, size))
FRONT_OF("file", -1, off_t, lseek, (int fd, off_t at, int from), (fd, at, from))
FRONT_OF("file", -1, int, fchmod, (int fd, mode_t mode), (fd, mode))
FRONT_OF("file", -1, int, futimens, (int fd, const struct timespec times[2]), (fd, times))
FRONT_OF("file", -1, int, mkdir, (const char *path, mode_t mode), (path, mode))
FRONT_OF("file", -1, int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
FRONT_OF("file", -1, int, flock, (int fd, int how), (fd, how))
FRONT_OF("file", -1, int, linkat, (int f, const char *from, int t, const char *to, int flags),
         (f, from, t, to, flags))
FRONT_OF("file", -1, int, renameat, (int f, const char *from, int t, const char *to),
         (f, from, t, to))
FRONT_OF("file", -1, int, renameat2,
         (int f, const char *from, int t, const char *to, unsigned flags), (f, from, t, to, flags))
FRONT_OF("fork", -1, pid_t, fork, (void), ())
FRONT_OF("thread", plan.number, int, pthread_create,
         (pthread_t * thread, const pthread_attr_t *how, void *(*run)(void *), void *context),
         (thread, how, run, context))
FRONT_OF("map", MAP_FAILED, void *, mmap,
         (void *at, size_t size, int protection, int flags, int fd, off_t offset),
         (at, size, protection, flags, fd, offset))
FRONT_OF("malloc", NULL, char *, strdup, (const char *text), (text))
FRONT_OF("malloc", NULL, char *, realpath, (const char *path, char *to), (path, to))

/* ---- Those with a varying number of arguments ---- */

static mode_t
mode_of(int flags, va_list arguments)
{
    return flags & O_CREAT ? (mode_t)va_arg(arguments, int) : 0;
}

FRONT int
open(const char *path, int flags, ...)
{
    int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))real("open");
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return FAILS("open", "open") ? -1 : next(path, flags, mode);
}

FRONT int
openat(int folder, const char *path, int flags, ...)
{
    int (*next)(int, const char *, int, ...) = (int (*)(int, const char *, int, ...))real("openat");
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return FAILS("open", "open") ? -1 : next(folder, path, flags, mode);
}

int __open_2(const char *path, int flags);
FRONT int
__open_2(const char *path, int flags)
{
    int (*next)(const char *, int) = (int (*)(const char *, int))real("__open_2");
    return FAILS("open", "open") ? -1 : next(path, flags);
}

FRONT int
fcntl(int fd, int what, ...)
{
    int (*next)(int, int, ...) = (int (*)(int, int, ...))real("fcntl");
    va_list arguments;

    va_start(arguments, what);
    void *value = va_arg(arguments, void *);
    va_end(arguments);
    return FAILS("fcntl", "fcntl") ? -1 : next(fd, what, value);
}

/* ---- Memory: dlsym() may ask for some itself ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

FRONT void *
malloc(size_t size)
{
    return FAILS("malloc", "malloc") ? NULL : __libc_malloc(size);
}

FRONT void *
calloc(size_t count, size_t size)
{
    return FAILS("malloc", "malloc") ? NULL : __libc_calloc(count, size);
}

FRONT void *
realloc(void *old, size_t size)
{
    return FAILS("malloc", "malloc") ? NULL : __libc_realloc(old, size);
}
