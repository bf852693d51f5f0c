/*
 * The limit of connections for each source (see source_limit.h): which source an address is of.
 */
#include "source_limit.h"

#include "network.h"

#include <stdint.h>
#include <string.h>

_Static_assert((int)NETWORK_ADDRESS == (int)TALLY_KEY, "a source is a key");

/** The source of an address. Returns 0, or -1: it is not counted. */
static int
source_of(uint8_t source[TALLY_KEY], const struct sockaddr *from)
{
    if (network_address(source, from) != 0)
        return -1;
    if (!network_is_v4(source))
        memset(source + TALLY_KEY / 2, 0, TALLY_KEY / 2);
    return 0;
}

int
source_limit_take(struct source_limit *limit, const struct sockaddr *from, unsigned most)
{
    uint8_t source[TALLY_KEY];

    return source_of(source, from) == 0 ? tally_take(&limit->sources, source, most) : 0;
}

unsigned
source_limit_count(const struct source_limit *limit, const struct sockaddr *from)
{
    uint8_t source[TALLY_KEY];

    return source_of(source, from) == 0 ? tally_count(&limit->sources, source) : 0;
}

void
source_limit_give(struct source_limit *limit, const struct sockaddr *from)
{
    uint8_t source[TALLY_KEY];

    if (source_of(source, from) == 0)
        tally_give(&limit->sources, source);
}

void
source_limit_free(struct source_limit *limit)
{
    tally_free(&limit->sources);
}
