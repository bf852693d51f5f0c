/*
 * Users and groups, by name or number: whom the service becomes once everything is open, and to
 * whom its Unix sockets belong.
 */
#ifndef DUET_TUNNEL_USER_H
#define DUET_TUNNEL_USER_H

#include <sys/types.h>

/** A user and a group, found. */
struct user_ids {
    uid_t user;
    gid_t group;
    int has_group; /* 1: it was named, or is the user's own */
    char name[64]; /* in the system's list; "": a number that is not there */
};

/** Find USER or USER:GROUP, each a name or a number. Returns NULL, or what is wrong with it. */
const char *user_find(struct user_ids *ids, const char *text);

/** Find a group by name or number. Returns NULL, or what is wrong with it. */
const char *user_find_group(gid_t *group, const char *text);

/** Root reads the files of a service that becomes this user: take what the user can read by itself
 * at a reload. Another process, and a user that is not found, changes nothing. */
void user_expect(const struct user_ids *ids);

/** Become a user with its groups, or USER:GROUP with that one. NULL: stay. Returns an exit code. */
int user_become(const char *text);

#endif
