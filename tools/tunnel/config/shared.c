/*
 * Tunnels that share the addresses at which their peers come in, servers' `listen` or clients'
 * `await`: which of them a peer means is known by its secret, or by its identity where they have a
 * secret in common.
 *
 * The first of them in the file listens. Its configuration holds the secrets and trusts the peers
 * of all; tunnel.c finds the tunnel of a peer that has authenticated.
 */
#include "settings.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Which share ---- */

static int
has_address(const struct strlist *list, const char *address)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->at[i], address) == 0)
            return 1;
    return 0;
}

int
settings_share(const struct tunnel_settings *a, const struct tunnel_settings *b)
{
    const struct strlist *addresses = settings_peer_addresses(a);

    if (a == b)
        return 1;
    return a->side == b->side && addresses->count > 0 &&
           has_address(settings_peer_addresses(b), addresses->at[0]);
}

size_t
settings_first_sharing(const struct settings *settings, const struct tunnel_settings *tunnel)
{
    for (size_t i = 0; i < settings->tunnel_count; i++)
        if (settings_share(tunnel, &settings->tunnels[i]))
            return i;
    return settings->tunnel_count;
}

/** The number of tunnels that share this one's addresses, itself included. */
static size_t
count_sharing(const struct settings *settings, const struct tunnel_settings *tunnel)
{
    size_t count = 0;

    for (size_t i = 0; i < settings->tunnel_count; i++)
        count += (size_t)settings_share(tunnel, &settings->tunnels[i]);
    return count;
}

int
settings_is_shared(const struct settings *settings, const struct tunnel_settings *tunnel)
{
    return count_sharing(settings, tunnel) > 1;
}

/* ---- What they must have in common ---- */

static int
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/** The setting that must be the same for both and is not; NULL: none. */
static const char *
find_difference(const struct tunnel_settings *a, const struct tunnel_settings *b)
{
    if (!same_text(a->files.identity, b->files.identity))
        return "identity";
    if (!same_text(a->files.pattern, b->files.pattern))
        return "pattern";
    if (!same_text(a->files.hybrid, b->files.hybrid))
        return "hybrid";
    if (!same_text(a->files.profile, b->files.profile))
        return "profile";
    if (a->side == TUNNEL_SERVER && (a->proxy & PROXY_IN) != (b->proxy & PROXY_IN))
        return "the part \"in\" of proxy-protocol";
    return NULL;
}

/** Do the peers of both come in at the same addresses? */
static int
same_addresses(const struct tunnel_settings *a, const struct tunnel_settings *b)
{
    const struct strlist *one = settings_peer_addresses(a), *other = settings_peer_addresses(b);

    for (size_t i = 0; i < one->count; i++)
        if (!has_address(other, one->at[i]))
            return 0;
    return one->count == other->count;
}

void
settings_check_sharing(const struct tunnel_settings *first, const struct tunnel_settings *t,
                       struct faults *faults)
{
    const char *difference = find_difference(first, t);
    char place[512];
    const char *at = settings_place(place, t);

    if (!same_addresses(first, t))
        settings_fault(faults,
                       "%stunnel %s: shares an address with %s; then both must have the same "
                       "addresses in %s",
                       at, t->name, first->name, t->side == TUNNEL_CLIENT ? "await" : "listen");
    else if (difference != NULL)
        settings_fault(faults,
                       "%stunnel %s: shares its addresses with %s; then %s must be the same for "
                       "both, as it is used before it is known which tunnel a peer means",
                       at, t->name, first->name, difference);
    else if ((first->files.peers == NULL) != (t->files.peers == NULL))
        settings_fault(faults,
                       "%stunnel %s: shares its addresses with %s; then both have peers, or none "
                       "has",
                       at, t->name, first->name);
}

/* ---- Which peers each of them means ---- */

/** A secret that both have; NULL: none. */
static const uint8_t *
common_secret(const struct key_facts *a, const struct key_facts *b)
{
    for (size_t i = 0; i < a->secret_count; i++)
        for (size_t j = 0; j < b->secret_count; j++)
            /* public: ids are what logs show */
            if (memcmp(a->secrets[i], b->secrets[j], DUET_SECRET_ID_SIZE) == 0)
                return a->secrets[i];
    return NULL;
}

/** The name of a peer that both trust; NULL: none. */
static const char *
common_peer(const duet_key *a, const duet_key *b)
{
    for (size_t i = 0; i < duet_key_count(a); i++)
        if (duet_key_find(b, duet_key_public_key(a, i)) != NULL)
            return duet_key_name(a, i);
    return NULL;
}

