/*
 * Connections by source (see source_limit.h): a hash table with open addressing, keyed by a random
 * number, so that nobody outside can choose addresses that meet in one place.
 */
#include "source_limit.h"

#include "network.h"
#include "os/os.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 64 }; /* entries, a power of two */

struct entry {
    uint64_t high, low; /* the address */
    unsigned count;     /* 0: free */
};

struct sources {
    struct entry *table;
    size_t size, used; /* size: a power of two, never more than half used */
    uint64_t key[2];
};

struct sources *
sources_new(void)
{
    struct sources *sources = calloc(1, sizeof *sources);

    if (sources == NULL)
        return NULL;
    sources->size = FIRST_SIZE;
    sources->table = calloc(FIRST_SIZE, sizeof *sources->table);
    if (sources->table == NULL ||
        duet__os_random((uint8_t *)sources->key, sizeof sources->key) != 0) {
        sources_free(sources);
        return NULL;
    }
    return sources;
}

void
sources_free(struct sources *sources)
{
    if (sources != NULL)
        free(sources->table);
    free(sources);
}

/** The source of an address. Returns 0, or -1: it is not counted. */
static int
source_of(struct entry *out, const struct sockaddr_storage *from)
{
    uint8_t address[NETWORK_ADDRESS];

    memset(out, 0, sizeof *out);
    if (network_address(address, from) != 0)
        return -1;
    memcpy(&out->high, address, 8);
    if (network_is_v4(address))
        memcpy(&out->low, address + 8, 8);
    return 0;
}

static uint64_t
mix(uint64_t x)
{
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
    return x ^ x >> 32;
}

static size_t
home_of(const struct sources *sources, const struct entry *entry)
{
    uint64_t x = mix(entry->high ^ sources->key[0]);

    return (size_t)mix(x ^ entry->low ^ sources->key[1]) & (sources->size - 1);
}

/** The entry of a source, or the free one where it would be. */
static struct entry *
find(struct sources *sources, const struct entry *source)
{
    size_t at = home_of(sources, source);

    while (sources->table[at].count != 0 &&
           (sources->table[at].high != source->high || sources->table[at].low != source->low))
        at = (at + 1) & (sources->size - 1);
    return &sources->table[at];
}

/** Make room for one more. Returns 0, or -1. */
static int
grow(struct sources *sources)
{
    struct entry *old = sources->table;
    size_t size = sources->size;

    if (2 * (sources->used + 1) <= size)
        return 0;
    struct entry *table = calloc(2 * size, sizeof *table);
    if (table == NULL)
        return -1;
    sources->table = table;
    sources->size = 2 * size;
    for (size_t i = 0; i < size; i++)
        if (old[i].count != 0)
            *find(sources, &old[i]) = old[i];
    free(old);
    return 0;
}

int
sources_take(struct sources *sources, const struct sockaddr_storage *from, unsigned most)
{
    struct entry source;

    if (source_of(&source, from) != 0)
        return 0;
    struct entry *entry = find(sources, &source);
    if (most != 0 && entry->count >= most)
        return -1;
    if (entry->count == 0) {
        if (grow(sources) != 0)
            return -1;
        entry = find(sources, &source);
        *entry = source;
        sources->used++;
    }
    entry->count++;
    return 0;
}

/** Free an entry, and move those behind it that it stood in the way of. */
static void
release(struct sources *sources, size_t hole)
{
    size_t mask = sources->size - 1;

    sources->used--;
    sources->table[hole].count = 0;
    for (size_t at = (hole + 1) & mask; sources->table[at].count != 0; at = (at + 1) & mask) {
        size_t home = home_of(sources, &sources->table[at]);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue; /* its home lies behind the hole */
        sources->table[hole] = sources->table[at];
        sources->table[at].count = 0;
        hole = at;
    }
}

void
sources_give(struct sources *sources, const struct sockaddr_storage *from)
{
    struct entry source;

    if (source_of(&source, from) != 0)
        return;
    struct entry *entry = find(sources, &source);
    if (entry->count > 1)
        entry->count--;
    else if (entry->count == 1)
        release(sources, (size_t)(entry - sources->table));
}
