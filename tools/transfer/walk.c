/*
 * Walks over a folder and all that is below it (see walk.h). The order is that of the names, so
 * that two walks over the same tree meet the same entries.
 *
 * A folder is read whole before its entries are visited. A descriptor is open for each folder on
 * the way down. What changes meanwhile is reported as it is found.
 */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOP_DEPTH = 2048 }; /* folders within folders; links that are followed may never end */

/** A folder on the way down, for finding loops of links. */
struct walk_level {
    const struct walk_level *above;
    dev_t dev;
    ino_t ino;
    int depth;
};

/** The names in a folder. */
struct walk_names {
    char **at;
    size_t count, room;
};

static void
names_free(struct walk_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->at[i]);
    free(names->at);
}

static int
names_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/** Add a name. Returns 0, or -1: out of memory. */
static int
names_add(struct walk_names *names, const char *name)
{
    if (names->count == names->room) {
        size_t room = names->room == 0 ? 64 : 2 * names->room;
        char **more = realloc(names->at, room * sizeof *more);
        if (more == NULL)
            return -1;
        names->at = more;
        names->room = room;
    }
    names->at[names->count] = strdup(name);
    return names->at[names->count++] == NULL ? -1 : 0;
}

/** Read the names in a folder, in order. Returns 0, or -1 with errno. */
static int
names_read(struct walk_names *names, int folder)
{
    int copy = fcntl(folder, F_DUPFD_CLOEXEC, 0);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;
    int bad = stream == NULL;

    errno = bad ? errno : 0;
    while (!bad && (entry = readdir(stream)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            bad = names_add(names, entry->d_name);
    int error = errno;
    if (stream != NULL)
        closedir(stream);
    else if (copy >= 0)
        close(copy);
    if (names->count > 1)
        qsort(names->at, names->count, sizeof *names->at, names_order);
    errno = error;
    return bad || error != 0 ? -1 : 0;
}

static void
walk_failed(struct walk_entry *entry, int error)
{
    entry->kind = WALK_FAILED;
    entry->error = error;
}

/** Open a file, or what the user named in place of one. */
static void
walk_open(const struct walk *walk, struct walk_entry *entry, int folder, const char *name,
          int flags)
{
    struct stat status;

    if (!walk->opens)
        return;
    if (entry->kind == WALK_FILE)
        flags |= O_NONBLOCK; /* it may have become a pipe that nobody writes to */
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | flags);
    if (fd < 0 || fstat(fd, &status) != 0 ||
        S_ISREG(status.st_mode) != S_ISREG(entry->status.st_mode)) {
        walk_failed(entry, fd < 0 ? errno : ESTALE);
        if (fd >= 0)
            close(fd);
        return;
    }
    entry->status = status;
    entry->fd = fd;
}

/** Find out what a name in a folder is. top 1: the user named it. */
static void
walk_look(const struct walk *walk, struct walk_entry *entry, int folder, const char *name, int top)
{
    static char target[PATH_MAX];
    int follow = top || walk->follow;

    entry->fd = -1;
    entry->target = NULL;
    if (!(follow && fstatat(folder, name, &entry->status, 0) == 0) &&
        fstatat(folder, name, &entry->status, AT_SYMLINK_NOFOLLOW) != 0) {
        walk_failed(entry, errno);
    } else if (S_ISDIR(entry->status.st_mode)) {
        entry->kind = WALK_FOLDER;
    } else if (S_ISREG(entry->status.st_mode)) {
        entry->kind = WALK_FILE;
        walk_open(walk, entry, folder, name, follow ? 0 : O_NOFOLLOW);
    } else if (S_ISLNK(entry->status.st_mode)) {
        ssize_t size = readlinkat(folder, name, target, sizeof target - 1);
        entry->kind = WALK_LINK;
        entry->target = target;
        if (size <= 0)
            walk_failed(entry, errno);
        else
            target[size] = 0;
    } else if (top && !S_ISSOCK(entry->status.st_mode) && !S_ISBLK(entry->status.st_mode)) {
        entry->kind = WALK_STREAM;
        walk_open(walk, entry, folder, name, 0);
    } else {
        entry->kind = WALK_OTHER;
    }
}

/** 1 when a folder is one of those above it: a link leads back up. */
static int
is_loop(const struct walk_level *level)
{
    if (level->depth > LOOP_DEPTH)
        return 1;
    for (const struct walk_level *at = level->above; at != NULL; at = at->above)
        if (at->dev == level->dev && at->ino == level->ino)
            return 1;
    return 0;
}

static int walk_name(const struct walk *walk, int folder, const char *name, const char *path,
                     const char *below, const struct walk_level *above);

/** Visit one name of a folder. */
static int
walk_into(const struct walk *walk, int folder, const char *name, const char *path,
          const char *below, const struct walk_level *level)
{
    size_t cap = strlen(path) + 1 + strlen(name) + 1;
    size_t start = (size_t)(below - path);
    char *longer = malloc(cap);

    if (longer == NULL)
        return -1;
    snprintf(longer, cap, "%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/", name);
    /* `below` begins at the same place, or, for the first level, after the slash */
    size_t at = *below != 0 ? start : strlen(longer) - strlen(name);
    int result = walk_name(walk, folder, name, longer, longer + at, level);
    free(longer);
    return result;
}

/** Open a folder and read its names. Returns its descriptor; -1 with errno. */
static int
walk_open_folder(const struct walk *walk, int parent, const char *name, struct walk_level *level,
                 struct walk_names *names)
{
    struct stat status;
    int nofollow = level->above != NULL && !walk->follow ? O_NOFOLLOW : 0;
    int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | nofollow);
    int bad = folder < 0 || fstat(folder, &status) != 0;

    if (!bad) {
        level->dev = status.st_dev;
        level->ino = status.st_ino;
        errno = ELOOP;
        bad = is_loop(level) || names_read(names, folder) != 0;
    }
    if (!bad)
        return folder;
    int error = errno;
    if (folder >= 0)
        close(folder);
    errno = error;
    return -1;
}

