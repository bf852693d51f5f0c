/*
 * The limit of connections for each source (see source_limit.h), in the balanced tree of
 * tsearch(3): no choice of addresses makes it slow.
 */
#include "source_limit.h"

#include "network.h"

#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct source {
    uint8_t address[NETWORK_ADDRESS];
    unsigned count;
};

static int
compare_sources(const void *a, const void *b)
{
    return memcmp(a, b, NETWORK_ADDRESS); /* public: addresses */
}

/** The source of an address. Returns 0, or -1: it is not counted. */
static int
source_of(struct source *out, const struct sockaddr_storage *from)
{
    memset(out, 0, sizeof *out);
    if (network_address(out->address, from) != 0)
        return -1;
    if (!network_is_v4(out->address))
        memset(out->address + NETWORK_ADDRESS / 2, 0, NETWORK_ADDRESS / 2);
    return 0;
}

static void
source_forget(struct source_limit *limit, struct source *source)
{
    tdelete(source, &limit->tree, compare_sources);
    free(source);
}

int
source_limit_take(struct source_limit *limit, const struct sockaddr_storage *from, unsigned most)
{
    struct source key;

    if (source_of(&key, from) != 0)
        return 0;
    struct source **at = tfind(&key, &limit->tree, compare_sources);
    if (at != NULL && most != 0 && (*at)->count >= most)
        return -1;
    if (at == NULL) {
        struct source *source = malloc(sizeof *source);
        if (source != NULL)
            *source = key;
        at = source != NULL ? tsearch(source, &limit->tree, compare_sources) : NULL;
        if (at == NULL) {
            free(source);
            return -1;
        }
    }
    (*at)->count++;
    return 0;
}

unsigned
source_limit_count(const struct source_limit *limit, const struct sockaddr_storage *from)
{
    struct source key;

    if (source_of(&key, from) != 0)
        return 0;
    struct source **at = tfind(&key, &limit->tree, compare_sources);
    return at != NULL ? (*at)->count : 0;
}

void
source_limit_give(struct source_limit *limit, const struct sockaddr_storage *from)
{
    struct source key;

    if (source_of(&key, from) != 0)
        return;
    struct source **at = tfind(&key, &limit->tree, compare_sources);
    if (at == NULL || --(*at)->count > 0)
        return;
    source_forget(limit, *at);
}

void
source_limit_free(struct source_limit *limit)
{
    while (limit->tree != NULL)
        source_forget(limit, *(struct source **)limit->tree); /* a node begins with its element */
}
