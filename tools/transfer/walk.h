/*
 * A walk over a file, or over a folder and all that is below it, by descriptors: a name is looked
 * up in the folder that was opened, never by a path, so that a folder that is swapped for a link
 * leads nowhere else.
 */
#ifndef DUET_WALK_H
#define DUET_WALK_H

#include <sys/stat.h>

enum walk_kind {
    WALK_FOLDER,      /**< before what is in it */
    WALK_FOLDER_DONE, /**< after that */
    WALK_FILE,
    WALK_LINK,   /**< a symbolic link that is not followed; target is what it points to */
    WALK_STREAM, /**< a pipe, a terminal or another device that the user named: fd reads it */
    WALK_OTHER,  /**< below a folder: a device, a socket, a pipe */
    WALK_FAILED  /**< it cannot be read; a folder was reported as WALK_FOLDER before */
};

struct walk_entry {
    enum walk_kind kind;
    const char *path;   /**< the path that the walk was given, and the names below it */
    const char *below;  /**< its part below that path, "" for that path itself; no leading slash */
    const char *target; /**< WALK_LINK */
    int fd;             /**< WALK_FILE and WALK_STREAM, where the walk opens files: the visitor's to
                           close. WALK_FOLDER_DONE: the walk's. Else -1 */
    int error;          /**< errno; WALK_FAILED alone */
    struct stat status; /**< of what fd reads; not for WALK_FAILED */
};

struct walk {
    int follow; /**< 1: links are followed everywhere, not only the path that is given */
    int opens;  /**< 1: files are opened for the visitor */
    /** 1: leave this out, and all below it. NULL: nothing is left out. below: as in walk_entry. */
    int (*omit)(void *context, const char *below, int is_folder);
    /** Called for each entry. Returns 0 to go on; anything else ends the walk. */
    int (*visit)(void *context, const struct walk_entry *entry);
    void *context;
};

/** Walk over path. Returns what visit returned last; -1: out of memory. */
int walk_tree(const struct walk *walk, const char *path);

#endif
