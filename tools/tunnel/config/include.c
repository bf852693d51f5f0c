/*
 * Files that a configuration includes (see include.h): glob(3), with the folder taken literally.
 */
#include "include.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATTERN_MOST = 8192 }; /* bytes: a folder, each of its bytes escaped, and a value */

static const char wildcards[] = "*?[\\";

/** Write a folder so that glob() finds no wildcard in it. Returns its size; cap: it does not fit.
 */
static size_t
escape(char *out, size_t cap, const char *folder)
{
    size_t size = 0;

    for (; *folder != 0; folder++) {
        if (size + 3 > cap)
            return cap;
        if (strchr(wildcards, *folder) != NULL)
            out[size++] = '\\';
        out[size++] = *folder;
    }
    out[size] = 0;
    return size;
}

/** A folder that is not there has no files; any other reason not to read one is an error. */
static int
is_unreadable(const char *path, int error)
{
    (void)path;
    return error != ENOENT && error != ENOTDIR;
}

static int
compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
refuse(char why[OPTION_WHY], const char *reason)
{
    snprintf(why, OPTION_WHY, "%s", reason);
    return -1;
}

static int
find_matches(struct strlist *found, const char *pattern, char why[OPTION_WHY])
{
    glob_t matches = {0};
    int code = glob(pattern, GLOB_NOSORT, is_unreadable, &matches), result = 0;

    if (code == GLOB_ABORTED)
        result = refuse(why, "a folder of this pattern cannot be read");
    else if (code != 0 && code != GLOB_NOMATCH)
        result = refuse(why, "no memory");
    if (code == 0)
        qsort(matches.gl_pathv, matches.gl_pathc, sizeof *matches.gl_pathv, compare_paths);
    for (size_t i = 0; code == 0 && result == 0 && i < matches.gl_pathc; i++)
        if (strlist_add(found, matches.gl_pathv[i]) != 0)
            result = refuse(why, "no memory");
    globfree(&matches);
    return result;
}

int
include_find(struct strlist *found, const char *folder, const char *value, char why[OPTION_WHY])
{
    char pattern[PATTERN_MOST];
    size_t size = 0;

    if (value[0] == 0)
        return refuse(why, "has no value; name a file, or a pattern such as conf.d/*.conf");
    if (value[0] == '/')
        folder = "";
    if (strpbrk(value, wildcards) == NULL)
        size = (size_t)snprintf(pattern, sizeof pattern, "%s", folder);
    else
        size = escape(pattern, sizeof pattern, folder);
    if (size >= sizeof pattern || strlen(value) >= sizeof pattern - size)
        return refuse(why, "the path is too long");
    memcpy(pattern + size, value, strlen(value) + 1);
    if (strpbrk(value, wildcards) != NULL)
        return find_matches(found, pattern, why);
    return strlist_add(found, pattern) == 0 ? 0 : refuse(why, "no memory");
}

int
include_same(const char *a, const char *b)
{
    struct stat one, other;

    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}
