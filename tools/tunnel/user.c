/*
 * Giving up root (see user.h).
 */
#include "user.h"

#include "log.h"
#include "os/os.h"

#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

int
user_become(const char *name)
{
    if (name == NULL)
        return EXIT_DONE;
    const struct passwd *user = getpwnam(name);
    if (user == NULL)
        return log_error(EXIT_USAGE, "--user %s: there is no such user", printable(name));
    if (user->pw_uid == geteuid())
        return EXIT_DONE;
    if (initgroups(name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0)
        return log_error(EXIT_USAGE, "--user %s: %s; only root may become another user",
                         printable(name), errno_text());
    if (user->pw_uid != 0 && setuid(0) == 0)
        return log_error(EXIT_FAILED, "--user %s: root could be had back", printable(name));
    /* Linux allows dumps and debuggers again when the user changes. */
    if (duet__os_no_dumps() != 0)
        return log_error(EXIT_FAILED, "--user %s: core dumps could not be turned off again",
                         printable(name));
    return EXIT_DONE;
}
