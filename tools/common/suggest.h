/*
 * Suggestions for an unknown word: the subcommand, option or setting that it may be misspelt for.
 */
#ifndef DUET_TOOL_SUGGEST_H
#define DUET_TOOL_SUGGEST_H

#include <stddef.h>

struct suggestion {
    const char *word; /* size letters of it */
    size_t size;
    const char *best; /* of those that were tried; NULL: none is near */
    unsigned apart;   /* how far it is */
};

/** Try one that exists. */
void suggest_try(struct suggestion *guess, const char *candidate);

/** " (did you mean …?)", with what stands before the word; "" when none is near. Static memory. */
const char *suggest_text(const struct suggestion *guess, const char *before);

#endif
