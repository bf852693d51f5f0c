/*
 * Walks over a folder and all that is below it (see walk.h), as fts(3) does, which musl lacks.
 *
 * A folder is read whole before its entries are visited, so that one descriptor is open at a time
 * however deep the tree is. The order is that of the file system. What changes meanwhile is
 * reported as it is found; the visitor opens files itself and checks them again.
 */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    walk_visit *visit;
    void *context;
};

static int
is_no_dot(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/** Find out the entry's kind and status. A link that the user named (depth 0) is followed. */
static void
walk_look(struct walk_entry *entry)
{
    int result = entry->depth == 0 ? stat(entry->path, &entry->status) : -1;

    if (result != 0)
        result = lstat(entry->path, &entry->status);
    if (result != 0) {
        entry->kind = WALK_FAILED;
        entry->error = errno;
    } else if (S_ISDIR(entry->status.st_mode)) {
        entry->kind = WALK_FOLDER;
    } else if (S_ISREG(entry->status.st_mode)) {
        entry->kind = WALK_FILE;
    } else if (S_ISLNK(entry->status.st_mode)) {
        entry->kind = WALK_LINK;
    } else {
        entry->kind = WALK_OTHER;
    }
}

/** Visit a path and all below it: calls itself for each name in a folder. */
static int
walk_below(const struct walk *walk, const char *path, int depth)
{
    struct walk_entry entry = {.path = path, .depth = depth};
    struct dirent **names = NULL;
    size_t size = strlen(path);

    walk_look(&entry);
    int result = walk->visit(walk->context, &entry);
    if (result != 0 || entry.kind != WALK_FOLDER)
        return result;
    int count = scandir(path, &names, is_no_dot, NULL);
    entry.kind = count < 0 ? WALK_FAILED : WALK_FOLDER_DONE;
    entry.error = errno;
    for (int i = 0; i < count; i++) {
        size_t cap = size + 1 + strlen(names[i]->d_name) + 1;
        char *below = result == 0 ? malloc(cap) : NULL;
        if (below != NULL) {
            snprintf(below, cap, "%s/%s", strcmp(path, "/") == 0 ? "" : path, names[i]->d_name);
            result = walk_below(walk, below, depth + 1);
        } else if (result == 0) {
            result = -1;
        }
        free(below);
        free(names[i]);
    }
    free(names);
    return result == 0 ? walk->visit(walk->context, &entry) : result;
}

int
walk_tree(const char *path, walk_visit *visit, void *context)
{
    const struct walk walk = {.visit = visit, .context = context};

    return walk_below(&walk, path, 0);
}
