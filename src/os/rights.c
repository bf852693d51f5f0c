/*
 * Who may read and write a file that decides whom this process trusts, or that holds a secret: its
 * owner, its mode and its folder, as ssh's StrictModes looks at them.
 *
 * The owner is what counts: who may write in the folder can put only files of their own there, or
 * move others of the owner's to this name.
 */
#include "os/rights.h"

#include "os/environment.h"
#include "os/os.h"

#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    OTHERS_READ_OR_WRITE = 066, /* group and all others */
    OTHERS_WRITE = 022,
    GROUP_READ = 040,
    GROUPS_MOST = 1024
};

/** The user that root becomes next; 0: none. */
static struct {
    uid_t user;
    const gid_t *groups;
    size_t count;
} next;

void
duet__os_rights_next(uid_t user, const gid_t *groups, size_t count)
{
    next.user = user;
    next.groups = groups;
    next.count = count;
}

/** Does root judge files for another user? */
static int
is_for_next(void)
{
    return next.user != 0 && geteuid() == 0;
}

int
duet__os_is_credential(const char *path)
{
    const char *folder = duet__os_environment("CREDENTIALS_DIRECTORY");
    size_t size = folder != NULL ? strlen(folder) : 0;

    return size > 0 && strncmp(path, folder, size) == 0 && path[size] == '/' &&
           strstr(path + size, "/../") == NULL;
}

/** May everybody write in the folder where the path's name is, though this process's user could
 * forbid it? A sticky folder keeps others from moving files, a read-only file system everyone. */
static int
has_open_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    struct stat status;
    struct statvfs system;
    int size = snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path) : 1,
                        slash != NULL ? path : ".");

    if (size < 0 || (size_t)size >= sizeof folder)
        return 0;
    if (stat(size > 0 ? folder : "/", &status) != 0 || status.st_uid != geteuid() ||
        (status.st_mode & (S_IWOTH | S_ISVTX)) != S_IWOTH)
        return 0;
    return statvfs(size > 0 ? folder : "/", &system) != 0 || (system.f_flag & ST_RDONLY) == 0;
}

void
duet__os_rights(struct duet__os_rights *rights, const struct stat *status, const char *path)
{
    *rights = (struct duet__os_rights){
        .mode = (unsigned)status->st_mode & 0777,
        .owner = (unsigned long)status->st_uid,
        .group = (unsigned long)status->st_gid,
        .credential = duet__os_is_credential(path),
        .open_folder = has_open_folder(path),
    };
}

/** May a file of this user decide whom this process trusts? Who became root by sudo may use what
 * is theirs. */
static int
is_trusted_owner(unsigned long owner)
{
    const char *sudo = geteuid() == 0 ? duet__os_environment("SUDO_UID") : NULL;

    if (owner == 0 || owner == (unsigned long)geteuid() || duet__os_owner_hidden(owner))
        return 1;
    if (is_for_next() && owner == (unsigned long)next.user)
        return 1;
    return sudo != NULL && owner == strtoul(sudo, NULL, 10);
}

/** May this process read by a group, or will it when it is no longer root? */
static int
is_own_group(unsigned long group)
{
    gid_t groups[GROUPS_MOST];
    int count = geteuid() != 0 ? getgroups(GROUPS_MOST, groups) : 0;

    if (geteuid() != 0 && group == (unsigned long)getegid())
        return 1;
    for (int i = 0; i < count; i++)
        if (group == (unsigned long)groups[i])
            return 1;
    for (size_t i = 0; is_for_next() && i < next.count; i++)
        if (group == (unsigned long)next.groups[i])
            return 1;
    return 0;
}

/** May others do what the mode lets them? A file that root gave to this process's group is one, as
 * the process could not read it otherwise. */
static int
is_private(const struct duet__os_rights *rights)
{
    unsigned others = rights->mode & OTHERS_READ_OR_WRITE;

    return others == 0 ||
           (others == GROUP_READ && rights->owner == 0 && is_own_group(rights->group));
}

int
duet__os_rights_fault(const struct duet__os_rights *rights, int private, char *reason, size_t cap)
{
    int root_s = rights->owner == 0 && (geteuid() != 0 || is_for_next());

    if (rights->credential)
        return 0;
    if (!is_trusted_owner(rights->owner))
        snprintf(reason, cap,
                 "belongs to another user (%lu), who can change it; chown it to root or to the "
                 "user that runs duet",
                 rights->owner);
    else if (private && !is_private(rights))
        snprintf(reason, cap, "others can read or write it (mode %03o); %s", rights->mode,
                 root_s ? "give it to the user that runs duet and chmod 600 it, or to its group "
                          "and chmod 640 it"
                        : "chmod 600 it");
    else if (!private && (rights->mode & OTHERS_WRITE) != 0)
        snprintf(reason, cap, "%s can write it (mode %03o); chmod 644 it",
                 (rights->mode & S_IWOTH) != 0 ? "everybody" : "its group", rights->mode);
    else if (rights->open_folder)
        snprintf(reason, cap,
                 "everybody can write in its folder, and put another file in its place; chmod o-w "
                 "the folder");
    else
        return 0;
    return -1;
}
