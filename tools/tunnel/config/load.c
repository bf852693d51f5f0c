/*
 * Settings as a whole (see settings.h): made, checked for what does not go together, keys read.
 */
#include "settings.h"

#include "address.h"
#include "log.h"
#include "loopback.h"
#include "table.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONTROL_MOST = 104
}; /* bytes: workers put a number behind it, and a socket's path ends at 107 */

/* ---- Life ---- */

struct settings *
settings_new(void)
{
    struct settings *settings = malloc(sizeof *settings);

    if (settings == NULL)
        return NULL;
    setting_defaults(settings);
    settings->tunnels = calloc(TUNNELS_MOST, sizeof *settings->tunnels);
    if (settings->tunnels == NULL) {
        free(settings);
        return NULL;
    }
    return settings;
}

struct tunnel_settings *
settings_add(struct settings *settings, const char *name)
{
    struct tunnel_settings *tunnel = &settings->tunnels[settings->tunnel_count];

    if (settings->tunnel_count == TUNNELS_MOST)
        return NULL;
    setting_tunnel_defaults(tunnel);
    tunnel->name = strdup(name);
    if (tunnel->name == NULL)
        return NULL;
    settings->tunnel_count++;
    return tunnel;
}

static void
free_tunnel(struct tunnel_settings *tunnel)
{
    duet_config_free(tunnel->config);
    key_facts_free(&tunnel->facts);
    duet_peers_free(&tunnel->peers);
    strlist_free(&tunnel->listen);
    strlist_free(&tunnel->targets);
    strlist_free(&tunnel->trusted);
    strlist_free(&tunnel->files.keys);
    free(tunnel->files.identity);
    free(tunnel->files.peers);
    free(tunnel->files.pattern);
    free(tunnel->files.profile);
    free(tunnel->name);
}

void
settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    for (size_t i = 0; i < settings->tunnel_count; i++)
        free_tunnel(&settings->tunnels[i]);
    free(settings->tunnels);
    free(settings->file);
    free(settings->user);
    free(settings->control);
    free(settings->metrics_file);
    free(settings);
}

/* ---- What goes together ---- */

void
settings_fault(struct faults *faults, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    faults->count++;
    faults->tell(faults->context, text);
}

/** Where a tunnel is described: "FILE:LINE: ", or "" for options. */
static const char *
place_of(char room[512], const struct settings *settings, const struct tunnel_settings *tunnel)
{
    room[0] = 0;
    if (settings->file != NULL)
        snprintf(room, 512, "%s:%u: ", printable(settings->file), tunnel->line);
    return room;
}

