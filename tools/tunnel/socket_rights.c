/*
 * Modes and owners of the files of Unix sockets (see socket_rights.h).
 */
#include "socket_rights.h"

#include "log.h"
#include "settings.h"
#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE_MOST = 0777 };

/** An octal number such as 660 or 0660. Returns 0, or -1. */
static int
parse_mode(mode_t *mode, const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 8);

    if (text[0] < '0' || text[0] > '7' || *end != 0 || number > MODE_MOST)
        return -1;
    *mode = (mode_t)number;
    return 0;
}

const char *
socket_rights_find(struct socket_rights *rights, const struct tunnel_settings *t, char room[256])
{
    struct user_ids ids;
    const char *why = NULL, *name = "socket-mode", *value = t->socket_mode;

    *rights = (struct socket_rights){0, 0, (uid_t)-1, (gid_t)-1};
    rights->has_mode = t->socket_mode != NULL;
    if (rights->has_mode && parse_mode(&rights->mode, t->socket_mode) != 0)
        why = "must be three octal digits, such as 660";
    if (why == NULL && t->socket_owner != NULL) {
        name = "socket-owner";
        value = t->socket_owner;
        why = user_find(&ids, t->socket_owner);
        rights->owner = ids.user;
    }
    if (why == NULL && t->socket_group != NULL) {
        name = "socket-group";
        value = t->socket_group;
        why = user_find_group(&rights->group, t->socket_group);
    }
    if (why != NULL)
        snprintf(room, 256, "%s %s: %s", name, printable_word(value), why);
    return why != NULL ? room : NULL;
}

mode_t
socket_rights_mask(const struct socket_rights *rights)
{
    mode_t before = umask(0);

    (void)umask(rights->has_mode ? MODE_MOST & ~rights->mode : before);
    return before;
}

int
socket_rights_set(const struct socket_rights *rights, const char *path)
{
    struct stat status;

    if (lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return -1;
    if ((rights->owner != (uid_t)-1 && rights->owner != status.st_uid) ||
        (rights->group != (gid_t)-1 && rights->group != status.st_gid))
        if (lchown(path, rights->owner, rights->group) != 0)
            return -1;
    if (rights->has_mode && (status.st_mode & MODE_MOST) != rights->mode)
        return fchmodat(AT_FDCWD, path, rights->mode, AT_SYMLINK_NOFOLLOW);
    return 0;
}
