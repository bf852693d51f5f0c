/*
 * Folders and links of what is received (see store.h).
 *
 * A folder that the transfer makes is private (0700) until it is complete, and holds a marker
 * meanwhile, so that a transfer that is run again knows it as its own. A folder of the user's that
 * may not be written to is made writable for as long as it takes.
 */
#include "store.h"

#include "log.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

/** Take a folder into the cache: name[0:size] below root, open as fd. */
static void
cache_folder(struct store *store, const char *name, size_t size, int fd)
{
    if (store->cached_fd >= 0)
        close(store->cached_fd);
    store->cached_fd = fd;
    store_note_mount(store, fd);
    memcpy(store->cached, name, size);
    store->cached[size] = 0;
}

/** A folder below a folder, made where it is missing: one that was never offered. It counts as one
 * that was; errno EMLINK: the user allows no more. */
static int
open_or_make(struct store *store, int parent, const char *name)
{
    int fd = openat(parent, name, FOLDER_FLAGS);

    if (fd >= 0 || errno != ENOENT || store->dry)
        return fd;
    if (store->most_files != 0 && store->files >= store->most_files) {
        errno = EMLINK;
        return -1;
    }
    if (mkdirat(parent, name, 0777) == 0)
        store->files++;
    else if (errno != EEXIST)
        return -1;
    return openat(parent, name, FOLDER_FLAGS);
}

/** Open name[0:size] below root, from the cached folder where that is on the way. Returns a
 * descriptor of the store's; -1 with errno. */
static int
open_path(struct store *store, const char *name, size_t size)
{
    char component[NAME_MAX + 1];
    size_t at = store->cached_fd >= 0 ? strlen(store->cached) : 0;

    if (size == 0)
        return store->root;
    if (at > 0 && (at > size || memcmp(store->cached, name, at) != 0 || /* public: names */
                   (at < size && name[at] != '/')))
        at = 0;
    if (at == size)
        return store->cached_fd;
    int fd = fcntl(at > 0 ? store->cached_fd : store->root, F_DUPFD_CLOEXEC, 0);
    while (fd >= 0 && at < size) {
        at += name[at] == '/';
        size_t part = strcspn(name + at, "/");
        memcpy(component, name + at, part);
        component[part] = 0;
        int next = open_or_make(store, fd, component);
        int error = errno;
        close(fd);
        errno = error;
        fd = next;
        at += part;
    }
    if (fd >= 0)
        cache_folder(store, name, size, fd);
    return fd;
}

int
folder_of(struct store *store, const struct store_item *item, const char **base)
{
    const char *slash = strrchr(item->name, '/');
    size_t size = slash != NULL ? (size_t)(slash - item->name) : 0;

    *base = slash != NULL ? slash + 1 : item->name;
    int fd = open_path(store, item->name, size);
    if (fd >= 0)
        return fd;
    if (errno == ENOENT && store->dry)
        return -1; /* the real transfer would make it */
    if (errno == EMLINK && store->most_files != 0 && store->files >= store->most_files)
        return store_refuse(store, item, "more files than --max-files allows");
    if (errno == ELOOP || errno == ENOTDIR)
        return store_refuse(store, item, "a link or a file is in the place of its folder");
    return store_fail(store, item);
}

/* ---- Folders ---- */

static struct store_folder *
remember_folder(struct store *store, const char *name, int made, mode_t mode)
{
    size_t size = strlen(name) + 1;

    for (struct store_folder *at = store->folders; at != NULL; at = at->next)
        if (strcmp(at->name, name) == 0)
            return at; /* offered again before it was done */
    struct store_folder *folder = malloc(sizeof *folder + size);

    if (folder == NULL)
        return NULL;
    folder->made = made;
    folder->mode = mode;
    memcpy(folder->name, name, size);
    folder->next = store->folders;
    store->folders = folder;
    return folder;
}

/** A folder that is there: the transfer's own from before, or the user's. Returns 0, or -1. */
static int
use_folder(struct store *store, struct store_item *item, int fd)
{
    struct stat status, marker;
    mode_t lifted = 0;

    if (fstat(fd, &status) != 0)
        return store_fail(store, item);
    int made = fstatat(fd, STORE_PART, &marker, AT_SYMLINK_NOFOLLOW) == 0 && part_is_ours(&marker);
    if (!made && status.st_uid == geteuid() && (status.st_mode & 0300) != 0300 &&
        fchmod(fd, (status.st_mode & 07777) | 0700) == 0)
        lifted = status.st_mode & 07777;
    return remember_folder(store, item->name, made, lifted) != NULL ? 0 : store_fail(store, item);
}

