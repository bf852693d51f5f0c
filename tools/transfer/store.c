/*
 * Storing what is received (see store.h).
 *
 * Every path is walked component by component from the folder's descriptor, without following
 * links, so that nothing outside of it is ever touched.
 */
#include "store.h"

#include "log.h"
#include "os/os.h"
#include "stdio_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MOST = 128 }; /* folders within folders */

static int store_refuse(struct store *store, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Refuse the offer with a reason, after its name; its content is dropped. */
static int
store_refuse(struct store *store, const char *format, ...)
{
    va_list arguments;
    int size = snprintf(store->why, sizeof store->why, "%s: ", printable(store->offer.name));

    if (size >= 0 && (size_t)size < sizeof store->why) {
        va_start(arguments, format);
        vsnprintf(store->why + size, sizeof store->why - (size_t)size, format, arguments);
        va_end(arguments);
    }
    store->state = STORE_DISCARD;
    return -1;
}

/** Refuse because of this machine: disk full, no permission. */
static int
fail_local(struct store *store)
{
    const char *cure = errno == ENOSPC || errno == EDQUOT
                           ? "; make room and run the same command again at both ends to resume"
                           : "";

    store->code = EXIT_LOCAL;
    return store_refuse(store, "%s%s", errno_text(), cure);
}

static void
close_files(struct store *store)
{
    if (store->fd >= 0 && !store->stream)
        close(store->fd);
    if (store->folder >= 0)
        close(store->folder);
    store->fd = store->folder = -1;
}

/* ---- Names ---- */

int
name_check(const char *name)
{
    const size_t part = sizeof STORE_PART - 1;
    unsigned depth = 0;

    while (*name != 0) {
        size_t size = strcspn(name, "/");
        if (size == 0 || size > NAME_MAX || ++depth > DEPTH_MOST)
            return -1;
        /* public: names */
        if (size >= part && memcmp(name + size - part, STORE_PART, part) == 0)
            return -1;
        if (name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.')))
            return -1;
        name += size;
        if (*name == '/' && *++name == 0)
            return -1;
    }
    return depth > 0 ? 0 : -1;
}

/** A folder below a folder, made if it is not there. */
static int
open_subfolder(int parent, const char *name)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent, name, flags);

    if (fd < 0 && errno == ENOENT && (mkdirat(parent, name, 0777) == 0 || errno == EEXIST))
        fd = openat(parent, name, flags);
    return fd;
}

/** Walk to the folder of store->offer.name; store->base is its last component. */
static int
open_folder(struct store *store)
{
    const char *name = store->offer.name;
    char component[NAME_MAX + 1];

    store->folder = fcntl(store->root, F_DUPFD_CLOEXEC, 0);
    while (store->folder >= 0) {
        size_t size = strcspn(name, "/");
        memcpy(component, name, size);
        component[size] = 0;
        if (name[size] == 0) {
            memcpy(store->base, component, size + 1);
            return 0;
        }
        int next = open_subfolder(store->folder, component);
        int error = errno;
        close(store->folder);
        store->folder = next;
        errno = error;
        name += size + 1;
    }
    return errno == ELOOP || errno == ENOTDIR
               ? store_refuse(store, "a link or a file is in the place of its folder")
               : fail_local(store);
}

/* ---- Opening the folder ---- */

/** Put a folder's names on the disk. Once for all of its files: of many small ones each would wait
 * for the disk twice. */
static void
sync_names(int folder)
{
    (void)fsync(folder); /* not all file systems know it */
}

int
store_open(struct store *store, const char *folder, unsigned force)
{
    memset(store, 0, sizeof *store);
    store->root = store->folder = store->fd = -1;
    store->force = force;
    if (strcmp(folder, "-") == 0) {
        store->stream = 1;
        return stdio_check(1, 1, "standard output");
    }
    /* Before a peer comes, so that errors show at once and not after hours of waiting. */
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return log_error(EXIT_LOCAL, "%s: %s; make the folders above it, or choose another with -o",
                         printable(folder), errno_text());
    store->root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->root >= 0 && faccessat(store->root, ".", W_OK | X_OK, AT_EACCESS) == 0)
        return EXIT_DONE;
    return log_error(EXIT_LOCAL, "%s: %s; choose a folder where you may write with -o",
                     printable(folder), errno_text());
}

void
store_end(struct store *store)
{
    if (store->root >= 0)
        sync_names(store->root);
}

void
store_close(struct store *store)
{
    close_files(store);
    if (store->root >= 0)
        close(store->root);
    store->root = -1;
}

/* ---- An offer ---- */

/** Set the sender's mode and time. */
static int
set_attributes(struct store *store, int fd)
{
    const struct timespec times[2] = {
        {.tv_sec = 0, .tv_nsec = UTIME_NOW},
        {.tv_sec = (time_t)store->offer.seconds, .tv_nsec = (long)store->offer.nanoseconds}};

    if (fchmod(fd, store->offer.mode) != 0 || futimens(fd, times) != 0)
        return fail_local(store);
    return 0;
}

static int
offer_folder(struct store *store)
{
    int result = 0;

    if (open_folder(store) != 0)
        return -1;
    int fd = open_subfolder(store->folder, store->base);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP
                   ? store_refuse(store, "a file or link is there already")
                   : fail_local(store);
    if (store->offer.kind == OFFER_FOLDER_DONE) {
        result = set_attributes(store, fd);
        sync_names(fd);
    }
    close(fd);
    return result;
}

