/*
 * What a reload means for connections that are not open yet.
 *
 * Whoever has not proven itself is judged by what holds when it does, not by what held when it
 * came. A server's peer that has sent nothing gets a channel of the new keys. One whose opening is
 * under way goes on with the old ones, and is compared with the new settings before it is heard
 * again and once more when it has proven itself. A client begins again, with the new keys and
 * targets, where its peer has not proven itself. Open connections go on as they are.
 */
#include "connection.h"

int
renewal_refuses(const struct connection *c)
{
    const struct tunnel *tunnel = c->tunnel;
    duet_info info;

    if (tunnel->retired)
        return 1;
    if (c->generation == tunnel->generation)
        return 0;
    duet_session_info(duet_channel_session(c->channel), &info);
    return !settings_admit(tunnel->settings, c->settings, &info);
}

void
renewal_adopt(struct connection *c)
{
    struct tunnel *tunnel = c->tunnel;

    tunnel->generation->holders++;
    generation_release(c->generation);
    c->generation = tunnel->generation;
    c->settings = tunnel->settings;
}

/** Its channel is gone: the next one is made under the settings of now. */
static void
adopt_keys(struct connection *c)
{
    renewal_adopt(c);
    c->generation->holders++;
    generation_release(c->keys);
    c->keys = c->generation;
}

/** A server's peer that has not proven itself. */
static void
reach_stranger(struct connection *c)
{
    int fd = c->duet->fd;

    if (c->tunnel->retired) {
        stranger_judge(c, "a reload withdrew the tunnel before it proved anything");
        return;
    }
    if (c->spoke)
        return;
    duet_channel_free(c->channel);
    c->channel = NULL;
    adopt_keys(c);
    if (duet_channel_open(&c->channel, c->settings->config, c->service->replay, DUET_BOTTOM, fd,
                          fd) != DUET_OK)
        stranger_judge(c, "no memory for a channel of the new keys");
}

/** A client's peer that was not reached yet, or has not proven itself. */
static void
begin_again(struct connection *c)
{
    connection_time(c, -1, NULL);
    dial_free(c->dial);
    c->dial = NULL;
    duet_channel_free(c->channel);
    c->channel = NULL;
    endpoint_close(c->duet, 0);
    c->duet = NULL;
    c->target = NULL;
    adopt_keys(c);
    dial_start(c);
}

/** A client's connection; one whose PROXY header has not come has nothing to be begun again. */
static void
reach_client(struct connection *c)
{
    if (c->tunnel->retired)
        connection_end(c, END_REFUSED, "a reload withdrew the tunnel before its peer was reached");
    else if (c->state == CONNECTION_HANDSHAKE)
        adopt_keys(c);
    else
        begin_again(c);
}

void
renewal_reach(struct connection *c)
{
    int is_client = c->settings->side == TUNNEL_CLIENT;

    if (c->state == CONNECTION_HANDSHAKE && !is_client)
        reach_stranger(c);
    else if (is_client && c->state <= CONNECTION_GREETING)
        reach_client(c);
}
