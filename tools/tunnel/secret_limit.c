/*
 * How many connections of a server one shared secret may have (`max-from-secret`). A secret is
 * known once its peer has authenticated, so that nobody else can use up what it may have.
 */
#include "connection.h"

#include <string.h>

_Static_assert((int)DUET_SECRET_ID_SIZE <= (int)TALLY_KEY, "an id is a key");

static void
key_of(uint8_t key[TALLY_KEY], const struct connection *c)
{
    memset(key, 0, TALLY_KEY);
    memcpy(key, c->secret, sizeof c->secret);
}

int
secret_limit_take(struct connection *c)
{
    uint8_t key[TALLY_KEY];
    duet_info info;

    duet_session_info(duet_channel_session(c->channel), &info);
    memcpy(c->secret, info.secret_id, sizeof c->secret);
    key_of(key, c);
    if (tally_take(&c->tunnel->secrets, key, c->settings->most_from_secret) != 0)
        return -1;
    c->has_secret = 1;
    return 0;
}

void
secret_limit_give(struct connection *c)
{
    uint8_t key[TALLY_KEY];

    if (!c->has_secret)
        return;
    c->has_secret = 0;
    key_of(key, c);
    tally_give(&c->tunnel->secrets, key);
}
