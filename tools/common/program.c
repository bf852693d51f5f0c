/*
 * How this program was started (see program.h).
 */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_MOST = 4096 };

static char started_path[PATH_MOST]; /* "": not known */
static const char *const *started_arguments;

/** Join a folder and a name in started_path. Returns 1 when a program is there. */
static int
try_folder(const char *folder, size_t size, const char *name)
{
    int n = snprintf(started_path, sizeof started_path, "%.*s/%s", (int)size, folder, name);

    if (n > 0 && (size_t)n < sizeof started_path && access(started_path, X_OK) == 0)
        return 1;
    started_path[0] = 0;
    return 0;
}

/** Find a name as execvp(3) does: in the folders of $PATH, of which an empty one is this folder. */
static void
find_in_path(const char *name, const char *here)
{
    const char *at = getenv("PATH");

    while (at != NULL) {
        size_t size = strcspn(at, ":");
        if (at[0] == '/' ? try_folder(at, size, name)
                         : size == 0 && try_folder(here, strlen(here), name))
            return;
        at = at[size] != 0 ? at + size + 1 : NULL;
    }
}

void
program_started(const char *const *arguments)
{
    char here[PATH_MOST];
    const char *name = arguments[0];

    started_arguments = arguments;
    if (name == NULL || getcwd(here, sizeof here) == NULL)
        return;
    if (strchr(name, '/') == NULL)
        find_in_path(name, here);
    else if (name[0] == '/')
        snprintf(started_path, sizeof started_path, "%s", name);
    else
        (void)try_folder(here, strlen(here), name);
}

const char *
program_path(void)
{
    return started_path[0] != 0 ? started_path : NULL;
}

const char *const *
program_arguments(void)
{
    return started_arguments;
}
