/*
 * Reads a key file: opened without waiting, judged by its open descriptor (so that nobody can
 * exchange it in between), and into memory that is wiped.
 *
 * What a file is comes before who may read it: a public key need not be private, and the sentence
 * about the wrong kind helps more.
 */
#include "file/file.h"

#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MOST = 1 << 20, /* bytes: a secret of 64 KiB takes 93,000, 4,096 peers 500,000 */
    REASON_SIZE = 80     /* bytes of the system's reason */
};

int
duet__file_refuse(duet_where *where, int result, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(where->reason, sizeof where->reason, format, list);
    va_end(list);
    return result;
}

static int
is_private(enum duet_kind kind)
{
    return kind == DUET_KIND_SECRET || kind == DUET_KIND_IDENTITY || kind == DUET_KIND_SEALED;
}

/** The cure of a file that is damaged. */
static const char *
cure_of(enum duet_kind wanted)
{
    return is_private(wanted) ? "copy it anew from where it is whole, or make one with duet keygen"
                              : "see FILES in duet(1)";
}

/** The file could not be opened, for errno's reason. */
static int
not_opened(const char *path, enum duet_kind wanted, duet_where *where)
{
    int reason = errno;
    char text[REASON_SIZE];
    const char *cure = "";
    struct stat status;

    duet__os_reason(text, sizeof text, reason);
    if (reason == ENOENT && lstat(path, &status) == 0 && S_ISLNK(status.st_mode))
        return duet__file_refuse(where, DUET_E_IO, "is a link to a file that is not there");
    if (reason == ENOENT || reason == ENOTDIR)
        cure = "; is the path right?";
    else if (reason == EACCES)
        cure = "; give it to the user that runs duet (chown)";
    return duet__file_refuse(where, DUET_E_IO, "%s%s%s", text, cure,
                             reason == ENOENT && is_private(wanted) ? " duet keygen makes a key"
                                                                    : "");
}

static int
check_status(const struct stat *status, enum duet_kind wanted, duet_where *where)
{
    if (S_ISDIR(status->st_mode))
        return duet__file_refuse(
            where, DUET_E_IO, "is a folder where a file is meant; only a listener's -k takes one");
    if (!S_ISREG(status->st_mode))
        return duet__file_refuse(where, DUET_E_IO, "is not a regular file; copy it into one");
    if (status->st_size == 0)
        return duet__file_refuse(where, DUET_E_IO, "is empty; %s", cure_of(wanted));
    if (status->st_size > FILE_MOST)
        return duet__file_refuse(where, DUET_E_IO, "is too large for such a file (%lld bytes); %s",
                                 (long long)status->st_size, cure_of(wanted));
    return DUET_OK;
}

/** Read what is there, up to room bytes: a file that grows meanwhile is cut off. */
static int
read_all(struct duet__file *file, int fd, size_t room, duet_where *where)
{
    char text[REASON_SIZE];

    while (file->size < room) {
        ssize_t n = read(fd, file->text + file->size, room - file->size);
        if (n == 0)
            break;
        if (n > 0) {
            file->size += (size_t)n;
        } else if (errno != EINTR) {
            duet__os_reason(text, sizeof text, errno);
            return duet__file_refuse(where, DUET_E_IO, "%s", text);
        }
    }
    return DUET_OK;
}

/** Judge the open file, and read it. */
static int
read_open(struct duet__file *file, int fd, const char *path, enum duet_kind wanted,
          duet_where *where)
{
    char text[REASON_SIZE];
    struct stat status;

    if (fstat(fd, &status) != 0) {
        duet__os_reason(text, sizeof text, errno);
        return duet__file_refuse(where, DUET_E_IO, "%s", text);
    }
    int result = check_status(&status, wanted, where);
    if (result != DUET_OK)
        return result;
    duet__os_rights(&file->rights, &status, path);
    file->text = malloc((size_t)status.st_size);
    if (file->text == NULL)
        return DUET_E_MEMORY;
    return read_all(file, fd, (size_t)status.st_size, where);
}

int
duet__file_read(struct duet__file *file, const char *path, enum duet_kind wanted, duet_where *where)
{
    memset(file, 0, sizeof *file);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return not_opened(path, wanted, where);
    int result = read_open(file, fd, path, wanted, where);
    close(fd);
    if (result != DUET_OK)
        duet__file_free(file);
    return result;
}

void
duet__file_free(struct duet__file *file)
{
    if (file->text != NULL)
        duet_wipe(file->text, file->size);
    free(file->text);
    memset(file, 0, sizeof *file);
}

/** Refuse another kind of text. */
static int
check_kind(const struct duet__file *file, enum duet_kind wanted, duet_where *where)
{
    static const char *const names[] = {
        [DUET_KIND_SECRET] = "a shared secret",
        [DUET_KIND_IDENTITY] = "an identity",
        [DUET_KIND_PEERS] = "a peers file",
        [DUET_KIND_PROFILE] = "a profile",
        [DUET_KIND_SEALED] = "sealed with a passphrase",
    };
    enum duet_kind kind = duet_kind_of(file->text, file->size);
    int bare = kind == DUET_KIND_UNKNOWN && duet__is_bare_key(file->text, file->size);

    if (kind != DUET_KIND_UNKNOWN && kind != wanted) {
        where->found = kind;
        return duet__file_refuse(where, DUET_E_FORMAT, "is %s, not %s", names[kind], names[wanted]);
    }
    if (bare && wanted == DUET_KIND_SECRET)
        return duet__file_refuse(where, DUET_E_FORMAT,
                                 "is a single key; -k takes a shared secret (duet keygen makes "
                                 "one)");
    if (bare && wanted == DUET_KIND_PEERS)
        return duet__file_refuse(where, DUET_E_FORMAT,
                                 "holds a key alone; write [Peer NAME] above it, and PublicKey = "
                                 "in front of it");
    return DUET_OK;
}

int
duet__file_check(const struct duet__file *file, enum duet_kind wanted, duet_where *where)
{
    int result = check_kind(file, wanted, where);

    if (result == DUET_OK && duet__os_rights_fault(&file->rights, is_private(wanted), where->reason,
                                                   sizeof where->reason) != 0)
        result = DUET_E_IO;
    return result;
}
