/*
 * Settings checked as a whole: what is missing, what does not go together, and who may stay after a
 * reload. Files and keys are read in load.c.
 */
#include "settings.h"

#include "address.h"
#include "log.h"
#include "network.h"
#include "socket_rights.h"

#include <stdio.h>
#include <string.h>

/* bytes: workers append a number, and a socket's path ends at 107 */
enum { CONTROL_MOST = 104 };

/* ---- What goes together ---- */

static void
check_there(const struct settings *settings, const struct tunnel_settings *t, struct faults *faults)
{
    char place[512];
    const char *at = settings_place(place, t), *dashes = settings->file != NULL ? "" : "--";

    if (t->side == TUNNEL_NONE && !settings_refused(t, "side"))
        settings_fault(faults,
                       "%stunnel %s: no side; side = client accepts plaintext "
                       "connections, side = server those of duet clients",
                       at, t->name);
    if (t->listen.count == 0 && t->dial.count == 0 && !settings_refused(t, "listen") &&
        !settings_refused(t, "dial"))
        settings_fault(faults,
                       "%stunnel %s: no %slisten; give the address where it accepts connections",
                       at, t->name, dashes);
    if (t->targets.count == 0 && t->await.count == 0 && t->exec == NULL &&
        t->allow_targets.count == 0 && !settings_refused(t, "target") &&
        !settings_refused(t, "await") && !settings_refused(t, "allow-target"))
        settings_fault(faults,
                       "%stunnel %s: no %starget; give the address to which it forwards them", at,
                       t->name, dashes);
    if (t->files.keys.count == 0 && !settings_refused(t, "key"))
        settings_fault(faults,
                       "%stunnel %s: no %skey; name the shared secret's file (duet keygen "
                       "makes one)",
                       at, t->name, dashes);
}

static void
check_together(const struct settings *settings, const struct tunnel_settings *t,
               struct faults *faults)
{
    char place[512];
    const char *at = settings_place(place, t), *dashes = settings->file != NULL ? "" : "--";

    if (t->side != TUNNEL_NONE && settings_role(t) == DUET_TOP && t->files.keys.count > 1)
        settings_fault(faults,
                       "%stunnel %s: more than one %skey; only the end that listens for the other "
                       "takes several",
                       at, t->name, dashes);
    if (t->trusted.count > 0 && (t->proxy & PROXY_IN) == 0 &&
        !settings_refused(t, "proxy-protocol"))
        settings_fault(faults,
                       "%stunnel %s: %sproxy-from without %sproxy-protocol in or both; "
                       "nobody's headers would be read",
                       at, t->name, dashes, dashes);
    if (t->most_from_secret > 0 && (t->side == TUNNEL_CLIENT || t->dial.count > 0))
        settings_fault(faults,
                       "%stunnel %s: %smax-from-secret is for a server that listens; only there "
                       "peers of several secrets come in",
                       at, t->name, dashes);
    if (t->unsafe_listen && t->side == TUNNEL_SERVER)
        settings_fault(faults,
                       "%stunnel %s: %sunsafe-listen is for a client, whose listening side "
                       "is plain; a server may listen anywhere",
                       at, t->name, dashes);
    if (t->unsafe_target && t->side == TUNNEL_CLIENT)
        settings_fault(faults,
                       "%stunnel %s: %sunsafe-target is for a server, whose target is "
                       "plain; a client may dial anywhere",
                       at, t->name, dashes);
}

/** Is what it says of Unix sockets right? */
static void
check_rights(const struct settings *settings, const struct tunnel_settings *t,
             struct faults *faults)
{
    char place[512], room[256];
    struct socket_rights rights;
    const char *at = settings_place(place, t), *dashes = settings->file != NULL ? "" : "--",
               *fault = socket_rights_find(&rights, t, room);
    int is_unix = 0;

