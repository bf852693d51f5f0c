/*
 * How often each of many keys is held (see tally.h), in the balanced tree of tsearch(3): no choice
 * of keys makes it slow.
 */
#include "tally.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct tally_entry {
    uint8_t key[TALLY_KEY]; /* first: what is looked for is a key alone */
    unsigned count;
};

static int
compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, TALLY_KEY); /* public: addresses, and ids that logs show */
}

static struct tally_entry *
find_entry(const struct tally *tally, const uint8_t key[TALLY_KEY])
{
    struct tally_entry **at = tfind(key, &tally->tree, compare_keys);

    return at != NULL ? *at : NULL;
}

static struct tally_entry *
add_entry(struct tally *tally, const uint8_t key[TALLY_KEY])
{
    struct tally_entry *entry = malloc(sizeof *entry);

    if (entry == NULL)
        return NULL;
    memcpy(entry->key, key, TALLY_KEY);
    entry->count = 0;
    if (tsearch(entry, &tally->tree, compare_keys) != NULL)
        return entry;
    free(entry);
    return NULL;
}

static void
forget_entry(struct tally *tally, struct tally_entry *entry)
{
    tdelete(entry, &tally->tree, compare_keys);
    free(entry);
}

int
tally_take(struct tally *tally, const uint8_t key[TALLY_KEY], unsigned most)
{
    struct tally_entry *entry = find_entry(tally, key);

    if (entry != NULL && most != 0 && entry->count >= most)
        return -1;
    if (entry == NULL)
        entry = add_entry(tally, key);
    if (entry == NULL)
        return -1;
    entry->count++;
    return 0;
}

void
tally_give(struct tally *tally, const uint8_t key[TALLY_KEY])
{
    struct tally_entry *entry = find_entry(tally, key);

    if (entry != NULL && --entry->count == 0)
        forget_entry(tally, entry);
}

unsigned
tally_count(const struct tally *tally, const uint8_t key[TALLY_KEY])
{
    const struct tally_entry *entry = find_entry(tally, key);

    return entry != NULL ? entry->count : 0;
}

void
tally_free(struct tally *tally)
{
    while (tally->tree != NULL)
        forget_entry(tally,
                     *(struct tally_entry **)tally->tree); /* a node begins with its element */
}
