/*
 * duet keygen: a new shared secret, or a new identity, in a file that nobody else reads.
 */
#include "commands.h"
#include "log.h"
#include "os/os.h"

#include <duet/duet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PLAIN_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+"

enum { TEXT_MOST = 128 * 1024 }; /* bytes: a secret of 64 KiB takes 93,000 */

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

/** A new file of mode 0600, all of it or nothing. */
static int
write_file(const char *path, const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 && errno == EEXIST)
        return log_error(EXIT_LOCAL,
                         "%s: already exists; a key is never overwritten, so choose another "
                         "name or move it away",
                         printable(path));
    if (fd < 0)
        return log_error(EXIT_LOCAL, "%s: %s; choose another place for the key", printable(path),
                         errno_text());
    int bad = fchmod(fd, 0600) != 0 || write_all(fd, text, size) != 0 || fsync(fd) != 0;
    if (close(fd) == 0 && !bad)
        return EXIT_DONE;
    int code =
        log_error(EXIT_LOCAL, "%s: %s; nothing is left of the key", printable(path), errno_text());
    unlink(path);
    return code;
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

/** Write the key to its file or to standard output. public_part may be shown: it goes to standard
 * output if the key went to a file, else to standard error. Returns an exit code. */
static int
write_key(const struct options *o, const char *text, size_t size, const char *public_part)
{
    struct stat status;

    if (o->out != NULL && strcmp(o->out, "-") != 0) {
        int code = write_file(o->out, text, size);
        if (code != EXIT_DONE)
            return code;
        puts(public_part);
        code = finish_output(EXIT_DONE); /* before the recipes, which go to standard error */
        if (log_level >= 0 && o->make_identity && o->peer == NULL)
            fputs("This public key goes into the other end's peers file; --peer NAME prints it as "
                  "the section for it.\n",
                  stderr);
        else if (log_level >= 0 && !o->make_identity)
            print_recipes(o->out);
        return code;
    }
    if (write_all(1, text, size) != 0)
        return log_error(EXIT_LOCAL, "standard output: %s; do not use what was written of the key",
                         errno_text());
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
    duet_peers peers;
    duet_where where;
    int size = snprintf(out, cap, "[Peer %s]\nPublicKey = %s", name, key);

    if (size < 0 || (size_t)size >= cap ||
        duet_peers_parse(&peers, out, (size_t)size, &where) != DUET_OK)
        return log_error(EXIT_USAGE, "--peer %s: is not a name for a peers file",
                         printable_word(name));
    duet_peers_free(&peers);
    return EXIT_DONE;
}

static int
make_identity(const struct options *o, char *text)
{
    uint8_t private_key[DUET_KEY_SIZE];
    duet_identity identity;
    char key[DUET_KEY_TEXT_SIZE], section[512];
    size_t size;

    if (o->size != 0)
        return log_error(EXIT_USAGE, "keygen: --size is for secrets; an identity has one size");
    if (o->not_after != NULL)
        return log_error(EXIT_USAGE, "keygen: --not-after is for secrets; to end an identity, "
                                     "remove it from the peers files");
    if (duet__os_random(private_key, sizeof private_key) != 0)
        return log_error(EXIT_FAILED, "the system has no randomness: %s", errno_text());
    /* X25519 sets these bits anyway; `wg genkey` does too, so no one takes the key for public. */
    private_key[0] &= 0xf8;
    private_key[31] = (uint8_t)((private_key[31] & 0x7f) | 0x40);
    int result = duet_identity_init(&identity, private_key);
    duet_wipe(private_key, sizeof private_key);
    if (result == DUET_OK)
        result = duet_identity_format(text, TEXT_MOST, &size, &identity);
    if (result != DUET_OK)
        return log_error(EXIT_FAILED, "%s", duet_explain(result)->sentence);
    duet_key_text(key, identity.public_key);
    duet_wipe(&identity, sizeof identity);
    int code = o->peer != NULL ? write_section(section, sizeof section, o->peer, key) : EXIT_DONE;
    return code == EXIT_DONE ? write_key(o, text, size, o->peer != NULL ? section : key) : code;
}

/** The end of a day, YYYY-MM-DD in UTC, which is yet to come. Returns an exit code. */
static int
parse_day(duet_secret *secret, const char *day)
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
    secret->not_after = at;
    return EXIT_DONE;
}

static int
make_secret(const struct options *o, char *text)
{
    size_t size = o->size != 0 ? o->size : DUET_SECRET_DEFAULT;
    char id[2 * DUET_SECRET_ID_SIZE + 1];
    uint8_t bytes[DUET_SECRET_MOST];
    duet_secret secret;
    size_t used;

    if (o->peer != NULL)
        return log_error(EXIT_USAGE, "keygen: --peer is for identities; add --identity");
    if (size % 2 != 0)
        return log_error(EXIT_USAGE, "--size %zu: must be even", size);
    if (duet__os_random(bytes, size) != 0)
        return log_error(EXIT_FAILED, "the system has no randomness: %s", errno_text());
    int result = duet_secret_init(&secret, bytes, size);
    duet_wipe(bytes, sizeof bytes);
    if (result != DUET_OK)
        return log_error(EXIT_FAILED, "%s", duet_explain(result)->sentence);
    int code = o->not_after != NULL ? parse_day(&secret, o->not_after) : EXIT_DONE;
    if (code == EXIT_DONE && duet_secret_format(text, TEXT_MOST, &used, &secret) != DUET_OK)
        code = log_error(EXIT_FAILED, "the secret does not fit into a key file");
    to_hex(id, secret.id, sizeof secret.id);
    duet_secret_wipe(&secret);
    return code == EXIT_DONE ? write_key(o, text, used, id) : code;
}

static int
keygen_run(struct options *o)
{
    char *text = malloc(TEXT_MOST);

    if (text == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    int code = o->make_identity ? make_identity(o, text) : make_secret(o, text);
    duet_wipe(text, TEXT_MOST);
    free(text);
    return code;
}

const struct command cmd_keygen = {
    .name = "keygen",
    .user = FOR_KEYGEN,
    .usage = "[-o FILE] [--size BYTES] [--not-after DATE] | --identity [-o FILE] [--peer NAME]",
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