/** Visit the content of a folder, and then the folder once more. entry: the folder's. */
static int
walk_folder(const struct walk *walk, int parent, const char *name, struct walk_entry *entry,
            const struct walk_level *above)
{
    struct walk_level level = {.above = above, .depth = above != NULL ? above->depth + 1 : 0};
    struct walk_names names = {NULL, 0, 0};
    int result = 0, error = 0;
    int folder = walk_open_folder(walk, parent, name, &level, &names);

    if (folder < 0)
        error = errno;
    for (size_t i = 0; i < names.count && result == 0; i++)
        result = walk_into(walk, folder, names.at[i], entry->path, entry->below, &level);
    names_free(&names);
    entry->kind = WALK_FOLDER_DONE;
    entry->fd = folder;
    if (error != 0)
        walk_failed(entry, error);
    if (result == 0)
        result = walk->visit(walk->context, entry);
    if (folder >= 0)
        close(folder);
    return result;
}

static int
walk_name(const struct walk *walk, int folder, const char *name, const char *path,
          const char *below, const struct walk_level *above)
{
    struct walk_entry entry = {.path = path, .below = below};

    walk_look(walk, &entry, folder, name, above == NULL);
    if (above != NULL && walk->omit != NULL &&
        walk->omit(walk->context, below, entry.kind == WALK_FOLDER)) {
        if (entry.fd >= 0)
            close(entry.fd);
        return 0;
    }
    int result = walk->visit(walk->context, &entry);
    if (result != 0 || entry.kind != WALK_FOLDER)
        return result;
    return walk_folder(walk, folder, name, &entry, above);
}

int
walk_tree(const struct walk *walk, const char *path)
{
    return walk_name(walk, AT_FDCWD, path, path, path + strlen(path), NULL);
}
