/*
 * One-time secrets (see one_time.h).
 *
 * A claim is a rename within the folder: exactly one process's succeeds, and from then on nobody
 * finds the secret under its name, also after a crash. Then its content is overwritten and the file
 * is removed. What a disk or a copy keeps beside that is not in this program's power.
 */
#include "one_time.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HIDDEN = 64 };

/** A file that is destroyed: its folder is open. */
struct claim {
    const char *path;    /* as the user knows it */
    const char *name;    /* within the folder */
    char hidden[HIDDEN]; /* its name from the claim on */
    int folder;
};

/** The name within its folder, whose path is written to folder. NULL: it is too long. */
static const char *
name_within(char folder[PATH_MAX], const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t size = slash != NULL ? (size_t)(slash - path) : 0;

    if (size >= PATH_MAX)
        return NULL;
    memcpy(folder, path, size);
    folder[size] = 0;
    if (size == 0)
        memcpy(folder, slash != NULL ? "/" : ".", 2);
    return slash != NULL ? slash + 1 : path;
}

static int
fail(const char *path, const char *what)
{
    return log_error(EXIT_KEY, "%s: %s: %s", printable(path), what, errno_text());
}

int
one_time_mark(struct key_mark *mark, const char *path)
{
    char folder[PATH_MAX];
    struct stat status;

    if (lstat(path, &status) != 0)
        return log_error(EXIT_KEY, "%s: %s", printable(path), errno_text());
    if (!S_ISREG(status.st_mode))
        return log_error(EXIT_KEY,
                         "%s: is no file of its own, so --one-time could not destroy it; name the "
                         "file itself",
                         printable(path));
    if (status.st_nlink != 1)
        return log_error(EXIT_KEY,
                         "%s: has another name (a hard link), under which it could be used again; "
                         "remove that first",
                         printable(path));
    if (name_within(folder, path) == NULL)
        return log_error(EXIT_KEY, "%s: the name is too long", printable(path));
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0 ||
        faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) != 0)
        return log_error(EXIT_KEY,
                         "%s: %s: --one-time could not destroy it after use; it has to lie in a "
                         "folder that you can write to, and be writable itself",
                         printable(path), errno_text());
    *mark = (struct key_mark){.device = status.st_dev, .number = status.st_ino};
    return EXIT_DONE;
}

/* ---- The claim ---- */

/** Put the folder's names on disk. Returns 0, or -1. */
static int
sync_names(const struct claim *claim)
{
    /* EINVAL: a file system that has no such thing */
    return fsync(claim->folder) == 0 || errno == EINVAL ? 0 : -1;
}

/** Take the file away from its name. Returns an exit code. */
static int
take_name(const struct claim *claim)
{
    if (renameat(claim->folder, claim->name, claim->folder, claim->hidden) != 0) {
        if (errno == ENOENT)
            return log_error(EXIT_KEY,
                             "%s: this one-time secret is used up: another session took it first; "
                             "use the next one at both ends",
                             printable(claim->path));
        return fail(claim->path, "cannot be claimed for this session");
    }
    return sync_names(claim) == 0 ? EXIT_DONE
                                  : fail(claim->path, "its folder cannot be put on disk");
}

/** Another file had taken the place of the one that was loaded: it gets its name back. */
static int
give_back(const struct claim *claim)
{
    if (linkat(claim->folder, claim->hidden, claim->folder, claim->name, 0) == 0)
        (void)unlinkat(claim->folder, claim->hidden, 0);
    return log_error(EXIT_KEY, "%s: was replaced since it was read; start again",
                     printable(claim->path));
}

/** Write zeros over the content, and put them on disk. Returns 0, or -1. */
static int
overwrite(int fd, off_t size)
{
    static const uint8_t zeros[4096];
    off_t at = 0;

    while (at < size) {
        size_t most = size - at < (off_t)sizeof zeros ? (size_t)(size - at) : sizeof zeros;
        ssize_t n = pwrite(fd, zeros, most, at);
        if (n < 0 && errno != EINTR)
            return -1;
        at += n > 0 ? n : 0;
    }
    return fsync(fd);
}

/** Destroy what has been claimed. Returns an exit code. */
static int
destroy(const struct claim *claim, const struct key_mark *mark)
{
    struct stat status;
    int fd = openat(claim->folder, claim->hidden, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    int known = fd >= 0 && fstat(fd, &status) == 0;
    if (known && (status.st_dev != mark->device || status.st_ino != mark->number)) {
        close(fd);
        return give_back(claim);
    }
    int bad = !known || overwrite(fd, status.st_size) != 0;
    if (fd >= 0)
        close(fd);
    if (bad || unlinkat(claim->folder, claim->hidden, 0) != 0 || sync_names(claim) != 0)
        return log_error(EXIT_KEY,
                         "%s: was claimed but cannot be destroyed: %s; it is called %s now, remove "
                         "that by hand",
                         printable(claim->path), errno_text(), claim->hidden);
    return EXIT_DONE;
}

static int
claim_file(const char *path, const struct key_mark *mark, const char *id)
{
    char folder[PATH_MAX];
    struct claim claim = {.path = path, .name = name_within(folder, path)};

    (void)snprintf(claim.hidden, sizeof claim.hidden, ".%s.used", id);
    claim.folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (claim.folder < 0)
        return fail(path, "its folder cannot be opened");
    int code = take_name(&claim);
    if (code == EXIT_DONE)
        code = destroy(&claim, mark);
    close(claim.folder);
    return code;
}

int
one_time_claim(const struct key_facts *facts, const uint8_t id[DUET_SECRET_ID_SIZE])
{
    char text[2 * DUET_SECRET_ID_SIZE + 1];
    int code = EXIT_DONE;

    to_hex(text, id, DUET_SECRET_ID_SIZE);
    for (size_t i = 0; i < facts->secret_count && code == EXIT_DONE; i++)
        if (memcmp(facts->secrets[i], id, DUET_SECRET_ID_SIZE) == 0) /* public: an id */
            code = claim_file(facts->paths.at[i], &facts->marks[i], text);
    if (code == EXIT_DONE)
        log_verbose("the one-time secret %s is used up, and its file destroyed", text);
    return code;
}
