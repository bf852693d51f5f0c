/*
 * A temporary folder (see folder.h).
 */
#include "folder.h"
#include "fuzz.h"
#include "walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH = 256 };

static char root[PATH];
static int before = -1; /* the working folder outside of a run */

/** The walk's call for each entry: the folder itself goes only if *itself. */
static int
remove_entry(void *itself, const struct walk_entry *entry)
{
    if (*entry->below == 0 && !*(const int *)itself)
        return 0;
    if (entry->kind == WALK_FOLDER)
        chmod(entry->path, 0700);
    else if (entry->kind == WALK_FOLDER_DONE)
        rmdir(entry->path);
    else
        unlink(entry->path);
    return 0;
}

static void
remove_all(const char *path, int itself)
{
    const struct walk walk = {.visit = remove_entry, .context = &itself};

    need(walk_tree(&walk, path) == 0);
}

static void
leave(void)
{
    remove_all(root, 1);
}

void
folder_begin(void)
{
    if (root[0] == 0) {
        const char *above = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
        snprintf(root, sizeof root, "%s/duet-fuzz-XXXXXX", above != NULL ? above : "/tmp");
        need(mkdtemp(root) != NULL && atexit(leave) == 0);
        before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    need(before >= 0 && chdir(root) == 0);
}

void
folder_end(void)
{
    remove_all(root, 0);
    need(fchdir(before) == 0);
}

void
folder_make(const char *path, const void *content, size_t size)
{
    char above[PATH];

    for (const char *end = strchr(path, '/'); end != NULL; end = strchr(end + 1, '/')) {
        snprintf(above, sizeof above, "%.*s", (int)(end - path), path);
        (void)mkdir(above, 0700); /* it may be there */
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    need(fd >= 0 && write(fd, content, size) == (ssize_t)size);
    close(fd);
}

void
folder_link(const char *path, const char *to)
{
    need(symlink(to, path) == 0);
}

int
folder_is(const char *path, const void *content, size_t size)
{
    const char *expected = content;
    char part[4096];
    size_t at = 0;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    while (fd >= 0 && (n = read(fd, part, sizeof part)) > 0) {
        if ((size_t)n > size - at || memcmp(part, expected + at, (size_t)n) != 0)
            break;
        at += (size_t)n;
    }
    int same = fd >= 0 && n == 0 && at == size;
    if (fd >= 0)
        close(fd);
    return same;
}

long
folder_size(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISREG(status.st_mode) ? (long)status.st_size : -1;
}

unsigned
folder_count(const char *path)
{
    DIR *folder = opendir(path);
    unsigned count = 0;

    need(folder != NULL);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count - 2; /* . and .. */
}
