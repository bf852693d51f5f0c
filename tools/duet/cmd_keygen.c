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
#include <unistd.h>

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
                         "%s: is there already; a key is never overwritten, choose another "
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

/** The text to where it goes; what may be shown to standard output if the text went to a file. */
static int
deliver(const struct options *o, const char *text, size_t size, const char *public_part)
{
    struct stat status;

    if (o->out != NULL) {
        int code = write_file(o->out, text, size);
        if (code != EXIT_DONE)
            return code;
        puts(public_part);
        return finish_output(EXIT_DONE);
    }
    if (write_all(1, text, size) != 0)
        return log_error(EXIT_LOCAL, "standard output: %s; nothing of the key may be used",
                         errno_text());
    if (fstat(1, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 066) != 0)
        log_warning(
            "the file that standard output goes to can be read by others; chmod 600 it, or use -o");
    if (isatty(1))
        log_warning(
            "the key stands on this terminal; -o FILE puts one into a file that nobody else reads");
    if (log_level >= 0)
        fprintf(stderr, "%s\n", public_part);
    return EXIT_DONE;
}

static int
make_identity(const struct options *o, char *text)
{
    uint8_t private_key[DUET_KEY_SIZE];
    duet_identity identity;
    char key[DUET_KEY_TEXT_SIZE];
    size_t size;

    if (o->size != 0)
        return log_error(EXIT_USAGE, "keygen: --size is for secrets; an identity has one size");
    if (duet__os_random(private_key, sizeof private_key) != 0)
        return log_error(EXIT_FAILED, "the system has no randomness: %s", errno_text());
    int result = duet_identity_init(&identity, private_key);
    duet_wipe(private_key, sizeof private_key);
    if (result != DUET_OK)
        return log_error(EXIT_FAILED, "%s", duet_explain(result)->sentence);
    duet_identity_format(text, TEXT_MOST, &size, &identity);
    duet_key_text(key, identity.public_key);
    duet_wipe(&identity, sizeof identity);
    return deliver(o, text, size, key);
}

static int
make_secret(const struct options *o, char *text)
{
    size_t size = o->size != 0 ? o->size : DUET_SECRET_DEFAULT;
    char id[2 * DUET_SECRET_ID_SIZE + 1];
    uint8_t bytes[DUET_SECRET_MOST];
    duet_secret secret;
    size_t used;

    if (size % 2 != 0)
        return log_error(EXIT_USAGE, "--size %zu: must be even", size);
    if (duet__os_random(bytes, size) != 0)
        return log_error(EXIT_FAILED, "the system has no randomness: %s", errno_text());
    int result = duet_secret_init(&secret, bytes, size);
    duet_wipe(bytes, sizeof bytes);
    if (result != DUET_OK)
        return log_error(EXIT_FAILED, "%s", duet_explain(result)->sentence);
    duet_secret_format(text, TEXT_MOST, &used, &secret);
    to_hex(id, secret.id, sizeof secret.id);
    duet_secret_wipe(&secret);
    return deliver(o, text, used, id);
}

static int
run(struct options *o)
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
    .usage = "[--identity] [-o FILE] [--size BYTES]",
    .about = "A new shared secret or identity.",
    .run = run,
};
