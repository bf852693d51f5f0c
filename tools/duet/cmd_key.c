/*
 * duet key: shows what a file is and its public parts, never a secret; and the changes of
 * key_change.h.
 */
#include "commands.h"
#include "key_change.h"
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

static void
print_secret(const duet_key *secret)
{
    char id[2 * DUET_SECRET_ID_SIZE + 1];

    to_hex(id, duet_key_id(secret), DUET_SECRET_ID_SIZE);
    printf("kind: secret\nid: %s\nsize: %zu bytes\n", id, duet_key_size(secret));
    show_limit(duet_key_not_after(secret));
}

static void
print_identity(const duet_key *identity)
{
    char key[DUET_KEY_TEXT_SIZE];

    duet_key_text(key, duet_key_public_key(identity, 0));
    printf("kind: identity\npublic key: %s\n", key);
}

static int
show_secret(const struct text *text, const char *path)
{
    duet_key *secret;
    duet_where where;

    /* The load makes the checks; an expired secret is shown too. */
    int result = duet_key_load(&secret, DUET_KIND_SECRET, path, NULL, 0, &where);
    duet_key_free(secret);
    if (result == DUET_OK || result == DUET_E_MISUSE)
        result = duet_key_parse(&secret, DUET_KIND_SECRET, text->at, text->size, &where);
    if (result != DUET_OK)
        return keys_refuse(EXIT_KEY, path, DUET_KIND_UNKNOWN, result, &where);
    print_secret(secret);
    duet_key_free(secret);
    return EXIT_DONE;
}

static int
show_identity(const char *path)
{
    duet_key *identity;
    duet_where where;

    int result = duet_key_load(&identity, DUET_KIND_IDENTITY, path, NULL, 0, &where);
    if (result != DUET_OK)
        return keys_refuse(EXIT_KEY, path, DUET_KIND_UNKNOWN, result, &where);
    print_identity(identity);
    duet_key_free(identity);
    return EXIT_DONE;
}

/** What is under a passphrase, which is asked for. */
static int
show_sealed(const char *path)
{
    duet_where where;
    duet_key *key;
    int code;

    int result = keys_load(&key, DUET_KIND_ANY, path, &where, &code);
    if (code != EXIT_DONE)
        return code;
    if (result != DUET_OK)
        return keys_refuse(EXIT_KEY, path, DUET_KIND_UNKNOWN, result, &where);
    if (duet_key_kind(key) == DUET_KIND_SECRET)
        print_secret(key);
    else
        print_identity(key);
    puts("sealed: with a passphrase");
    duet_key_free(key);
    return EXIT_DONE;
}

static int
show_peers(const struct text *text, const char *path)
{
    char key[DUET_KEY_TEXT_SIZE];
    duet_key *peers;
    duet_where where;

    int result = duet_key_parse(&peers, DUET_KIND_PEERS, text->at, text->size, &where);
    if (result != DUET_OK)
        return keys_refuse(EXIT_USAGE, path, DUET_KIND_UNKNOWN, result, &where);
    printf("kind: peers\ncount: %zu\n", duet_key_count(peers));
    for (size_t i = 0; i < duet_key_count(peers); i++) {
        duet_key_text(key, duet_key_public_key(peers, i));
        printf("%s  %s\n", key, printable(duet_key_name(peers, i)));
    }
    duet_key_free(peers);
    return EXIT_DONE;
}

/** Show what a profile says of sizes on the wire. */
static void
show_sizes(const duet_key *profile)
{
    int dialect = duet_key_profile_number(profile, DUET_PROFILE_DIALECT) != 0;

    printf("dialect: %s\nflight of a HELLO: ", dialect ? "secret" : "none");
    if (dialect && !duet_key_profile_number(profile, DUET_PROFILE_HELLO_GIVEN))
        puts("as the dialect says");
    else
        printf("%u to %u bytes\n", duet_key_profile_number(profile, DUET_PROFILE_HELLO_LEAST),
               duet_key_profile_number(profile, DUET_PROFILE_HELLO_MOST));
    if (dialect && !duet_key_profile_number(profile, DUET_PROFILE_FIRST_GIVEN))
        puts("first writes: filled as the dialect says");
    else if (duet_key_profile_number(profile, DUET_PROFILE_FIRST) == 0)
        puts("first writes: not filled");
    else
        printf("first writes: %u, filled to %u to %u bytes\n",
               duet_key_profile_number(profile, DUET_PROFILE_FIRST),
               duet_key_profile_number(profile, DUET_PROFILE_FIRST_LEAST),
               duet_key_profile_number(profile, DUET_PROFILE_FIRST_MOST));
}

