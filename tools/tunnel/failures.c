/*
 * What failed lately (see failures.h), in a small table in which the oldest makes room.
 */
#include "failures.h"

#include <string.h>
uint64_t
failures_hash(uint64_t seed, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint64_t hash = seed ^ UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/** Its entry; or else the one that ends first. */
static struct failure *
find_entry(struct failures *failures, uint64_t hash)
{
    struct failure *oldest = &failures->entries[0];

    for (size_t i = 0; i < FAILURES_MOST; i++) {
        struct failure *entry = &failures->entries[i];
        if (entry->hash == hash && entry->end_ms != 0)
            return entry;
        if (entry->end_ms < oldest->end_ms)
            oldest = entry;
    }
    return oldest;
}

void
failures_add(struct failures *failures, uint64_t hash, uint64_t now_ms)
{
    *find_entry(failures, hash) = (struct failure){hash, now_ms + FAILURES_MS};
}

void
failures_forget(struct failures *failures, uint64_t hash)
{
    struct failure *entry = find_entry(failures, hash);

    if (entry->hash == hash)
        entry->end_ms = 0;
}

int
failures_has(const struct failures *failures, uint64_t hash, uint64_t now_ms)
{
    for (size_t i = 0; i < FAILURES_MOST; i++)
        if (failures->entries[i].hash == hash && failures->entries[i].end_ms > now_ms)
            return 1;
    return 0;
}

uint64_t
failures_target(const char *tunnel, const char *address)
{
    return failures_hash(failures_hash(0, tunnel, strlen(tunnel)), address, strlen(address));
}
