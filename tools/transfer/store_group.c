/*
 * Whole files on their way to the disk (see store.h): they are put there in groups, and only then
 * get their names, so that a name always stands for a whole file, also after a power cut.
 */
#include "store.h"

#include "log.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { GROUP_BYTES = 64 << 20 };

/** 1 when an error of a sync says that the file system has none. */
static int
has_no_sync(int error)
{
    return error == EINVAL || error == ENOSYS || error == ENOTSUP || error == EROFS;
}

/** Sync one file. Returns 0, or -1 with errno. */
static int
sync_file(struct store *store, const struct store_item *item)
{
    if (fsync(item->fd) == 0)
        return 0;
    if (!has_no_sync(errno))
        return -1;
    store_lacks(store, STEP_SYNC, item);
    return 0;
}

/** Sync every file system that the transfer wrote to. Returns 0, or -1 with errno. */
static int
sync_file_systems(const struct store *store)
{
    int result = 0, error = 0;

    if (store->many_mounts)
        sync();
    for (unsigned i = 0; i <= store->mount_count; i++)
        if (duet__os_sync_all(i == 0 ? store->root : store->mounts[i - 1].fd) != 0) {
            result = -1;
            if (error == 0 || has_no_sync(error))
                error = errno;
        }
    errno = error;
    return result;
}

/** Put the content of the group's files on the disk. Returns 0; an errno that holds for all. */
static int
sync_group(struct store *store)
{
    if (store->group_files <= STORE_FEW || store->stream)
        return 0; /* each by itself: settle_file() */
    if (sync_file_systems(store) == 0)
        return 0;
    if (!has_no_sync(errno))
        return errno;
    store_lacks(store, STEP_SYNC, store->group[0]);
    return 0;
}

/** 1 when the unfinished file of that name is still the one that was written. */
static int
is_still_ours(int folder, const char *part, const struct store_item *item)
{
    struct stat status;

    if (fstatat(folder, part, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    if (status.st_ino == item->ino && status.st_dev == item->dev)
        return 1;
    /* Some file systems in user space number a file anew each time. */
    return part_is_ours(&status) && (uint64_t)status.st_size == item->size;
}

/** Give a whole file its name. Returns 0, or -1. */
static int
settle_file(struct store *store, struct store_item *item, int error)
{
    char part[NAME_MAX + 1];
    const char *base;

    if (store->stream)
        return 0;
    int folder = folder_of(store, item, &base);
    if (folder < 0)
        return -1;
    if (error == 0 && item->fd >= 0 && store->group_files <= STORE_FEW &&
        sync_file(store, item) != 0)
        error = errno;
    if (error != 0) {
        errno = error;
        return store_fail(store, item);
    }
    base = item_base(item, base);
    part_name(part, base);
    if (!is_still_ours(folder, part, item))
        return store_refuse(store, item, "another program took its unfinished file away");
    int result = item->replaces ? renameat(folder, part, folder, base)
                                : duet__os_rename_new(folder, part, base);
    if (result != 0 && errno == EEXIST)
        return store_refuse(store, item, "appeared meanwhile; recv --force replaces it");
    return result == 0 ? 0 : store_fail(store, item);
}

void
store_group_settle(struct store *store)
{
    int error = sync_group(store);
    unsigned count = store->group_count;
    int waits = 0;

    store->group_count = 0; /* what on_settled() adds is another group's */
    for (unsigned i = 0; i < count; i++) {
        struct store_item *item = store->group[i];
        int result = -1;
        if (waits && item->kind != OFFER_FILE) {
            store->on_settled(store->context, item, STORE_LATER);
            continue;
        }
        if (item->kind == OFFER_FILE)
            result = settle_file(store, item, error);
        else if (item->kind == OFFER_FOLDER_DONE)
            result = folder_done(store, item);
        else
            result = hard_link_done(store, item);
        if (item->fd >= 0 && !store->stream)
            close(item->fd);
        item->fd = -1;
        waits |= result == STORE_AS_FILE; /* a folder must not be done before its content is */
        store->on_settled(store->context, item, result == 0 ? STORED_NEW : result);
    }
    store->group_files = 0;
    store->group_bytes = 0;
}

void
store_group_add(struct store *store, struct store_item *item)
{
    if (item->kind == OFFER_FILE) {
        store->group_files++;
        store->group_bytes += item->moved;
    }
    item->state = ITEM_GROUP;
    store->group[store->group_count++] = item;
    /* Each stays open, so that its lock holds until it has its name. */
    if (store->group_count == STORE_GROUP || store->group_files >= store->most_open ||
        store->group_bytes >= GROUP_BYTES || store->stream)
        store_group_settle(store);
}

int
store_sync_names(struct store *store)
{
    if (store->root < 0 || store->dry || sync_file_systems(store) == 0)
        return EXIT_DONE;
    if (has_no_sync(errno) && (fsync(store->root) == 0 || has_no_sync(errno)))
        return EXIT_DONE; /* store_lacks() has warned of it, where files were stored */
    return log_error(EXIT_LOCAL, "the disk reports an error, so what came may not be on it: %s",
                     errno_text());
}