static int
show_profile(const struct text *text, const char *path)
{
    size_t label, top, bottom;
    duet_key *profile;
    duet_where where;

    int result = duet_key_parse(&profile, DUET_KIND_PROFILE, text->at, text->size, &where);
    if (result != DUET_OK)
        return keys_refuse(EXIT_USAGE, path, DUET_KIND_UNKNOWN, result, &where);
    duet_key_profile_text(profile, DUET_PROFILE_LABEL, &label);
    duet_key_profile_text(profile, DUET_PROFILE_PRELUDE_TOP, &top);
    duet_key_profile_text(profile, DUET_PROFILE_PRELUDE_BOTTOM, &bottom);
    printf("kind: profile\nlabel: %zu bytes\npreludes: %zu and %zu bytes\n", label, top, bottom);
    show_sizes(profile);
    printf("rotation: 2^%u frames or 2^%u blocks\n",
           duet_key_profile_number(profile, DUET_PROFILE_ROTATE_FRAMES),
           duet_key_profile_number(profile, DUET_PROFILE_ROTATE_BLOCKS));
    duet_key_free(profile);
    return EXIT_DONE;
}

/** Show a text without a section, which may be a key alone. Returns an exit code. */
static int
show_bare(const struct text *text, const char *path)
{
    duet_key *identity;
    duet_where where;

    int result = duet_key_parse(&identity, DUET_KIND_IDENTITY, text->at, text->size, &where);
    duet_key_free(identity);
    if (result == DUET_OK && where.reason[0] == 0)
        return show_identity(path);
    if (result == DUET_OK) { /* not shown: it might still be private */
        puts("kind: a key alone, most likely public; in a peers file it is PublicKey of a [Peer "
             "NAME]");
        return EXIT_DONE;
    }
    return log_error(EXIT_KEY,
                     "%s: is not a file that duet knows (a secret, an identity, peers or a "
                     "profile); see FILES in duet(1)",
                     printable(path));
}

/** Who may read a file matters where it holds a secret: what it is comes first. */
static int
show_text(const struct text *text, const char *path)
{
    switch (duet_kind_of(text->at, text->size)) {
    case DUET_KIND_SECRET:
        return show_secret(text, path);
    case DUET_KIND_IDENTITY:
        return show_identity(path);
    case DUET_KIND_PEERS:
        return show_peers(text, path);
    case DUET_KIND_PROFILE:
        return show_profile(text, path);
    case DUET_KIND_SEALED:
        return show_sealed(path);
    case DUET_KIND_UNKNOWN:
        break;
    }
    return show_bare(text, path);
}

static int
show_file(const char *path)
{
    struct text text;
    int code = text_read(&text, path, TEXT_SHOWN, EXIT_KEY);

    if (code == EXIT_DONE)
        code = show_text(&text, path);
    text_free(&text);
    return code;
}

static int
key_run(struct options *o)
{
    const char *what = o->operands[0], *path = o->operands[1];
    int code;

    if (o->remove && strcmp(what, "passphrase") != 0)
        return log_error(EXIT_USAGE, "--remove is for duet key passphrase");
    if ((o->out != NULL || o->passphrase) && strcmp(what, "rotate") != 0)
        return log_error(EXIT_USAGE, "-o and --passphrase are for duet key rotate");
    if (strcmp(what, "show") == 0)
        code = show_file(path);
    else if (strcmp(what, "passphrase") == 0)
        code = key_passphrase(o, path);
    else if (strcmp(what, "rotate") == 0)
        code = key_rotate(o, path);
    else
        return log_error(EXIT_USAGE, "key %s: no such thing; it is one of show, passphrase, rotate",
                         printable(what));
    return finish_output(code);
}

const struct command cmd_key = {
    .name = "key",
    .user = FOR_KEY,
    .usage = "show FILE | passphrase [--remove] FILE | rotate [-o NEW] [--passphrase] FILE",
    .about = "Show what a key, identity, peers or profile file holds, but never a secret; give a "
             "key file a passphrase; make the key that follows another.",
    .least = 2,
    .most = 2,
    .run = key_run,
};
