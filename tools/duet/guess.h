/*
 * What a word that nobody knows may have been meant for: a subcommand, an option, a setting.
 */
#ifndef DUET_TOOL_GUESS_H
#define DUET_TOOL_GUESS_H

#include <stddef.h>

struct guess {
    const char *word; /* size letters of it */
    size_t size;
    const char *best; /* of those that were tried; NULL: none is near */
    unsigned apart;   /* how far it is */
};

/** Try one that exists. */
void guess_try(struct guess *guess, const char *candidate);

/** " (did you mean …?)", with what stands before the word; "" when none is near. Static memory. */
const char *guess_text(const struct guess *guess, const char *before);

#endif
