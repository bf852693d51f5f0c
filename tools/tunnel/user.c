/*
 * Giving up root, and users and groups by name or number (see user.h).
 */
#include "user.h"

#include "log.h"
#include "os/os.h"
#include "os/rights.h"
#include "values.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { GROUPS_MOST = 1024 };

static const char *
reason_or(const char *why)
{
    return errno != 0 ? errno_text() : why;
}

const char *
user_find_group(gid_t *group, const char *text)
{
    uint64_t number;

    if (parse_number(&number, text, 0, UINT32_MAX - 1) == 0) {
        *group = (gid_t)number;
        return NULL;
    }
    errno = 0;
    const struct group *entry = getgrnam(text);
    if (entry == NULL)
        return reason_or("there is no such group");
    *group = entry->gr_gid;
    return NULL;
}

/** Find a user: by name, or by a number that need not be in the system's list. */
static const char *
find_user(struct user_ids *ids, const char *text)
{
    uint64_t number;
    int is_number = parse_number(&number, text, 0, UINT32_MAX - 1) == 0;

    errno = 0;
    const struct passwd *entry = is_number ? getpwuid((uid_t)number) : getpwnam(text);
    if (entry == NULL && !is_number)
        return reason_or("there is no such user");
    ids->user = entry != NULL ? entry->pw_uid : (uid_t)number;
    if (entry == NULL)
        return NULL;
    ids->group = entry->pw_gid;
    ids->has_group = 1;
    snprintf(ids->name, sizeof ids->name, "%s", entry->pw_name);
    return NULL;
}

const char *
user_find(struct user_ids *ids, const char *text)
{
    char user[128];
    const char *colon = strchr(text, ':');
    size_t size = colon != NULL ? (size_t)(colon - text) : strlen(text);

    memset(ids, 0, sizeof *ids);
    if (size == 0 || size >= sizeof user)
        return "must be USER or USER:GROUP, as names or numbers";
    memcpy(user, text, size);
    user[size] = 0;
    const char *why = find_user(ids, user);
    if (why != NULL || colon == NULL)
        return why;
    ids->has_group = 1;
    return user_find_group(&ids->group, colon + 1);
}

void
user_expect(const struct user_ids *ids)
{
    static gid_t groups[GROUPS_MOST];
    int count = GROUPS_MOST;

    if (geteuid() != 0 || ids->user == 0)
        return;
    if (ids->name[0] == 0 || getgrouplist(ids->name, ids->group, groups, &count) < 0) {
        groups[0] = ids->group;
        count = 1;
    }
    duet__os_rights_next(ids->user, groups, (size_t)count);
}

/** Take the groups of a user. Returns 0, or -1 with errno. */
static int
take_groups(const struct user_ids *ids)
{
    int result = ids->name[0] != 0 ? initgroups(ids->name, ids->group) : setgroups(1, &ids->group);

    return result == 0 ? setgid(ids->group) : -1;
}

int
user_become(const char *text)
{
    struct user_ids ids;

    if (text == NULL)
        return EXIT_DONE;
    const char *why = user_find(&ids, text);
    if (why == NULL && !ids.has_group)
        why = "this user has no group here; write USER:GROUP, such as 1000:1000";
    if (why != NULL)
        return log_error(EXIT_USAGE, "--user %s: %s", printable(text), why);
    if (ids.user == geteuid() && (strchr(text, ':') == NULL || ids.group == getegid()))
        return EXIT_DONE;
    if (take_groups(&ids) != 0 || setuid(ids.user) != 0)
        return log_error(EXIT_USAGE, "--user %s: %s; only root may become another user",
                         printable(text), errno_text());
    if (ids.user != 0 && setuid(0) == 0)
        return log_error(EXIT_FAILED, "--user %s: root could be had back", printable(text));
    /* Linux allows dumps and debuggers again when the user changes. */
    if (duet__os_no_dumps() != 0)
        return log_error(EXIT_FAILED, "--user %s: core dumps could not be turned off again",
                         printable(text));
    return EXIT_DONE;
}
