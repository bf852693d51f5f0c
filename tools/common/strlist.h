/*
 * A list of texts that grows: what an option or a setting that may be repeated was given.
 */
#ifndef DUET_TOOL_STRLIST_H
#define DUET_TOOL_STRLIST_H

#include <stddef.h>

struct strlist {
    char **at; /* owned, each text too */
    size_t count;
};

/** Put a copy of text at the end. Returns 0, or -1 without memory. */
int strlist_add(struct strlist *words, const char *text);

/** Release all of it; the list is empty then. */
void strlist_free(struct strlist *words);

#endif
