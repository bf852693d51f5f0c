/*
 * Which files of a tree are left out: --exclude, --include and --exclude-from of duet send.
 *
 * Patterns are those of gitignore: `*`, `?` and `[...]` match within one name, `**` matches any
 * number of folders, a slash at the end means folders alone, a slash elsewhere binds the pattern to
 * the top of what is sent; else it matches at any depth. The last pattern that matches decides.
 */
#ifndef DUET_TOOL_FILTER_H
#define DUET_TOOL_FILTER_H

#include "strlist.h"

struct filter {
    struct strlist patterns; /* each begins with + (include) or - (exclude) */
};

/** Add a pattern. Returns 0, or -1: out of memory. */
int filter_add(struct filter *filter, int includes, const char *pattern);

/** Add the patterns of a file, one a line; empty lines and those that begin with # are skipped, one
 * that begins with ! includes. Returns an exit code. */
int filter_add_file(struct filter *filter, const char *path);

/** 1 when a name (below the path that is sent, without a leading slash) is left out. */
int filter_omits(const struct filter *filter, const char *name, int is_folder);

void filter_free(struct filter *filter);

#endif
