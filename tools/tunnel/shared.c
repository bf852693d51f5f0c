/*
 * Several tunnels whose peers come in at the same addresses: the first of them accepts. Which one a
 * connection belongs to shows when its peer has authenticated, by the secret and the identity.
 *
 * Until then a connection is half-open in the first tunnel, and its source is counted apart, as the
 * limit is that of a tunnel not known yet. What tunnels that share must have in common, and the
 * configuration that opens the HELLO of any of them, are in config/shared.c.
 *
 * A peer with the secret of one and the identity of another has been answered when that shows, as
 * both are valid here. It learns no more than its own tunnels show it, and meets from then on the
 * same silence as an unauthenticated peer; the log names both.
 */
#include "connection.h"

#include <stdio.h>

/** Count its source in another place. Returns 0, or -1: there is no memory. */
static int
count_elsewhere(struct connection *c, struct tunnel *tunnel, unsigned is_undecided)
{
    struct source_limit *to = is_undecided ? &tunnel->undecided : &tunnel->sources;

    if (source_limit_take(to, &c->from.any, 0) != 0)
        return -1;
    source_limit_give(connection_sources(c), &c->from.any);
    c->is_undecided = is_undecided & 1u;
    return 0;
}

/** Put a half-open connection, whose source is counted there already, into another tunnel. */
static void
change_tunnel(struct connection *c, struct tunnel *to)
{
    connection_not_half_open(c);
    c->tunnel = to;
    connection_half_open(c);
}

/** Why no tunnel lets its peer in: which of them have its secret and its identity. */
static const char *
name_mismatch(struct connection *c)
{
    const char *of_secret = "none", *of_identity = "none";
    const struct tunnel *tunnel;
    duet_info info;

    duet_session_info(duet_channel_session(c->channel), &info);
    TAILQ_FOREACH (tunnel, &c->service->tunnels, entry) {
        const struct tunnel_settings *settings = tunnel->settings;
        if (tunnel->retired || !settings_share(c->tunnel->settings, settings))
            continue;
        if (settings_has_secret(settings, info.secret_id))
            of_secret = settings->name;
        if (info.has_peer_key && settings->facts.peers != NULL &&
            duet_key_find(settings->facts.peers, info.peer_key) != NULL)
            of_identity = settings->name;
    }
    snprintf(c->service->reason, sizeof c->service->reason,
             "its secret is of the tunnel %s, and its identity of %s", of_secret, of_identity);
    return c->service->reason;
}

const char *
shared_decide(struct connection *c, int *rejected)
{
    const char *why = NULL;

    *rejected = 0;
    if (!c->is_undecided)
        return NULL;
    struct tunnel *to = connection_find_tunnel(c);
    *rejected = to == NULL;
    if (to == NULL)
        return name_mismatch(c);
    if (source_limit_take(&to->sources, &c->from.any, to->settings->most_from_source) != 0) {
        limit_reached(to, LIMIT_SOURCE);
        why = PROXY_SOURCE_FULL;
    } else {
        source_limit_give(&to->sources, &c->from.any);
    }
    if (count_elsewhere(c, to, 0) != 0) {
        *rejected = 1;
        return "no memory to count its source";
    }
    if (to != c->tunnel) {
        change_tunnel(c, to);
        to->counters->accepted++;
    }
    return why;
}

void
shared_follow(struct connection *c)
{
    const struct settings *settings = c->service->generation->settings;
    size_t number = settings_first_sharing(settings, c->settings);
    struct tunnel *from = c->tunnel;

    if (!c->is_undecided || number == settings->tunnel_count)
        return;
    struct tunnel *to = TAILQ_FIRST(&c->service->tunnels);
    while (to != NULL && to->settings != &settings->tunnels[number])
        to = TAILQ_NEXT(to, entry);
    if (to == NULL || to == from || count_elsewhere(c, to, 1) != 0)
        return;
    change_tunnel(c, to);
    c->service->hooks->on_left(from);
}