/** Could a peer mean both? Returns an exit code. */
static int
check_distinct(const struct tunnel_settings *a, const struct tunnel_settings *b)
{
    char place[512];

    if (common_secret(&a->facts, &b->facts) == NULL)
        return EXIT_DONE;
    if (a->facts.peers == NULL || b->facts.peers == NULL)
        return log_error(EXIT_USAGE,
                         "%stunnel %s: shares its addresses with %s and has a key in common with "
                         "it, so that nothing shows which of them a peer means; give each a key of "
                         "its own, or peers of its own",
                         settings_place(place, b), b->name, a->name);
    const char *peer = common_peer(a->facts.peers, b->facts.peers);
    if (peer == NULL)
        return EXIT_DONE;
    return log_error(EXIT_USAGE,
                     "%stunnel %s: shares its addresses with %s, and has a key and the peer %s in "
                     "common with it, so that nothing shows which of them that peer means; give "
                     "each a key of its own",
                     settings_place(place, b), b->name, a->name, printable(peer));
}

/* ---- One configuration for all of them ---- */

/** Write the peers of all that share as a peers file. Returns the text, for free(), or NULL. */
static char *
write_peers(const struct settings *settings, const struct tunnel_settings *first, size_t *size)
{
    char key[DUET_KEY_TEXT_SIZE], *text = NULL;
    FILE *out = open_memstream(&text, size);
    size_t number = 0;

    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < settings->tunnel_count; i++) {
        const duet_key *peers = settings->tunnels[i].facts.peers;
        for (size_t j = 0;
             settings_share(first, &settings->tunnels[i]) && j < duet_key_count(peers); j++) {
            size_t earlier = 0;
            while (earlier < i && !(settings_share(first, &settings->tunnels[earlier]) &&
                                    duet_key_find(settings->tunnels[earlier].facts.peers,
                                                  duet_key_public_key(peers, j)) != NULL))
                earlier++;
            if (earlier < i)
                continue; /* another tunnel's too */
            duet_key_text(key, duet_key_public_key(peers, j));
            fprintf(out, "[Peer %zu]\nPublicKey = %s\n", ++number, key);
        }
    }
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/** Let a configuration trust the peers of all that share. Returns an exit code. */
static int
merge_peers(duet_config *config, const struct settings *settings,
            const struct tunnel_settings *first)
{
    duet_where where;
    duet_key *peers = NULL;
    size_t size = 0;

    if (first->facts.peers == NULL)
        return EXIT_DONE;
    char *text = write_peers(settings, first, &size);
    int result = text != NULL ? duet_key_parse(&peers, DUET_KIND_PEERS, text, size, &where)
                              : (int)DUET_E_MEMORY;
    if (result == DUET_OK)
        result = duet_config_add(config, peers);
    duet_key_free(peers);
    free(text);
    return result == DUET_OK ? EXIT_DONE
                             : log_error(EXIT_LIMIT,
                                         "tunnel %s: the peers of all tunnels that "
                                         "share its addresses: %s",
                                         first->name, duet_explain(result)->sentence);
}

/** Give the first of those that share a configuration with the keys of all. Returns an exit code.
 */
static int
merge_keys(const struct settings *settings, struct tunnel_settings *first)
{
    struct key_files files = first->files;
    struct key_facts facts = {0};
    duet_config *config = NULL;
    int code = EXIT_DONE;

    files.peers = NULL;
    files.quiet = 1;
    memset(&files.keys, 0, sizeof files.keys);
    for (size_t i = 0; i < settings->tunnel_count; i++)
        for (size_t j = 0; settings_share(first, &settings->tunnels[i]) &&
                           j < settings->tunnels[i].files.keys.count;
             j++)
            if (strlist_add(&files.keys, settings->tunnels[i].files.keys.at[j]) != 0)
                code = log_error(EXIT_LIMIT, "no memory");
    if (code == EXIT_DONE)
        code = keys_config(&config, &facts, &files, DUET_BOTTOM);
    size_t secrets = facts.secret_count;
    key_facts_free(&facts);
    if (code == EXIT_DONE)
        code = merge_peers(config, settings, first);
    strlist_free(&files.keys);
    if (code != EXIT_DONE) {
        duet_config_free(config);
        return code;
    }
    duet_config_free(first->config);
    first->config = config;
    first->secret_count = secrets;
    return EXIT_DONE;
}

int
settings_merge_shared(struct settings *settings)
{
    int code = EXIT_DONE;

    for (size_t i = 0; i < settings->tunnel_count; i++)
        for (size_t j = 0; j < i; j++)
            if (settings_share(&settings->tunnels[i], &settings->tunnels[j])) {
                int next = check_distinct(&settings->tunnels[j], &settings->tunnels[i]);
                code = code != EXIT_DONE ? code : next;
            }
    for (size_t i = 0; i < settings->tunnel_count && code == EXIT_DONE; i++)
        if (settings_first_sharing(settings, &settings->tunnels[i]) == i &&
            settings_is_shared(settings, &settings->tunnels[i]))
            code = merge_keys(settings, &settings->tunnels[i]);
    return code;
}
