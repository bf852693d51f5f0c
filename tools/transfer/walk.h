/*
 * A walk over a file, or over a folder and all that is below it.
 */
#ifndef DUET_WALK_H
#define DUET_WALK_H

#include <sys/stat.h>

enum walk_kind {
    WALK_FOLDER,      /**< before what is in it */
    WALK_FOLDER_DONE, /**< after that */
    WALK_FILE,
    WALK_LINK,  /**< a symbolic link, which is not followed below the first path */
    WALK_OTHER, /**< a device, a socket, a pipe */
    WALK_FAILED /**< it cannot be read; a folder was reported as WALK_FOLDER before */
};

struct walk_entry {
    enum walk_kind kind;
    const char *path;   /* the path that the walk was given, and the names below it */
    int depth;          /* 0: that path itself */
    int error;          /* errno; WALK_FAILED alone */
    struct stat status; /* not for WALK_FAILED */
};

/** Called for each entry. Returns 0 to go on; anything else ends the walk. */
typedef int walk_visit(void *context, const struct walk_entry *entry);

/** Walk over path. Returns what visit returned last; -1: out of memory. */
int walk_tree(const char *path, walk_visit *visit, void *context);

#endif
