/*
 * The text of key files and configurations (see keys.h): read safely, loaded by the library, and
 * why one was refused. Who may write such a file is checked by src/file/, for each of them.
 */
#include "keys.h"

#include "log.h"
#include "passphrase.h"

#include "os/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PASSPHRASES = 3 }; /* tries */
enum { REASON_MOST = 160 };
enum { FILE_MOST = 1 << 20 }; /* bytes: a secret of 64 KiB takes 93,000, 4,096 peers 500,000 */

/* In place of a path it must not be printed. */
#define KEY_ITSELF                                                                                 \
    "a key is given where its file is meant; put it into a file of mode 600 and name that"

/* ---- Reading a file ---- */

static const char *
cure_of(int code)
{
    return code == EXIT_KEY ? "copy it anew from where it is whole, or make one with duet keygen"
                            : "see FILES in duet(1)";
}

/** May this file be read? Returns an exit code. */
static int
check_file(const struct stat *status, const char *path, int code)
{
    if (S_ISDIR(status->st_mode))
        return log_error(code, "%s: is a folder where a file is meant", printable(path));
    if (!S_ISREG(status->st_mode))
        return log_error(code, "%s: is not a regular file; copy it into one", printable(path));
    if (status->st_size == 0)
        return log_error(code, "%s: is empty; %s", printable(path), cure_of(code));
    if (status->st_size > FILE_MOST)
        return log_error(code, "%s: is too large for such a file (%lld bytes); %s", printable(path),
                         (long long)status->st_size, cure_of(code));
    return EXIT_DONE;
}

static int
read_all(struct text *text, int fd, const char *path, int code)
{
    while (text->size < FILE_MOST) {
        ssize_t n = read(fd, text->at + text->size, FILE_MOST - text->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return log_error(code, "%s: %s", printable(path), errno_text());
        if (n == 0)
            break;
        text->size += (size_t)n;
    }
    return EXIT_DONE;
}

/** Read an open file that may be read for this use. Returns an exit code. */
static int
read_open(struct text *text, int fd, const char *path, enum text_use use, int code_if_bad)
{
    struct duet__os_rights rights;
    char reason[REASON_MOST];
    struct stat status;

    if (fstat(fd, &status) != 0)
        return log_error(code_if_bad, "%s: %s", printable(path), errno_text());
    int code = check_file(&status, path, code_if_bad);
    if (code != EXIT_DONE)
        return code;
    duet__os_rights(&rights, &status, path);
    if (use != TEXT_SHOWN &&
        duet__os_rights_fault(&rights, use == TEXT_PRIVATE, reason, sizeof reason) != 0)
        return log_error(code_if_bad, "%s: %s", printable(path), reason);
    text->at = malloc(FILE_MOST);
    return text->at != NULL ? read_all(text, fd, path, code_if_bad)
                            : log_error(EXIT_LIMIT, "no memory");
}

/** Is this a key in place of its file's path, as wg's configuration has it? Then it must not be
 * printed. */
static int
is_key_itself(const char *path)
{
    return duet_kind_of(path, strlen(path)) != DUET_KIND_UNKNOWN || looks_secret(path);
}

int
text_read(struct text *text, const char *path, enum text_use use, int code_if_bad)
{
    text->at = NULL;
    text->size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && is_key_itself(path))
        return log_error(code_if_bad, "%s", KEY_ITSELF);
    if (fd < 0)
        return log_error(code_if_bad, "%s: %s%s", printable(path), errno_text(),
                         errno == ENOENT ? "; is the path right?" : "");
    int code = read_open(text, fd, path, use, code_if_bad);
    close(fd);
    if (code != EXIT_DONE)
        text_free(text);
    return code;
}

void
text_free(struct text *text)
{
    if (text->at != NULL)
        duet_wipe(text->at, text->size);
    free(text->at);
    text->at = NULL;
    text->size = 0;
}

/* ---- What the library refused ---- */

/** A file of another kind: name the option that it belongs to. */
static void
describe_kind(char *out, size_t cap, const char *path, enum duet_kind wanted, enum duet_kind found)
{
    static const struct {
        const char *what, *option, *takes;
    } kinds[] = {
        [DUET_KIND_SECRET] = {"a shared secret", "-k",
                              "-k takes a shared secret (duet keygen makes one)"},
        [DUET_KIND_IDENTITY] = {"an identity", "-i",
                                "-i takes an identity (duet keygen --identity makes one)"},
        [DUET_KIND_PEERS] = {"a peers file", "--peers",
                             "--peers takes a list of public keys (see FILES in duet(1))"},
        [DUET_KIND_PROFILE] = {"a profile", "--profile",
                               "--profile takes a profile (see FILES in duet(1))"},
    };

    snprintf(out, cap, "%s: is %s; give it with %s; %s", printable(path), kinds[found].what,
             kinds[found].option, kinds[wanted].takes);
}

void
keys_describe(char out[KEYS_WHY], int code, const char *path, enum duet_kind wanted, int result,
              const duet_where *where)
{
    if (where->found != DUET_KIND_UNKNOWN && where->found != DUET_KIND_SEALED &&
        wanted != DUET_KIND_UNKNOWN)
        describe_kind(out, KEYS_WHY, path, wanted, where->found);
    else if (result == DUET_E_IO && is_key_itself(path))
        snprintf(out, KEYS_WHY, "%s", KEY_ITSELF);
    else if (where->reason[0] == 0)
        snprintf(out, KEYS_WHY, "%s: %s", printable(path), duet_explain(result)->sentence);
    else if (where->line > 0)
        snprintf(out, KEYS_WHY, "%s:%u: %s; %s", printable(path), where->line, where->reason,
                 cure_of(code));
    else if (result == DUET_E_FORMAT && strchr(where->reason, ';') == NULL)
        /* A sentence about a text names no cure; one about a file or a date has its own. */
        snprintf(out, KEYS_WHY, "%s: %s; %s", printable(path), where->reason, cure_of(code));
    else
        snprintf(out, KEYS_WHY, "%s: %s", printable(path), where->reason);
}

int
keys_refuse(int code, const char *path, enum duet_kind wanted, int result, const duet_where *where)
{
    char why[KEYS_WHY];

    if (result == DUET_E_MEMORY)
        return log_error(EXIT_LIMIT, "%s: no memory", printable(path));
    keys_describe(why, code, path, wanted, result, where);
    return log_error(code, "%s", why);
}

/* ---- Sealed files ---- */

int
keys_load(duet_key **key, enum duet_kind kind, const char *path, duet_where *where, int *code)
{
    const char *passphrase;
    size_t size;

    *code = EXIT_DONE;
    int result = duet_key_load(key, kind, path, NULL, 0, where);
    if (result != DUET_E_FORMAT || where->found != DUET_KIND_SEALED)
        return result;
    for (int tries = 0; tries < PASSPHRASES; tries++) {
        *code = passphrase_get(&passphrase, &size, path, tries > 0);
        if (*code != EXIT_DONE)
            return result;
        result = duet_key_load(key, kind, path, passphrase, size, where);
        if (result != DUET_E_FORGED)
            return result;
    }
    return result;
}
