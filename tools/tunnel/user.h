/*
 * Giving up root, once what needs it is done: ports are bound and keys are read.
 */
#ifndef DUET_TUNNEL_USER_H
#define DUET_TUNNEL_USER_H

/** Become a user, with its groups. NULL: stay. Returns an exit code. */
int user_become(const char *name);

#endif
