/*
 * Public calls that reach the channel's session: describing it, and asking for a PING, a rekey or a
 * refresh with randomness of the channel's own (docs/protocol.md §1, §3, §5).
 *
 * A request makes a frame pending and writes nothing: the next call that sends, receives or flushes
 * does, because only those know how long they may wait.
 */
#include "channel/channel.h"

#include <duet/secret.h>

void
duet_channel_info_sized(const duet_channel *channel, duet_info *info, size_t size)
{
    duet_session_info_sized(channel->session, info, size);
}

int
duet_channel_export(const duet_channel *channel, uint8_t *out, size_t n, const uint8_t *label,
                    size_t label_size)
{
    if (channel->result != DUET_OK)
        return channel->result;
    return duet_session_export(channel->session, out, n, label, label_size);
}

int
duet_channel_rekey(duet_channel *channel)
{
    if (!duet__channel_usable(channel))
        return channel->result;
    return duet__channel_check(channel, duet_session_rekey(channel->session));
}

/** Ask for a frame that needs size random bytes. */
static int
ask_with_random(duet_channel *channel, size_t size, int (*ask)(duet_session *, const uint8_t *))
{
    uint8_t random[DUET_FRESH_SIZE];

    if (!duet__channel_usable(channel))
        return channel->result;
    if (duet__os_random(random, size) != 0)
        return duet__channel_fail(channel, DUET_E_IO, "no randomness", 0);
    int result = ask(channel->session, random);
    duet_wipe(random, sizeof random);
    return duet__channel_check(channel, result);
}

int
duet_channel_ping(duet_channel *channel)
{
    return ask_with_random(channel, DUET_PING_SIZE, duet_session_ping);
}

int
duet_channel_refresh(duet_channel *channel)
{
    return ask_with_random(channel, DUET_FRESH_SIZE, duet_session_refresh);
}
