/*
 * The store as a whole (see store.h): opened, closed, and what is decided about an offer. Folders
 * and links are in store_folder.c, unfinished files in store_part.c, the disk in store_group.c.
 *
 * Every path is walked component by component from the folder's descriptor, without following
 * links, so that nothing outside of it is ever touched.
 */
#include "store.h"

#include "content_hash.h"
#include "log.h"
#include "stdio_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Opening and closing ---- */

int
store_open(struct store *store, const char *folder)
{
    store->root = store->cached_fd = -1;
    if (strcmp(folder, "-") == 0) {
        store->stream = 1;
        return stdio_check(1, 1, "standard output");
    }
    store->umask = umask(0);
    umask(store->umask);
    /* Before a peer comes, so that errors show at once and not after hours of waiting. */
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return log_error(EXIT_LOCAL, "%s: %s; make the folders above it, or choose another with -o",
                         printable(folder), errno_text());
    store->root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat status;
    if (store->root >= 0 && fstat(store->root, &status) == 0)
        store->device = status.st_dev;
    if (store->root >= 0 && faccessat(store->root, ".", W_OK | X_OK, AT_EACCESS) == 0)
        return EXIT_DONE;
    return log_error(EXIT_LOCAL, "%s: %s; choose a folder where you may write with -o",
                     printable(folder), errno_text());
}

void
store_close(struct store *store)
{
    folders_restore(store);
    if (store->cached_fd >= 0)
        close(store->cached_fd);
    while (store->mount_count > 0)
        close(store->mounts[--store->mount_count].fd);
    if (store->root >= 0)
        close(store->root);
    store->root = store->cached_fd = -1;
}

/* ---- What is decided about a file ---- */

/** The first free name of the kind `base (2).ending`. Returns it, to be released; NULL: none. */
static char *
name_beside(int folder, const char *base)
{
    const char *ending = strrchr(base, '.');
    char *name = malloc(NAME_MAX + 1);
    struct stat status;

    if (ending == NULL || ending == base)
        ending = base + strlen(base);
    for (unsigned n = 2; name != NULL && n < 10000; n++) {
        int size =
            snprintf(name, NAME_MAX + 1, "%.*s (%u)%s", (int)(ending - base), base, n, ending);
        if (size <= NAME_MAX && fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0 &&
            errno == ENOENT)
            return name;
    }
    free(name);
    return NULL;
}

/** How much of a file is there as an unfinished one: item->there. */
static enum store_answer
want_rest(struct store_item *item, int folder, const char *base)
{
    char part[NAME_MAX + 1];
    struct stat status;

    part_name(part, item_base(item, base));
    item->compares = 0;
    item->there = 0;
    if (item->size != TRANSFER_UNKNOWN &&
        fstatat(folder, part, &status, AT_SYMLINK_NOFOLLOW) == 0 && part_is_ours(&status) &&
        (uint64_t)status.st_size <= item->size)
        item->there = (uint64_t)status.st_size;
    return STORE_WANT;
}

/** A file of that name is there and differs. */
static enum store_answer
meet_other(struct store *store, struct store_item *item, int folder, const char *base,
           const struct stat *status)
{
    if (store->force) {
        item->replaces = 1;
        return want_rest(item, folder, base);
    }
    if (store->update) {
        if (status->st_mtim.tv_sec > item->seconds ||
            (status->st_mtim.tv_sec == item->seconds &&
             status->st_mtim.tv_nsec > (long)item->nanoseconds))
            return STORE_IS_KEPT;
        item->replaces = 1;
        return want_rest(item, folder, base);
    }
    if (store->keep_both) {
        item->as = name_beside(folder, base);
        if (item->as != NULL)
            return want_rest(item, folder, base);
    }
    store_refuse(store, item,
                 "is there already, and differs; recv --force replaces it, --keep-both stores it "
                 "under another name");
    return STORE_REFUSED;
}