enum store_answer
folder_offer(struct store *store, struct store_item *item)
{
    const char *base;

    if (store->dry)
        return STORE_IS_SAME;
    int parent = folder_of(store, item, &base), result = -1;

    if (parent < 0)
        return STORE_REFUSED;
    int made = mkdirat(parent, base, 0700) == 0;
    int fd = made || errno == EEXIST ? openat(parent, base, FOLDER_FLAGS) : -1;
    if (fd < 0) {
        if (errno == ENOTDIR || errno == ELOOP)
            store_refuse(store, item, "a file or link is there already");
        else
            store_fail(store, item);
        return STORE_REFUSED;
    }
    if (made) {
        int marker =
            openat(fd, STORE_PART, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (marker >= 0)
            close(marker);
        result = remember_folder(store, item->name, 1, 0) != NULL ? 0 : store_fail(store, item);
    } else {
        result = use_folder(store, item, fd);
    }
    cache_folder(store, item->name, strlen(item->name), fd);
    return result == 0 ? STORE_IS_SAME : STORE_REFUSED;
}

/** Take a folder out of the list. Returns it, to be released; NULL: it was never offered. */
static struct store_folder *
forget_folder(struct store *store, const char *name)
{
    for (struct store_folder **at = &store->folders; *at != NULL; at = &(*at)->next)
        if (strcmp((*at)->name, name) == 0) {
            struct store_folder *found = *at;
            *at = found->next;
            return found;
        }
    return NULL;
}

int
folder_done(struct store *store, struct store_item *item)
{
    struct store_folder *folder = forget_folder(store, item->name);

    if (folder == NULL) /* or a dry run */
        return 0;       /* it was refused, and that was reported */
    int fd = open_path(store, item->name, strlen(item->name));
    if (fd < 0) {
        free(folder);
        return store_fail(store, item);
    }
    if (folder->made)
        (void)unlinkat(fd, STORE_PART, 0);
    if (folder->made || store->force)
        store_dress(store, item, fd);
    else if (folder->mode != 0)
        (void)fchmod(fd, folder->mode);
    free(folder);
    return 0;
}

void
folders_restore(struct store *store)
{
    while (store->folders != NULL) {
        struct store_folder *folder = store->folders;
        int fd = folder->mode != 0 ? open_path(store, folder->name, strlen(folder->name)) : -1;
        if (fd >= 0)
            (void)fchmod(fd, folder->mode);
        store->folders = folder->next;
        free(folder);
    }
}

/* ---- Links ---- */

/** 1 when a link is there that points to the item's target. */
static int
is_same_link(int folder, const char *base, const char *target)
{
    char there[TRANSFER_LINK_MOST + 1];
    ssize_t size = readlinkat(folder, base, there, sizeof there);

    return size > 0 && (size_t)size == strlen(target) &&
           memcmp(there, target, (size_t)size) == 0; /* public: names */
}

enum store_answer
link_offer(struct store *store, struct store_item *item)
{
    char part[NAME_MAX + 1];
    const char *base;
    struct stat status;
    const struct timespec times[2] = {
        {.tv_nsec = UTIME_NOW},
        {.tv_sec = (time_t)item->seconds, .tv_nsec = (long)item->nanoseconds}};
    if (store->dry)
        return STORE_IS_SAME;
    int folder = folder_of(store, item, &base);
    if (folder < 0)
        return STORE_REFUSED;
    if (is_same_link(folder, base, item->target))
        return STORE_IS_SAME;
    int found = fstatat(folder, base, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (found && (!store->force || S_ISDIR(status.st_mode))) {
        store_refuse(store, item, "is there already, and is not this link%s",
                     S_ISDIR(status.st_mode) ? "" : "; recv --force replaces it");
        return STORE_REFUSED;
    }
    part_name(part, base);
    const char *first = found ? part : base;
    if (found)
        (void)unlinkat(folder, part, 0);
    if (symlinkat(item->target, folder, first) != 0 ||
        (found && renameat(folder, part, folder, base) != 0)) {
        if (errno == EPERM || errno == ENOSYS || errno == ENOTSUP)
            store_refuse(store, item,
                         "this file system has no links; send -L sends what they "
                         "point to");
        else
            store_fail(store, item);
        return STORE_REFUSED;
    }
    if (store->owner && (item->flags & OFFER_OWNED) != 0) {
        uid_t owner;
        gid_t group;
        store_owner(item, &owner, &group);
        if (fchownat(folder, base, owner, group, AT_SYMLINK_NOFOLLOW) != 0)
            store_lacks(store, STEP_OWNER, item);
    }
    (void)utimensat(folder, base, times, AT_SYMLINK_NOFOLLOW);
    return STORE_IS_SAME;
}

int
hard_link_done(struct store *store, struct store_item *item)
{
    char component[NAME_MAX + 1];
    const char *base, *slash = strrchr(item->target, '/');

    if (store->dry)
        return 0;
    struct stat there, status;
    size_t size = slash != NULL ? (size_t)(slash - item->target) : 0;
    int from = open_path(store, item->target, size);

    memcpy(component, slash != NULL ? slash + 1 : item->target,
           strlen(slash != NULL ? slash + 1 : item->target) + 1);
    from = from >= 0 ? fcntl(from, F_DUPFD_CLOEXEC, 0) : -1;
    if (from < 0)
        return store_fail(store, item);
    int to = folder_of(store, item, &base), result = -1;
    if (to < 0) {
        close(from);
        return -1;
    }
    int found = fstatat(to, base, &there, AT_SYMLINK_NOFOLLOW) == 0;
    int same = fstatat(from, component, &status, AT_SYMLINK_NOFOLLOW) == 0;
    int equal = same && is_equal_file(item, &status);
    same = same && found && there.st_ino == status.st_ino && there.st_dev == status.st_dev;
    /* Another file is there, the first one was refused or kept under another name (then its name
     * stands for a file that was here before), or the file system has no hard links. */
    if (equal && (same || (!found && linkat(from, component, to, base, 0) == 0)))
        result = 0;
    else
        result = STORE_AS_FILE;
    close(from);
    return result;
}
