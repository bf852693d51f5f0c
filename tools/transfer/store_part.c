/*
 * Unfinished files (see store.h): NAME.duet-part beside NAME, made for this user alone, continued
 * by a later transfer, and taken for our own only when no one else can have written to it.
 */
#include "store.h"

#include "log.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { WRITE_OUT = 16 << 20 }; /* bytes */

/** Open an unfinished file that had its mode already when a transfer was cut, and may not be
 * written to. Returns its descriptor; -1. */
static int
open_read_only(int folder, const char *part, int flags)
{
    struct stat status;
    int fd = openat(folder, part, (flags & ~O_ACCMODE) | O_RDONLY);
    int lifted =
        fd >= 0 && fstat(fd, &status) == 0 && part_is_ours(&status) && fchmod(fd, 0600) == 0;

    if (fd >= 0)
        close(fd);
    return lifted ? openat(folder, part, flags) : -1;
}

/** Open the unfinished file: one of our own to continue, or a new one. Returns its descriptor; -1
 * with errno. *fresh: 1 when it is new. */
static int
open_part_file(int folder, const char *part, int *fresh)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    struct stat status;

    *fresh = 1;
    int fd = openat(folder, part, flags | O_CREAT | O_EXCL, 0600);
    if (fd >= 0 || errno != EEXIST)
        return fd;
    fd = openat(folder, part, flags);
    if (fd < 0 && errno == EACCES)
        fd = open_read_only(folder, part, flags);
    if (fd >= 0 && fstat(fd, &status) == 0 && part_is_ours(&status)) {
        (void)fchmod(fd, 0600);
        *fresh = 0;
        return fd;
    }
    /* Another user made it, it has other names, or it is a link or the like: it is not ours. */
    if (fd >= 0)
        close(fd);
    if (unlinkat(folder, part, 0) != 0)
        return -1;
    return openat(folder, part, flags | O_CREAT | O_EXCL, 0600);
}

int
store_start(struct store *store, struct store_item *item, uint64_t offset)
{
    char part[NAME_MAX + 1];
    const char *base;
    struct stat status;
    int fresh;

    item->at = offset;
    if (store->stream) {
        item->fd = 1;
        return 0;
    }
    int folder = folder_of(store, item, &base);
    if (folder < 0)
        return -1;
    part_name(part, item_base(item, base));
    /* Another one of that name may be whole and wait for the disk. */
    if (store->group_files > 0 && fstatat(folder, part, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        store_group_settle(store);
        folder = folder_of(store, item, &base);
        if (folder < 0)
            return -1;
    }
    item->fd = open_part_file(folder, part, &fresh);
    if (item->fd < 0 || fstat(item->fd, &status) != 0)
        return store_fail(store, item);
    if (flock(item->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return store_refuse(store, item, "another program is receiving it");
        store_lacks(store, STEP_LOCK, item);
    }
    struct stat named;
    if (fstatat(folder, part, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
        (named.st_ino != status.st_ino && named.st_mtime != status.st_mtime))
        return store_refuse(store, item, "another program has received it");
    /* What was checked before the lock was taken may be another's work since. */
    int altered = offset > 0 && !fresh &&
                  (!item->verified || status.st_ino != item->ino ||
                   status.st_mtim.tv_sec != item->changed.tv_sec ||
                   status.st_mtim.tv_nsec != item->changed.tv_nsec);
    item->dev = status.st_dev;
    item->ino = status.st_ino;
    if (altered)
        return store_refuse(store, item,
                            "its unfinished file was changed meanwhile; run the same command "
                            "again at both ends");
    if (fresh && offset > 0)
        return store_refuse(store, item,
                            "its unfinished file vanished; run the same command again "
                            "at both ends");
    if ((!fresh && ftruncate(item->fd, (off_t)offset) != 0) ||
        lseek(item->fd, (off_t)offset, SEEK_SET) < 0)
        return store_fail(store, item);
    return 0;
}

static int
check_size(struct store *store, const struct store_item *item, uint64_t size)
{
    if (size > item->size - item->at)
        return store_refuse(store, item, "more came than was offered");
    return item->size == TRANSFER_UNKNOWN ? store_count_bytes(store, item, size) : 0;
}

/** Write bytes of content, which were allowed. Returns 0, or -1. */
static int
write_bytes(struct store *store, struct store_item *item, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(item->fd, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return store_fail(store, item);
        bytes += n;
        size -= (size_t)n;
        item->at += (uint64_t)n;
        item->moved += (uint64_t)n;
    }
    return 0;
}

int
store_data(struct store *store, struct store_item *item, const uint8_t *bytes, size_t size)
{
    uint64_t before = item->at;

    if (check_size(store, item, size) != 0 || write_bytes(store, item, bytes, size) != 0)
        return -1;
    if (!store->stream && before / WRITE_OUT != item->at / WRITE_OUT)
        duet__os_write_out(item->fd, before / WRITE_OUT * WRITE_OUT, WRITE_OUT);
    return 0;
}

/** Standard output takes no hole: it gets zeros. */
static int
write_zeros(struct store *store, struct store_item *item, uint64_t size)
{
    static const uint8_t zeros[TRANSFER_DATA_MOST];
    uint64_t moved = item->moved;
    int result = 0;

    while (size > 0 && result == 0) {
        if (store->is_stopped(store->context))
            return store_refuse(store, item, "interrupted");
        size_t part = size < sizeof zeros ? (size_t)size : sizeof zeros;
        result = write_bytes(store, item, zeros, part);
        size -= part;
    }
    item->moved = moved;
    return result;
}

int
store_hole(struct store *store, struct store_item *item, uint64_t size)
{
    if (check_size(store, item, size) != 0)
        return -1;
    if (store->stream)
        return write_zeros(store, item, size);
    item->at += size;
    if (ftruncate(item->fd, (off_t)item->at) != 0 || lseek(item->fd, (off_t)item->at, SEEK_SET) < 0)
        return store_fail(store, item);
    return 0;
}

int
store_done(struct store *store, struct store_item *item)
{
    if (item->size != TRANSFER_UNKNOWN && item->at != item->size)
        return store_refuse(store, item, "less came than was offered");
    /* What came in ranges may end with a hole. */
    struct stat status;
    if (!store->stream && fstat(item->fd, &status) == 0 && (uint64_t)status.st_size < item->at &&
        ftruncate(item->fd, (off_t)item->at) != 0)
        return store_fail(store, item);
    if (!store->stream)
        store_dress(store, item, item->fd);
    item->size = item->at;
    return 0;
}

void
store_drop(struct store *store, struct store_item *item, int discard)
{
    char part[NAME_MAX + 1];
    const char *base;

    if (item->fd < 0 || store->stream)
        return;
    if (discard) {
        int folder = folder_of(store, item, &base);
        part_name(part, item_base(item, base));
        if (folder >= 0)
            (void)unlinkat(folder, part, 0);
    }
    close(item->fd);
    item->fd = -1;
}