    for (size_t i = 0; i < t->listen.count; i++)
        is_unix |= strncmp(t->listen.at[i], "unix:", 5) == 0 && t->listen.at[i][5] != '@';
    if (fault != NULL)
        settings_fault(faults, "%stunnel %s: %s%s", at, t->name, dashes, fault);
    else if (!is_unix &&
             (t->socket_mode != NULL || t->socket_owner != NULL || t->socket_group != NULL))
        settings_fault(faults,
                       "%stunnel %s: %ssocket-mode, -owner and -group are for a Unix socket with a "
                       "path, and it listens on none",
                       at, t->name, dashes);
}

/** A literal address beyond this machine; a name is judged when it has been resolved. */
static int
is_far(const char *text, int passive)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct sockaddr_storage at = {0};
    struct addrinfo *list;
    struct address address;

    if (address_fault(text, passive) != NULL ||
        address_parse_any(&address, text, passive) != EXIT_DONE || address.kind != ADDRESS_TCP)
        return 0;
    if (address.host[0] == 0)
        return 1; /* any */
    if (getaddrinfo(address.host, NULL, &hints, &list) != 0)
        return 0;
    memcpy(&at, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return !network_is_loopback(&at);
}

/** A server's targets are plain: none is on another machine unless that is meant. */
static void
check_targets(const struct settings *settings, const struct tunnel_settings *t,
              struct faults *faults)
{
    char place[512];

    if (t->side != TUNNEL_SERVER || t->unsafe_target || settings_refused(t, "unsafe-target"))
        return;
    for (size_t i = 0; i < t->targets.count; i++)
        if (is_far(t->targets.at[i], 0))
            settings_fault(faults,
                           "%stunnel %s: the target %s is on another machine, and what goes there "
                           "is not encrypted; use %sunsafe-target if you mean that",
                           settings_place(place, t), t->name, printable_word(t->targets.at[i]),
                           settings->file != NULL ? "" : "--");
}

/** Does a tunnel want an address twice, or one that another has? Peers of tunnels of one side can
 * come in at the same. */
static void
check_listen(const struct settings *settings, size_t which, size_t word, struct faults *faults)
{
    const struct tunnel_settings *t = &settings->tunnels[which];
    const char *address = settings_address(t, word);
    char place[512];

    for (size_t i = 0; i <= which; i++) {
        const struct tunnel_settings *other = &settings->tunnels[i];
        for (size_t j = 0; j < settings_address_count(other); j++) {
            if (i == which && j >= word)
                return;
            if (strcmp(settings_address(other, j), address) != 0)
                continue;
            if (i == which || t->side != other->side || word < settings_first_for_peers(t) ||
                j < settings_first_for_peers(other))
                settings_fault(faults, "%stunnel %s: listens on %s, as %s does; choose another",
                               settings_place(place, t), t->name, printable_word(address),
                               other->name);
            else if (word == settings_first_for_peers(t) || !settings_share(t, other))
                settings_check_sharing(other, t, faults);
            return;
        }
    }
}

/** May a peer's address be given to a proxy? */
static int
is_for_proxies(const char *address)
{
    const char *colon = strrchr(address, ':');

    return strncmp(address, "unix:", 5) != 0 && colon != NULL && colon[1] >= '0' && colon[1] <= '9';
}

/** The settings of how a peer is dialled. */
static void
check_way(const struct settings *settings, const struct tunnel_settings *t, struct faults *faults)
{
    const struct strlist *peers = t->side == TUNNEL_SERVER ? &t->dial : &t->targets;
    char place[512];
    const char *at = settings_place(place, t), *dashes = settings->file != NULL ? "" : "--";

    if (t->exec != NULL && (t->side == TUNNEL_SERVER || t->targets.count > 0 ||
                            t->await.count > 0 || t->proxy_url != NULL))
        settings_fault(faults,
                       "%stunnel %s: %sexec is for a client, in the place of %starget, %sawait and "
                       "%sproxy",
                       at, t->name, dashes, dashes, dashes, dashes);
    if (t->health_ms >= 0 && t->side == TUNNEL_CLIENT)
        settings_fault(faults,
                       "%stunnel %s: %shealth-interval is for a server; a client's targets see a "
                       "check as a peer that does not authenticate",
                       at, t->name, dashes);
    if (t->bind != NULL && (t->side == TUNNEL_SERVER ? t->dial.count == 0 : t->await.count > 0))
        settings_fault(faults,
                       "%stunnel %s: %sbind is for an end that dials the other, and this one "
                       "waits for it",
                       at, t->name, dashes);
    if (t->proxy_url == NULL)
        return;
    if (t->side == TUNNEL_SERVER ? t->dial.count == 0 : t->await.count > 0)
        settings_fault(faults,
                       "%stunnel %s: %sproxy is for an end that dials the other, and this one "
                       "waits for it",
                       at, t->name, dashes);
    for (size_t i = 0; i < peers->count; i++)
        if (!is_for_proxies(peers->at[i]))
            settings_fault(faults,
                           "%stunnel %s: %s cannot be reached through a proxy; give HOST:PORT, the "
                           "port as a number",
                           at, t->name, printable_word(peers->at[i]));
}