/** A file of that name is there: it may be the very same, as after a transfer that was cut. */
static int
compare_with(struct store *store, const struct stat *status)
{
    if (!S_ISREG(status->st_mode))
        return store_refuse(store, "something that is no file is there already");
    if ((uint64_t)status->st_size != store->offer.size)
        return store_refuse(store, "is there already, and differs; recv --force replaces it");
    store->fd = openat(store->folder, store->base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (store->fd < 0)
        return fail_local(store);
    store->there = store->offer.size;
    store->state = STORE_COMPARE;
    return 0;
}

static int
open_part(struct store *store)
{
    struct stat status;

    if ((size_t)snprintf(store->part, sizeof store->part, "%s%s", store->base, STORE_PART) >=
        sizeof store->part)
        return store_refuse(store, "the name is too long for a %s file beside it", STORE_PART);
    store->fd = openat(store->folder, store->part,
                       O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (store->fd < 0 || fstat(store->fd, &status) != 0)
        return fail_local(store);
    if (!S_ISREG(status.st_mode))
        return store_refuse(store, "its %s is no file", STORE_PART);
    if (flock(store->fd, LOCK_EX | LOCK_NB) != 0)
        return store_refuse(store, "another program is receiving it");
    store->there = (uint64_t)status.st_size <= store->offer.size ? (uint64_t)status.st_size : 0;
    store->state = STORE_WRITE;
    return 0;
}

static int
offer_stream(struct store *store)
{
    if (store->offer.kind != OFFER_FILE || store->files > 0)
        return store_refuse(store, "standard output takes one file, and no folder");
    store->files++;
    store->fd = 1;
    store->state = STORE_WRITE;
    return 0;
}

static int
offer_file(struct store *store)
{
    struct stat status;

    if (open_folder(store) != 0)
        return -1;
    int found = fstatat(store->folder, store->base, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (found && !store->force)
        return compare_with(store, &status);
    if (found && S_ISDIR(status.st_mode))
        return store_refuse(store, "a folder is there already");
    return open_part(store);
}

int
store_offer(struct store *store, const struct offer *offer)
{
    close_files(store);
    store->offer = *offer;
    store->state = STORE_IDLE;
    store->there = store->at = 0;
    if (name_check(offer->name) != 0)
        return store_refuse(
            store,
            "the name is not safe: absolute, empty, with .., too deep, or an unfinished file's");
    if (store->stream)
        return offer_stream(store);
    if (offer->kind != OFFER_FILE)
        return offer_folder(store);
    if (offer_file(store) != 0)
        return -1;
    if (!offer->asks && store->state == STORE_WRITE && ftruncate(store->fd, 0) != 0)
        return fail_local(store);
    return 0;
}

int
store_hash(struct store *store, uint8_t hash[TRANSFER_HASH])
{
    memset(hash, 0, TRANSFER_HASH);
    if (store->there > 0 && hash_prefix(hash, store->fd, store->there) != 0)
        return fail_local(store);
    return 0;
}

int
store_start(struct store *store, uint64_t offset)
{
    if (store->state == STORE_COMPARE) {
        if (offset == 0)
            return store_refuse(store, "is there already, and differs; recv --force replaces it");
        store->state = STORE_EQUAL;
        store->at = offset;
        return 0;
    }
    store->at = offset;
    if (store->stream)
        return 0;
    if (ftruncate(store->fd, (off_t)offset) != 0 || lseek(store->fd, (off_t)offset, SEEK_SET) < 0)
        return fail_local(store);
    return 0;
}

/* ---- Content ---- */

static int
write_data(struct store *store, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(store->fd, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_local(store);
        bytes += n;
        size -= (size_t)n;
        store->at += (uint64_t)n;
    }
    return 0;
}

static int
compare_data(struct store *store, const uint8_t *bytes, size_t size)
{
    uint8_t there[4096];

    while (size > 0) {
        ssize_t n =
            pread(store->fd, there, size < sizeof there ? size : sizeof there, (off_t)store->at);
        if (n < 0 && errno == EINTR)
            continue;
        /* public: a file's content, to him who sends it and to him who has it */
        if (n <= 0 || memcmp(there, bytes, (size_t)n) != 0)
            return store_refuse(store, "is there already, and differs; recv --force replaces it");
        bytes += n;
        size -= (size_t)n;
        store->at += (uint64_t)n;
    }
    return 0;
}

int
store_data(struct store *store, const uint8_t *bytes, size_t size)
{
    if (store->state == STORE_DISCARD)
        return 0;
    if (size > store->offer.size - store->at)
        return store_refuse(store, "more came than was offered");
    return store->state == STORE_COMPARE ? compare_data(store, bytes, size)
                                         : write_data(store, bytes, size);
}

/** The file is whole: dressed, on the disk, and under its name. */
static int
store_finish(struct store *store)
{
    if (set_attributes(store, store->fd) != 0)
        return -1;
    if (fsync(store->fd) != 0)
        return fail_local(store);
    int result = store->force ? renameat(store->folder, store->part, store->folder, store->base)
                              : duet__os_rename_new(store->folder, store->part, store->base);
    if (result != 0 && errno == EEXIST)
        return store_refuse(store, "appeared meanwhile; recv --force replaces it");
    return result == 0 ? 0 : fail_local(store);
}

int
store_done(struct store *store, int status)
{
    int result = 0;

    if (status != 0)
        result = store_refuse(store, "the other end could not read all of it");
    else if (store->offer.size != TRANSFER_UNKNOWN && store->at != store->offer.size)
        result = store_refuse(store, "less came than was offered");
    else if (store->state == STORE_WRITE && !store->stream)
        result = store_finish(store);
    close_files(store);
    store->state = STORE_IDLE;
    return result;
}
