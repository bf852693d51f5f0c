/*
 * duet key show: prints what a file is and its public parts, never a secret.
 */
#include "commands.h"
#include "keys.h"
#include "log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void
show_limit(int64_t not_after)
{
    time_t end = (time_t)not_after;
    char day[32] = "";
    struct tm tm;

    if (not_after == 0)
        return;
    if (gmtime_r(&end, &tm) != NULL)
        strftime(day, sizeof day, "%Y-%m-%d", &tm);
    printf("not after: %s%s\n", day, time(NULL) > end ? " (expired)" : "");
}

static int
show_secret(const struct text *text, const char *path)
{
    char id[2 * DUET_SECRET_ID_SIZE + 1];
    duet_secret secret;
    duet_where where;

    int result = duet_secret_parse(&secret, text->at, text->size, &where);
    if (result != DUET_OK)
        return keys_refuse(EXIT_KEY, path, result, &where);
    to_hex(id, secret.id, sizeof secret.id);
    printf("kind: secret\nid: %s\nsize: %zu bytes\n", id, secret.size);
    show_limit(secret.not_after);
    duet_secret_wipe(&secret);
    return EXIT_DONE;
}

static int
show_identity(const struct text *text, const char *path)
{
    char key[DUET_KEY_TEXT_SIZE];
    duet_identity identity;
    duet_where where;

    int result = duet_identity_parse(&identity, text->at, text->size, &where);
    if (result != DUET_OK)
        return keys_refuse(EXIT_KEY, path, result, &where);
    duet_key_text(key, identity.public_key);
    duet_wipe(&identity, sizeof identity);
    printf("kind: identity\npublic key: %s\n", key);
    return EXIT_DONE;
}

static int
show_peers(const struct text *text, const char *path)
{
    char key[DUET_KEY_TEXT_SIZE];
    duet_peers peers;
    duet_where where;

    int result = duet_peers_parse(&peers, text->at, text->size, &where);
    if (result != DUET_OK)
        return keys_refuse(EXIT_USAGE, path, result, &where);
    printf("kind: peers\ncount: %zu\n", peers.count);
    for (size_t i = 0; i < peers.count; i++) {
        duet_key_text(key, peers.list[i].public_key);
        printf("%s  %s\n", key, printable(peers.list[i].name));
    }
    duet_peers_free(&peers);
    return EXIT_DONE;
}

static int
show_profile(const struct text *text, const char *path)
{
    static duet_profile profile;
    duet_where where;

    int result = duet_profile_parse(&profile, text->at, text->size, &where);
    if (result != DUET_OK)
        return keys_refuse(EXIT_USAGE, path, result, &where);
    printf("kind: profile\nlabel: %zu bytes\npreludes: %zu and %zu bytes\n", profile.label_size,
           profile.prelude_size[DUET_TOP], profile.prelude_size[DUET_BOTTOM]);
    printf("padding of HELLO: %u to %u bytes\n", profile.hello_pad_least, profile.hello_pad_most);
    printf("rotation: 2^%u frames or 2^%u blocks\n", profile.rotate_frames, profile.rotate_blocks);
    return EXIT_DONE;
}

/** Who may read a file matters where it holds a secret: what it is comes first. */
static int
show_file(const char *path)
{
    struct text text;

    int code = text_read(&text, path, 0, EXIT_KEY);
    if (code != EXIT_DONE)
        return code;
    enum duet_kind kind = duet_kind_of(text.at, text.size);
    enum bare_key bare = keys_bare(&text);
    text_free(&text);
    if (bare == BARE_PUBLIC) { /* not shown: it might still be private */
        puts("kind: a key alone, most likely public; in a peers file it is PublicKey of a [Peer "
             "NAME]");
        return EXIT_DONE;
    }
    if (bare == BARE_PRIVATE)
        kind = DUET_KIND_IDENTITY;
    if (kind == DUET_KIND_UNKNOWN)
        return log_error(EXIT_KEY,
                         "%s: is not a file that duet knows (a secret, an identity, peers or a "
                         "profile); see FILES in duet(1)",
                         printable(path));
    int secret = kind == DUET_KIND_SECRET || kind == DUET_KIND_IDENTITY;
    code = text_read(&text, path, secret, EXIT_KEY);
    if (code != EXIT_DONE)
        return code;
    if (kind == DUET_KIND_SECRET)
        code = show_secret(&text, path);
    else if (kind == DUET_KIND_PEERS)
        code = show_peers(&text, path);
    else if (kind == DUET_KIND_PROFILE)
        code = show_profile(&text, path);
    else
        code = show_identity(&text, path);
    text_free(&text);
    return code;
}

static int
key_run(struct options *o)
{
    if (strcmp(o->operands[0], "show") != 0)
        return log_error(EXIT_USAGE, "key %s: no such thing; it is duet key show FILE",
                         printable(o->operands[0]));
    int code = show_file(o->operands[1]);
    return finish_output(code);
}

const struct command cmd_key = {
    .name = "key",
    .usage = "show FILE",
    .about = "Show what a key, identity, peers or profile file holds, but never a secret.",
    .least = 2,
    .most = 2,
    .run = key_run,
};