/** The settings of a tunnel whose clients ask for their targets. */
static void
check_socks(const struct settings *settings, const struct tunnel_settings *t, struct faults *faults)
{
    char place[512];
    const char *at = settings_place(place, t), *dashes = settings->file != NULL ? "" : "--";

    if (t->socks && t->side == TUNNEL_SERVER)
        settings_fault(faults,
                       "%stunnel %s: %ssocks is for a client; its server has %sallow-target", at,
                       t->name, dashes, dashes);
    if (t->allow_targets.count > 0 && t->side == TUNNEL_CLIENT)
        settings_fault(faults,
                       "%stunnel %s: %sallow-target is for a server; its clients have %ssocks", at,
                       t->name, dashes, dashes);
    if (t->allow_targets.count > 0 && t->targets.count > 0)
        settings_fault(faults,
                       "%stunnel %s: %sallow-target and %starget; a server has a target, or lets "
                       "its clients ask for one, and a second tunnel can do the other",
                       at, t->name, dashes, dashes);
    if (t->allow_targets.count > 0 && t->health_ms >= 0)
        settings_fault(faults, "%stunnel %s: %shealth-interval is for %starget", at, t->name,
                       dashes, dashes);
    if ((t->socks || t->allow_targets.count > 0) && (t->proxy & PROXY_OUT))
        settings_fault(faults,
                       "%stunnel %s: %sproxy-protocol out is for one target that expects headers, "
                       "not for those that clients ask for",
                       at, t->name, dashes);
}

/** The settings of a tunnel whose server dials. */
static void
check_reverse(const struct settings *settings, const struct tunnel_settings *t,
              struct faults *faults)
{
    char place[512];
    const char *at = settings_place(place, t), *dashes = settings->file != NULL ? "" : "--";

    if (t->dial.count > 0 && t->side == TUNNEL_CLIENT)
        settings_fault(faults,
                       "%stunnel %s: %sdial is for a server; a client dials its %starget, or waits "
                       "at %sawait",
                       at, t->name, dashes, dashes, dashes);
    if (t->await.count > 0 && t->side == TUNNEL_SERVER)
        settings_fault(faults, "%stunnel %s: %sawait is for a client; a server has %slisten", at,
                       t->name, dashes, dashes);
    if (t->dial.count > 0 && t->listen.count > 0)
        settings_fault(faults,
                       "%stunnel %s: %sdial and %slisten; a server dials or listens, and a second "
                       "tunnel can do the other",
                       at, t->name, dashes, dashes);
    if (t->await.count > 0 && t->targets.count > 0)
        settings_fault(faults,
                       "%stunnel %s: %sawait and %starget; a client waits or dials, and a second "
                       "tunnel can do the other",
                       at, t->name, dashes, dashes);
    if (t->dial.count > 0 && (t->proxy & PROXY_IN))
        settings_fault(faults,
                       "%stunnel %s: %sproxy-protocol in is for what is accepted, and %sdial "
                       "accepts nothing",
                       at, t->name, dashes, dashes);
    if (t->pool_least > t->pool_most)
        settings_fault(faults, "%stunnel %s: %spool-min is above %spool-max", at, t->name, dashes,
                       dashes);
    if (t->await.count > 0 && settings->workers > 1)
        settings_fault(faults,
                       "%stunnel %s: %sawait takes one worker, as a client and the connection that "
                       "waits for it must meet in one process",
                       at, t->name, dashes);
}