/** 1 when a file's content has a hash. */
static int
has_hash(int folder, const char *base, uint64_t size, const uint8_t hash[TRANSFER_HASH])
{
    uint8_t mine[TRANSFER_HASH];
    int fd = openat(folder, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int same = fd >= 0 && hash_prefix(mine, fd, size) == 0 &&
               memcmp(mine, hash, sizeof mine) == 0; /* public: both ends have it */

    if (fd >= 0)
        close(fd);
    return same;
}

static enum store_answer
look_at_file(struct store *store, struct store_item *item)
{
    const char *base;
    struct stat status;
    int folder = folder_of(store, item, &base);

    if (folder < 0)
        return store->dry && errno == ENOENT ? STORE_WANT : STORE_REFUSED;
    if (fstatat(folder, base, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return want_rest(item, folder, base);
    if (S_ISDIR(status.st_mode)) {
        store_refuse(store, item, "a folder is there already");
        return STORE_REFUSED;
    }
    if (!S_ISREG(status.st_mode)) {
        if (!store->force)
            store_refuse(store, item, "something that is no file is there already");
        item->replaces = 1;
        return store->force ? want_rest(item, folder, base) : STORE_REFUSED;
    }
    if ((uint64_t)status.st_size != item->size || item->size == TRANSFER_UNKNOWN)
        return meet_other(store, item, folder, base, &status);
    if ((item->flags & OFFER_HASHED) != 0)
        return has_hash(folder, base, item->size, item->hash)
                   ? STORE_IS_SAME
                   : meet_other(store, item, folder, base, &status);
    if (!store->checksum && is_equal_file(item, &status))
        return STORE_IS_SAME;
    if (item->size == 0)
        return STORE_IS_SAME;
    item->compares = 1;
    item->there = item->size;
    return STORE_WANT;
}

static enum store_answer
look_at_stream(struct store *store, struct store_item *item)
{
    if (item->kind == OFFER_FILE && store->files == 1)
        return STORE_WANT;
    store_refuse(store, item, "standard output takes one file, and no folder");
    return STORE_REFUSED;
}

/** 1 when the user's limits allow it. A stream is counted as it comes. */
static int
within_limits(struct store *store, const struct store_item *item)
{
    if (item->kind == OFFER_FOLDER_DONE)
        return 1;
    store->files++;
    if (store->most_files != 0 && store->files > store->most_files)
        store_refuse(store, item, "more files than --max-files allows");
    else if (item->kind != OFFER_FILE || item->size == TRANSFER_UNKNOWN ||
             store_count_bytes(store, item, item->size) == 0)
        return 1;
    return 0;
}

enum store_answer
store_look(struct store *store, struct store_item *item)
{
    item->fd = -1;
    if (!within_limits(store, item))
        return STORE_REFUSED;
    if (name_check(item->name) != 0 ||
        (item->kind == OFFER_HARD_LINK && name_check(item->target))) {
        store_refuse(store, item,
                     "the name is not safe: absolute, empty, with .., or an unfinished file's");
        return STORE_REFUSED;
    }
    if (store->stream)
        return look_at_stream(store, item);
    if ((item->name[0] == '.' || (item->kind == OFFER_HARD_LINK && item->target[0] == '.')) &&
        !store->hidden) {
        store_refuse(store, item, "its name begins with a dot; recv --hidden takes it");
        return STORE_REFUSED;
    }
    switch (item->kind) {
    case OFFER_FOLDER:
        return folder_offer(store, item);
    case OFFER_LINK:
        return link_offer(store, item);
    case OFFER_FILE:
        return look_at_file(store, item);
    default:
        return STORE_IN_TURN;
    }
}

enum store_answer
store_look_again(struct store *store, struct store_item *item)
{
    if (item->size != TRANSFER_UNKNOWN && store_count_bytes(store, item, item->size) != 0)
        return STORE_REFUSED;
    return look_at_file(store, item);
}

/** Compare a whole file that is there. With --force it gets the offered mode and time. */
static enum store_answer
check_whole(struct store *store, struct store_item *item, int folder, const char *base,
            const uint8_t hash[TRANSFER_HASH])
{
    struct stat status;

    if (fstatat(folder, base, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return want_rest(item, folder, base); /* it was removed meanwhile */
    if (!has_hash(folder, base, item->size, hash)) {
        enum store_answer answer = meet_other(store, item, folder, base, &status);
        item->there = 0;
        return answer;
    }
    int fd = store->force ? openat(folder, base, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd >= 0) {
        store_dress(store, item, fd);
        close(fd);
    }
    return STORE_IS_SAME;
}

/** How much of an unfinished file to ask about next, as the last bytes are not right: it came in
 * ranges, of which those before may be missing, or power was cut. 0: nothing. */
static uint64_t
less_of(struct store_item *item)
{
    static const uint64_t steps[TRANSFER_CHECKS_MOST - 1] = {
        (uint64_t)TRANSFER_RANGE_SIZE * TRANSFER_RANGES_AHEAD / 8,
        (uint64_t)TRANSFER_RANGE_SIZE * TRANSFER_RANGES_AHEAD * 7 / 8};

    while (item->checks < TRANSFER_CHECKS_MOST - 1) {
        uint64_t step = steps[item->checks++];
        if (item->there > step)
            return item->there - step;
    }
    return 0;
}

enum store_answer
store_check(struct store *store, struct store_item *item, uint64_t offset,
            const uint8_t hash[TRANSFER_HASH])
{
    char part[NAME_MAX + 1];
    const char *base;
    struct stat status;
    int folder = folder_of(store, item, &base);

    if (folder < 0)
        return STORE_REFUSED;
    if (item->compares)
        return check_whole(store, item, folder, base, hash);
    part_name(part, item_base(item, base));
    item->verified = fstatat(folder, part, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                     has_hash(folder, part, offset, hash);
    item->changed = status.st_mtim;
    item->ino = status.st_ino;
    if (item->verified)
        return STORE_IN_TURN;
    item->there = less_of(item);
    return STORE_WANT;
}
