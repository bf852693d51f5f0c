/*
 * Patterns of files that are left out (see filter.h), matched by libc's fnmatch().
 */
#include "filter.h"

#include "log.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

int
filter_add(struct filter *filter, int includes, const char *pattern)
{
    size_t size = strlen(pattern) + 2;
    char *signed_pattern = malloc(size);

    if (signed_pattern == NULL)
        return -1;
    snprintf(signed_pattern, size, "%c%s", includes ? '+' : '-', pattern);
    int result = strlist_add(&filter->patterns, signed_pattern);
    free(signed_pattern);
    return result;
}

int
filter_add_file(struct filter *filter, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    int bad = 0;

    if (file == NULL)
        return log_error(EXIT_USAGE, "--exclude-from %s: %s", printable(path), errno_text());
    while (!bad && (size = getline(&line, &room, file)) >= 0) {
        while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
            line[--size] = 0;
        if (size > 0 && line[0] != '#')
            bad = filter_add(filter, line[0] == '!', line + (line[0] == '!'));
    }
    bad |= ferror(file) != 0;
    int error = errno;
    free(line);
    fclose(file);
    errno = error;
    return bad ? log_error(EXIT_LIMIT, "--exclude-from %s: %s", printable(path), errno_text())
               : EXIT_DONE;
}

/** Match a pattern with slashes against a name, component by component. */
static int
match_path(const char *pattern, const char *name)
{
    char component[256];

    if (strncmp(pattern, "**/", 3) == 0) { /* any number of folders */
        for (const char *at = name; at != NULL; at = strchr(at, '/')) {
            at += *at == '/';
            if (match_path(pattern + 3, at))
                return 1;
        }
        return 0;
    }
    if (strcmp(pattern, "**") == 0)
        return 1;
    const char *rest = strchr(pattern, '/'), *below = strchr(name, '/');
    size_t size = rest != NULL ? (size_t)(rest - pattern) : strlen(pattern);
    if ((rest == NULL) != (below == NULL) || size >= sizeof component)
        return 0;
    if (rest == NULL)
        return fnmatch(pattern, name, 0) == 0;
    memcpy(component, pattern, size);
    component[size] = 0;
    char first[256];
    size = (size_t)(below - name);
    if (size >= sizeof first)
        return 0;
    memcpy(first, name, size);
    first[size] = 0;
    return fnmatch(component, first, 0) == 0 && match_path(rest + 1, below + 1);
}

static int
match_pattern(const char *pattern, const char *name, int is_folder)
{
    char text[4096];
    size_t size = strlen(pattern);

    if (size == 0 || size >= sizeof text)
        return 0;
    memcpy(text, pattern, size + 1);
    if (text[size - 1] == '/') {
        if (!is_folder)
            return 0;
        text[--size] = 0;
    }
    if (strchr(text, '/') == NULL) {
        const char *last = strrchr(name, '/');
        return fnmatch(text, last != NULL ? last + 1 : name, 0) == 0;
    }
    return match_path(text + (text[0] == '/'), name);
}

int
filter_omits(const struct filter *filter, const char *name, int is_folder)
{
    for (size_t i = filter->patterns.count; i > 0; i--) {
        const char *pattern = filter->patterns.at[i - 1];
        if (match_pattern(pattern + 1, name, is_folder))
            return pattern[0] == '-';
    }
    return 0;
}

void
filter_free(struct filter *filter)
{
    strlist_free(&filter->patterns);
}