/** HTTP for monitoring has addresses of its own. */
static void
check_http(const struct settings *settings, struct faults *faults)
{
    const struct strlist *own = &settings->http.listen;

    for (size_t i = 0; i < own->count; i++)
        for (size_t j = 0; j < settings->tunnel_count; j++) {
            const struct tunnel_settings *t = &settings->tunnels[j];
            for (size_t k = 0; k < settings_address_count(t); k++)
                if (strcmp(settings_address(t, k), own->at[i]) == 0)
                    settings_fault(faults, "%s%s: the tunnel %s listens there; choose another",
                                   settings->file != NULL ? "http " : "--http ",
                                   printable_word(own->at[i]), t->name);
        }
}

/** Report the addresses of a list that are, or are not, of UDP. */
static void
check_kind(const struct tunnel_settings *t, const struct strlist *list, int wanted,
           const char *rule, struct faults *faults)
{
    char place[512];

    for (size_t i = 0; i < list->count; i++)
        if (address_is_udp(list->at[i]) != wanted)
            settings_fault(faults, "%stunnel %s: %s: %s", settings_place(place, t), t->name,
                           printable_word(list->at[i]), rule);
}

/** The settings of a tunnel of UDP, and those that it cannot have. */
static void
check_udp(const struct tunnel_settings *t, struct faults *faults)
{
    static const char is_tcp[] = "the ends of a tunnel reach each other over TCP; udp: is for the "
                                 "listen of a client and the target of a server";
    int is_client = t->side == TUNNEL_CLIENT, is_udp = settings_is_udp(t);
    char place[512];
    const char *at = settings_place(place, t), *dashes = t->file != NULL ? "" : "--";

    if (t->side == TUNNEL_NONE)
        return;
    check_kind(t, is_client ? &t->targets : &t->listen, 0, is_tcp, faults);
    check_kind(t, &t->dial, 0, is_tcp, faults);
    check_kind(t, &t->await, 0, is_tcp, faults);
    check_kind(t, is_client ? &t->listen : &t->targets, is_udp,
               "a tunnel carries connections or datagrams; give each a tunnel of its own", faults);
    if (is_udp && t->proxy != 0)
        settings_fault(faults,
                       "%stunnel %s: %sproxy-protocol is for connections, and this tunnel is one "
                       "of UDP",
                       at, t->name, dashes);
    if (is_udp && t->socks)
        settings_fault(faults,
                       "%stunnel %s: %ssocks is for connections, and this tunnel is one of UDP", at,
                       t->name, dashes);
    if (is_udp && t->health_ms >= 0)
        settings_fault(faults,
                       "%stunnel %s: %shealth-interval is for targets that are connected to; a "
                       "service of UDP does not show that it is there",
                       at, t->name, dashes);
    if (t->udp_replies > 0 && !(is_udp && is_client))
        settings_fault(faults,
                       "%stunnel %s: %sudp-replies is for a client that listens on udp:", at,
                       t->name, dashes);
}

void
settings_check(const struct settings *settings, struct faults *faults)
{
    check_http(settings, faults);
    for (size_t i = 0; i < settings->tunnel_count; i++) {
        const struct tunnel_settings *t = &settings->tunnels[i];
        check_there(settings, t, faults);
        check_together(settings, t, faults);
        check_targets(settings, t, faults);
        check_rights(settings, t, faults);
        check_reverse(settings, t, faults);
        check_way(settings, t, faults);
        check_socks(settings, t, faults);
        check_udp(t, faults);
        for (size_t j = 0; j < settings_address_count(t); j++)
            check_listen(settings, i, j, faults);
    }
    if (settings->control != NULL && strlen(settings->control) > CONTROL_MOST)
        settings_fault(faults, "%s: the control socket's path is longer than %d bytes",
                       printable_word(settings->control), CONTROL_MOST);
}

