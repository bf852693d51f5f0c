/*
 * Refresh (DH ratchet) by policy: after so many bytes, and after so much time, a channel asks for
 * one by itself (docs/protocol.md §5; DUET_SET_REFRESH_BYTES, DUET_SET_REFRESH_SECONDS).
 *
 * Each refresh, by whichever end, begins the count anew. Both ends may ask at once: the protocol
 * lets one of the two stand.
 */
#include "channel/channel.h"

#include <duet/secret.h>

/** Bytes of payload so far, of both directions. */
static uint64_t
payload_of(const struct duet_session *s)
{
    return s->tx_bytes + s->rx_bytes;
}

/** Count from now. */
static void
begin_count(duet_channel *channel)
{
    const duet_session *s = channel->session;
    const duet_config *config = s->config;
    uint64_t so_far = payload_of(s);

    channel->refresh_bytes = UINT64_MAX;
    if (config->refresh_bytes > 0 && config->refresh_bytes < UINT64_MAX - so_far)
        channel->refresh_bytes = so_far + config->refresh_bytes;
    channel->refresh_ms = UINT64_MAX;
    if (config->refresh_seconds > 0)
        channel->refresh_ms = duet__os_coarse_ms() + config->refresh_seconds * (uint64_t)1000;
    channel->refreshes = s->refreshes;
    channel->refresh_timed = 1;
}

/* A preset session may run one way only, into a file: nobody would answer there. */
void
duet__refresh_if_due(duet_channel *channel)
{
    const duet_session *s = channel->session;
    uint8_t random[DUET_FRESH_SIZE];

    if (!s->ready || (s->preset && !s->config->refresh_set))
        return;
    if (!channel->refresh_timed || channel->refreshes != s->refreshes)
        begin_count(channel);
    if (payload_of(s) < channel->refresh_bytes &&
        (channel->refresh_ms == UINT64_MAX || duet__os_coarse_ms() < channel->refresh_ms))
        return;
    if (!duet__session_may_refresh(s) || duet__os_random(random, sizeof random) != 0)
        return;
    (void)duet__channel_check(channel, duet_session_refresh(channel->session, random));
    duet_wipe(random, sizeof random);
}
