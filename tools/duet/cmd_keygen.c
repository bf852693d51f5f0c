/*
 * duet keygen: a new shared secret, or a new identity, in a file that nobody else reads.
 */
#include "commands.h"
#include "key_change.h"
#include "log.h"

#include <duet/duet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PLAIN_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+"

enum { TEXT_MOST = 128 * 1024 }; /* bytes: a secret of 64 KiB takes 93,000 */
enum { ID_TEXT = 2 * DUET_SECRET_ID_SIZE + 1 };

static int
write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        text += n;
        size -= (size_t)n;
    }
    return 0;
}

/** How a secret reaches the other end; it must never travel in the clear. */
static void
print_recipes(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;

    if (path[strspn(path, PLAIN_LETTERS)] != 0) /* a shell would not take it as it is */
        path = name = "FILE";
    fprintf(stderr,
            "The other end needs the same file. Copy it over ssh, with one of:\n"
            "    ssh HOST 'umask 077; cat >%s' <%s\n"
            "    scp -p %s HOST:\n",
            name, path, path);
}

/** Write the key to its file. Returns an exit code. */
static int
save_key(const struct options *o, const duet_key *key, const char *public_part)
{
    int code = key_write(o, key, o->out);

    if (code != EXIT_DONE)
        return code;
    puts(public_part);
    code = finish_output(EXIT_DONE); /* before the recipes, which go to standard error */
    if (log_level >= 0 && duet_key_kind(key) == DUET_KIND_IDENTITY && o->peer == NULL)
        fputs("This public key goes into the other end's peers file; --peer NAME prints it as "
              "the section for it.\n",
              stderr);
    else if (log_level >= 0 && duet_key_kind(key) == DUET_KIND_SECRET)
        print_recipes(o->out);
    return code;
}

