/*
 * Files that a configuration includes: found by a pattern, in the order of their names.
 */
#ifndef DUET_TUNNEL_INCLUDE_H
#define DUET_TUNNEL_INCLUDE_H

#include "option_table.h"
#include "strlist.h"

enum {
    INCLUDE_DEPTH = 8,  /* files that include each other, below the first */
    INCLUDE_FILES = 256 /* that one configuration has in all */
};

/** Put the files that value names at the end of the list, by the order of their bytes. folder:
 * where a relative one begins, with a final slash or "". A pattern may match none; a name without
 * wildcards is taken as it is. Returns 0, or -1 with a reason. */
int include_find(struct strlist *found, const char *folder, const char *value,
                 char why[OPTION_WHY]);

/** Are these two paths of one file? */
int include_same(const char *a, const char *b);

#endif