static void
check_there(const struct settings *settings, const struct tunnel_settings *t, struct faults *faults)
{
    char place[512];
    const char *at = place_of(place, settings, t), *dashes = settings->file != NULL ? "" : "--";

    if (t->side == TUNNEL_NONE && !setting_was_refused(t, "side"))
        settings_fault(faults,
                       "%stunnel %s: no side; side = client takes plain connections, "
                       "side = server takes duet's",
                       at, t->name);
    if (t->listen.count == 0 && !setting_was_refused(t, "listen"))
        settings_fault(faults, "%stunnel %s: no %slisten; say where connections come in", at,
                       t->name, dashes);
    if (t->targets.count == 0 && !setting_was_refused(t, "target"))
        settings_fault(faults, "%stunnel %s: no %starget; say where they lead", at, t->name,
                       dashes);
    if (t->files.keys.count == 0 && !setting_was_refused(t, "key"))
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
    const char *at = place_of(place, settings, t), *dashes = settings->file != NULL ? "" : "--";

    if (t->side == TUNNEL_CLIENT && t->files.keys.count > 1)
        settings_fault(faults, "%stunnel %s: more than one %skey; only a server takes several", at,
                       t->name, dashes);
    if (t->trusted.count > 0 && (t->proxy & PROXY_IN) == 0 &&
        !setting_was_refused(t, "proxy-protocol"))
        settings_fault(faults,
                       "%stunnel %s: %sproxy-from without %sproxy-protocol in or both; "
                       "nobody's headers would be read",
                       at, t->name, dashes, dashes);
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

/** A literal address beyond this machine; a name is judged when it has been resolved. */
static int
is_far(const char *target)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct sockaddr_storage at = {0};
    struct addrinfo *list;
    struct address address;

    if (address_fault(target, 0) != NULL || address_parse(&address, target, 0) != EXIT_DONE ||
        address.kind != ADDRESS_TCP || getaddrinfo(address.host, NULL, &hints, &list) != 0)
        return 0;
    memcpy(&at, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return !is_local(&at);
}

/** A server's targets are plain: none is on another machine unless that is meant. */
static void
check_targets(const struct settings *settings, const struct tunnel_settings *t,
              struct faults *faults)
{
    char place[512];

    if (t->side != TUNNEL_SERVER || t->unsafe_target || setting_was_refused(t, "unsafe-target"))
        return;
    for (size_t i = 0; i < t->targets.count; i++)
        if (is_far(t->targets.at[i]))
            settings_fault(faults,
                           "%stunnel %s: the target %s is on another machine, and what goes there "
                           "is plain; say %sunsafe-target if that is meant",
                           place_of(place, settings, t), t->name, printable_word(t->targets.at[i]),
                           settings->file != NULL ? "" : "--");
}

/** Do two tunnels want the same address? */
static void
check_listen(const struct settings *settings, size_t which, size_t word, struct faults *faults)
{
    const struct tunnel_settings *t = &settings->tunnels[which];
    const char *address = t->listen.at[word];
    char place[512];

    for (size_t i = 0; i <= which; i++)
        for (size_t j = 0; j < settings->tunnels[i].listen.count; j++) {
            if (i == which && j >= word)
                return;
            if (strcmp(settings->tunnels[i].listen.at[j], address) != 0)
                continue;
            settings_fault(faults, "%stunnel %s: listens on %s, as %s does; choose another",
                           place_of(place, settings, t), t->name, printable_word(address),
                           settings->tunnels[i].name);
            return;
        }
}

void
settings_check(const struct settings *settings, struct faults *faults)
{
    for (size_t i = 0; i < settings->tunnel_count; i++) {
        const struct tunnel_settings *t = &settings->tunnels[i];
        check_there(settings, t, faults);
        check_together(settings, t, faults);
        check_targets(settings, t, faults);
        for (size_t j = 0; j < t->listen.count; j++)
            check_listen(settings, i, j, faults);
    }
    if (settings->control != NULL && strlen(settings->control) > CONTROL_MOST)
        settings_fault(faults, "%s: the control socket's path is longer than %d bytes",
                       printable_word(settings->control), CONTROL_MOST);
}

/* ---- What lies outside the text ---- */

static void
print_fault(void *context, const char *fault)
{
    (void)context;
    log_error(EXIT_USAGE, "%s", fault);
}

/** Read a tunnel's keys; each line that is printed says where the tunnel is described. Returns an
 * exit code. */
static int
read_tunnel_keys(const struct settings *settings, struct tunnel_settings *t)
{
    char place[512], whole[600];

    if (t->side == TUNNEL_NONE || t->files.keys.count == 0)
        return EXIT_DONE; /* told already */
    snprintf(whole, sizeof whole, "%stunnel %s: ", place_of(place, settings, t), t->name);
    log_place = settings->file != NULL ? whole : NULL;
    int code = keys_config(&t->config, &t->facts, &t->files,
                           t->side == TUNNEL_CLIENT ? DUET_TOP : DUET_BOTTOM);
    if (code == EXIT_DONE && t->files.peers != NULL)
        code = keys_peers(&t->peers, t->files.peers);
    log_place = NULL;
    return code;
}

static int
check_user(const struct settings *settings)
{
    char place[512] = "";

    errno = 0;
    if (settings->user == NULL || getpwnam(settings->user) != NULL)
        return EXIT_DONE;
    const char *why = errno != 0 ? errno_text() : "there is no such user";
    if (settings->file != NULL)
        snprintf(place, sizeof place, "%s:%u: ", printable(settings->file), settings->user_line);
    return log_error(EXIT_USAGE, "%suser %s: %s; name one that this machine has", place,
                     printable_word(settings->user), why);
}

/** Read the keys of all tunnels, and look the user up. Returns an exit code, the first fault's;
 * every fault is printed. */
static int
read_outside(struct settings *settings)
{
    int first = EXIT_DONE;

    for (size_t i = 0; i < settings->tunnel_count; i++) {
        int code = read_tunnel_keys(settings, &settings->tunnels[i]);
        first = first == EXIT_DONE ? code : first;
    }
    int code = check_user(settings);
    return first == EXIT_DONE ? code : first;
}

static const duet_peer *
find_peer(const struct tunnel_settings *tunnel, const uint8_t *key)
{
    for (size_t i = 0; i < tunnel->peers.count; i++)
        /* public: a public key */
        if (memcmp(tunnel->peers.list[i].public_key, key, DUET_KEY_SIZE) == 0)
            return &tunnel->peers.list[i];
    return NULL;
}

const char *
settings_peer_name(const struct tunnel_settings *tunnel, const uint8_t *key)
{
    const duet_peer *peer = key != NULL ? find_peer(tunnel, key) : NULL;
    return peer != NULL ? peer->name : NULL;
}

/* ---- Who is let in, before a reload and behind it ---- */

/** Do two profiles ask a peer for the same? */
static int
same_profile(const duet_profile *a, const duet_profile *b)
{
    for (unsigned role = DUET_TOP; role <= DUET_BOTTOM; role++)
        if (a->prelude_size[role] != b->prelude_size[role] ||
            /* public: whoever looks at the wire sees a prelude */
            memcmp(a->prelude[role], b->prelude[role], a->prelude_size[role]) != 0)
            return 0;
    /* no secret: a name */
    return a->label_size == b->label_size && memcmp(a->label, b->label, a->label_size) == 0;
}

/** Is all the same that a peer is judged by, beside its secret and its own identity? */
static int
same_rules(const struct tunnel_settings *a, const struct tunnel_settings *b)
{
    const char *one = a->files.pattern, *other = b->files.pattern;

    if (one != other && (one == NULL || other == NULL || strcmp(one, other) != 0))
        return 0;
    /* public: public keys */
    return memcmp(a->facts.identity, b->facts.identity, DUET_KEY_SIZE) == 0 &&
           same_profile(&a->facts.profile, &b->facts.profile);
}

static int
has_secret(const struct key_facts *facts, const uint8_t id[DUET_SECRET_ID_SIZE])
{
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
    if (!has_secret(&now->facts, info->secret_id))
        return 0;
    if (now->files.peers == NULL)
        return 1;
    if (info->pattern != DUET_PATTERN_IDENTITY)
        return 0;
    return info->has_peer_key ? find_peer(now, info->peer_key) != NULL : !info->ready;
}

/** What the reading came to. Returns an exit code, and the set only with EXIT_DONE. */
static int
finish(struct settings **out, struct settings *settings, int result)
{
    int code = settings != NULL ? read_outside(settings) : log_error(EXIT_LIMIT, "no memory");

    if (result != 0 && settings != NULL)
        code = EXIT_USAGE; /* whatever the keys are */
    if (code != EXIT_DONE) {
        settings_free(settings);
        settings = NULL;
    }
    *out = settings;
    return code;
}

int
settings_load(struct settings **settings, const char *file)
{
    struct faults faults = {print_fault, NULL, 0};
    struct settings *made;
    struct text text;

    *settings = NULL;
    int code = text_read(&text, file, 0, EXIT_USAGE);
    if (code != EXIT_DONE)
        return code;
    int result = settings_parse(&made, file, text.at, text.size, &faults);
    text_free(&text);
    return finish(settings, made, result);
}

int
settings_from_options(struct settings **settings, enum tunnel_side side)
{
    struct faults faults = {print_fault, NULL, 0};
    struct settings *made;

    int result = settings_apply(&made, side, &faults);
    return finish(settings, made, result);
}

/** Have a text as it was. Returns an exit code. */
static int
keep(char **text, const char *old)
{
    free(*text);
    *text = old != NULL ? strdup(old) : NULL;
    return *text != NULL || old == NULL ? EXIT_DONE : log_error(EXIT_LIMIT, "no memory");
}

int
settings_reload(struct settings **settings, const struct settings *old)
{
    int code = old->file != NULL ? settings_load(settings, old->file)
                                 : settings_from_options(settings, old->tunnels[0].side);

    if (*settings == NULL)
        return code;
    /* A worker that is started behind a reload has these where the others have theirs. */
    code = keep(&(*settings)->control, old->control);
    if (code == EXIT_DONE)
        code = keep(&(*settings)->metrics_file, old->metrics_file);
    if (code != EXIT_DONE) {
        settings_free(*settings);
        *settings = NULL;
    }
    return code;
}
