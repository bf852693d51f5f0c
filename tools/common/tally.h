/*
 * How often each of many keys is held now, with a limit: connections for each source, or for each
 * shared secret.
 *
 * Only keys that are held take memory.
 */
#ifndef DUET_TOOL_TALLY_H
#define DUET_TOOL_TALLY_H

#include <stdint.h>

enum { TALLY_KEY = 16 }; /* bytes; shorter keys end with zeros */

/** The keys that are held. All zero at first. */
struct tally {
    void *tree; /* of tsearch(3) */
};

/** Count one. most: how often the key may be held; 0: any number. Returns 0; -1: it is held that
 * often already, or there is no memory to count it. */
int tally_take(struct tally *tally, const uint8_t key[TALLY_KEY], unsigned most);

/** Count one less, of those that tally_take() counted. */
void tally_give(struct tally *tally, const uint8_t key[TALLY_KEY]);

/** How often the key is held. */
unsigned tally_count(const struct tally *tally, const uint8_t key[TALLY_KEY]);

/** Forget all of them. */
void tally_free(struct tally *tally);

#endif