/** Write the key to standard output. Returns an exit code. */
static int
print_key(const duet_key *key)
{
    char *text = malloc(TEXT_MOST);
    size_t size = 0;

    if (text == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    int result = duet_key_format(key, text, TEXT_MOST, &size);
    int written = result == DUET_OK && write_all(1, text, size) == 0;
    int code = EXIT_DONE;
    if (result != DUET_OK)
        code = log_error(EXIT_FAILED, "%s", duet_explain(result)->sentence);
    else if (!written)
        code = log_error(EXIT_LOCAL, "standard output: %s; do not use what was written of the key",
                         errno_text());
    duet_wipe(text, TEXT_MOST);
    free(text);
    return code;
}

/** Write the key to its file or to standard output. public_part may be shown: it goes to standard
 * output if the key went to a file, else to standard error. Returns an exit code. */
static int
write_key(const struct options *o, const duet_key *key, const char *public_part)
{
    struct stat status;

    if (o->out != NULL && strcmp(o->out, "-") != 0)
        return save_key(o, key, public_part);
    if (o->passphrase)
        return log_error(EXIT_USAGE, "keygen: --passphrase seals a file; name it with -o");
    int code = print_key(key);
    if (code != EXIT_DONE)
        return code;
    if (fstat(1, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 066) != 0)
        log_warning("the file that standard output goes to can be read by others; chmod 600 it, or "
                    "use -o");
    if (isatty(1))
        log_warning("the key is on this terminal; -o FILE writes one to a file that nobody else "
                    "reads");
    if (log_level >= 0)
        fprintf(stderr, "%s\n", public_part);
    return EXIT_DONE;
}

/** The section of a peers file for this public key. Returns an exit code. */
static int
write_section(char *out, size_t cap, const char *name, const char *key)
{
    duet_key *peers;
    duet_where where;
    int size = snprintf(out, cap, "[Peer %s]\nPublicKey = %s", name, key);

    if (size < 0 || (size_t)size >= cap ||
        duet_key_parse(&peers, DUET_KIND_PEERS, out, (size_t)size, &where) != DUET_OK)
        return log_error(EXIT_USAGE, "--peer %s: is not a name for a peers file",
                         printable_word(name));
    duet_key_free(peers);
    return EXIT_DONE;
}

/** Why a key could not be made. Returns an exit code. */
static int
not_made(int result)
{
    if (result == DUET_E_IO)
        return log_error(EXIT_FAILED, "the system has no randomness: %s", errno_text());
    return log_error(EXIT_FAILED, "%s", duet_explain(result)->sentence);
}

static int
make_identity(const struct options *o)
{
    char text[DUET_KEY_TEXT_SIZE], section[512];
    duet_key *key;

    if (o->size != 0)
        return log_error(EXIT_USAGE, "keygen: --size is for secrets; an identity has one size");
    if (o->not_after != NULL)
        return log_error(EXIT_USAGE, "keygen: --not-after is for secrets; to end an identity, "
                                     "remove it from the peers files");
    int result = duet_key_new(&key, DUET_KIND_IDENTITY, NULL, 0, 0);
    if (result != DUET_OK)
        return not_made(result);
    duet_key_text(text, duet_key_public_key(key, 0));
    int code = o->peer != NULL ? write_section(section, sizeof section, o->peer, text) : EXIT_DONE;
    if (code == EXIT_DONE)
        code = write_key(o, key, o->peer != NULL ? section : text);
    duet_key_free(key);
    return code;
}

/** The end of a day, YYYY-MM-DD in UTC, which is yet to come. Returns an exit code. */
static int
parse_day(int64_t *end_of_day, const char *day)
{
    struct tm tm = {0}, same;
    const char *end = strptime(day, "%Y-%m-%d", &tm);

    tm.tm_hour = 23;
    tm.tm_min = tm.tm_sec = 59;
    same = tm;
    time_t at = timegm(&same); /* which makes 3 March of 31 February */
    if (end == NULL || *end != 0 || strlen(day) != 10 || same.tm_mday != tm.tm_mday)
        return log_error(EXIT_USAGE, "--not-after %s: must be a date such as 2027-10-01",
                         printable_word(day));
    if (at < time(NULL))
        return log_error(EXIT_USAGE, "--not-after %s: is in the past", day);
    *end_of_day = at;
    return EXIT_DONE;
}

/** A secret as the options want it, and its id as text. Returns an exit code. */
static int
new_secret(duet_key **key, char id[ID_TEXT], const struct options *o)
{
    size_t size = o->size != 0 ? o->size : DUET_SECRET_DEFAULT;
    int64_t not_after = 0;

    if (o->peer != NULL)
        return log_error(EXIT_USAGE, "keygen: --peer is for identities; add --identity");
    if (size % 2 != 0)
        return log_error(EXIT_USAGE, "--size %zu: must be even", size);
    int code = o->not_after != NULL ? parse_day(&not_after, o->not_after) : EXIT_DONE;
    if (code != EXIT_DONE)
        return code;
    int result = duet_key_new(key, DUET_KIND_SECRET, NULL, size, not_after);
    if (result == DUET_E_MISUSE)
        return log_error(EXIT_USAGE, "--not-after %s: is too far away", o->not_after);
    if (result != DUET_OK)
        return not_made(result);
    to_hex(id, duet_key_id(*key), DUET_SECRET_ID_SIZE);
    return EXIT_DONE;
}

static int
make_secret(const struct options *o)
{
    char id[ID_TEXT];
    duet_key *key = NULL;
    int code = new_secret(&key, id, o);

    if (code != EXIT_DONE)
        return code;
    code = write_key(o, key, id);
    duet_key_free(key);
    return code;
}

/** Make a secret in the folder, called by its id. Returns an exit code. */
static int
make_one_of(const struct options *o)
{
    char id[ID_TEXT], path[PATH_MAX];
    duet_key *key = NULL;
    int code = new_secret(&key, id, o);

    if (code != EXIT_DONE)
        return code;
    int size = snprintf(path, sizeof path, "%s/%s.key", o->out, id);
    code = size >= 0 && (size_t)size < sizeof path
               ? key_write(o, key, path)
               : log_error(EXIT_LOCAL, "%s: the name is too long", printable(o->out));
    if (code == EXIT_DONE)
        puts(id);
    duet_key_free(key);
    return code;
}

/** --count: many secrets in a folder. Returns an exit code. */
static int
make_batch(const struct options *o)
{
    struct stat status;
    int code = EXIT_DONE;

    if (o->out == NULL || strcmp(o->out, "-") == 0 || o->passphrase)
        return log_error(EXIT_USAGE, o->passphrase
                                         ? "keygen: --count and --passphrase exclude each other"
                                         : "keygen: --count needs the folder for the files: -o");
    if (mkdir(o->out, 0700) != 0 &&
        (errno != EEXIST || stat(o->out, &status) != 0 || !S_ISDIR(status.st_mode)))
        return log_error(EXIT_LOCAL, "%s: %s; -o names a folder with --count", printable(o->out),
                         errno_text());
    for (unsigned i = 0; i < o->batch && code == EXIT_DONE; i++)
        code = make_one_of(o);
    code = finish_output(code);
    if (code == EXIT_DONE && log_level >= 0 && o->out[strspn(o->out, PLAIN_LETTERS)] == 0)
        fprintf(stderr,
                "The other end needs the same folder. Copy it over ssh:\n    scp -pr %s "
                "HOST:\n",
                o->out);
    return code;
}

static int
keygen_run(struct options *o)
{
    if (o->make_identity)
        return o->batch == 0 ? make_identity(o)
                             : log_error(EXIT_USAGE, "keygen: --count is for secrets");
    return o->batch == 0 ? make_secret(o) : make_batch(o);
}

const struct command cmd_keygen = {
    .name = "keygen",
    .user = FOR_KEYGEN,
    .usage = "[-o FILE [--passphrase] | -o FOLDER --count N] [--size BYTES] [--not-after DATE] | "
             "--identity [-o FILE [--passphrase]] [--peer NAME]",
    .about = "Make a shared secret for two ends, or an identity for one end.",
    .notes =
        "Both ends of a channel need the same secret. Copy its file over ssh, with one of:\n"
        "    ssh HOST 'umask 077; cat >secret.key' <secret.key\n"
        "    scp -p secret.key HOST:\n"
        "Where only a terminal leads there, a secret of --size 64 is short enough to paste.\n\n"
        "An identity is a key pair: its file stays here, its public key goes into the peers file\n"
        "of the other end. The line that `wg genkey` prints is an identity file too.\n",
    .run = keygen_run,
};