static int
check_exposure(const struct tunnel_settings *t)
{
    char place[512];
    int code = EXIT_DONE;

    for (size_t i = 0; i < t->listen.count; i++)
        if (!settings_may_be_exposed(t, t->listen.at[i]) && is_far(t->listen.at[i], 1))
            code = log_error(EXIT_USAGE,
                             "%s%s%s: %s can be reached from other machines; listen on 127.0.0.1, "
                             "or use %s if you mean that",
                             t->is_http ? "" : settings_place(place, t),
                             t->is_http ? "" : "tunnel ", t->name, printable_word(t->listen.at[i]),
                             t->is_http ? "unsafe-http" : "unsafe-listen");
    return code;
}

int
settings_check_exposure(const struct settings *settings)
{
    int code = check_exposure(&settings->http);

    for (size_t i = 0; i < settings->tunnel_count; i++)
        if (check_exposure(&settings->tunnels[i]) != EXIT_DONE)
            code = EXIT_USAGE;
    return code;
}

const char *
settings_peer_name(const struct tunnel_settings *tunnel, const uint8_t *key)
{
    if (key == NULL || tunnel->facts.peers == NULL)
        return NULL;
    return duet_key_find(tunnel->facts.peers, key);
}

/* ---- Which connections may stay after a reload ---- */

/** A profile's bytes; none for the default, which is NULL. */
static const uint8_t *
profile_text(const duet_key *profile, enum duet_profile_text which, size_t *size)
{
    *size = 0;
    return profile != NULL ? duet_key_profile_text(profile, which, size) : NULL;
}

static int
has_dialect(const duet_key *profile)
{
    return profile != NULL && duet_key_profile_number(profile, DUET_PROFILE_DIALECT) != 0;
}

/** Do two profiles ask a peer for the same? */
static int
same_profile(const duet_key *a, const duet_key *b)
{
    static const enum duet_profile_text texts[] = {DUET_PROFILE_LABEL, DUET_PROFILE_PRELUDE_TOP,
                                                   DUET_PROFILE_PRELUDE_BOTTOM};

    if (has_dialect(a) != has_dialect(b))
        return 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t size, other_size;
        const uint8_t *text = profile_text(a, texts[i], &size);
        const uint8_t *other = profile_text(b, texts[i], &other_size);
        /* public: a prelude is seen on the wire, a label is a name */
        if (size != other_size || (size > 0 && memcmp(text, other, size) != 0))
            return 0;
    }
    return 1;
}

/** Is all the same that a peer is judged by, beside its secret and its own identity? */
static int
same_rules(const struct tunnel_settings *a, const struct tunnel_settings *b)
{
    const char *one = a->files.pattern, *other = b->files.pattern;

    if (one != other && (one == NULL || other == NULL || strcmp(one, other) != 0))
        return 0;
    one = a->files.hybrid;
    other = b->files.hybrid;
    if (one != other && (one == NULL || other == NULL || strcmp(one, other) != 0))
        return 0;
    /* public: public keys */
    return memcmp(a->facts.identity, b->facts.identity, DUET_KEY_SIZE) == 0 &&
           same_profile(a->facts.profile, b->facts.profile);
}

int
settings_has_secret(const struct tunnel_settings *tunnel, const uint8_t id[DUET_SECRET_ID_SIZE])
{
    const struct key_facts *facts = &tunnel->facts;

    for (size_t i = 0; i < facts->secret_count; i++)
        /* public: ids are what logs show */
        if (memcmp(facts->secrets[i], id, DUET_SECRET_ID_SIZE) == 0)
            return 1;
    return 0;
}

int
settings_admit(const struct tunnel_settings *now, const struct tunnel_settings *then,
               const duet_info *info)
{
    if (!same_rules(now, then))
        return 0;
    if ((int)info->pattern < 0)
        return 1; /* no HELLO has opened yet */
    if (!settings_has_secret(now, info->secret_id))
        return 0;
    if (now->files.peers == NULL)
        return 1;
    if (info->pattern != DUET_PATTERN_IDENTITY)
        return 0;
    return info->has_peer_key ? settings_peer_name(now, info->peer_key) != NULL : !info->ready;
}
