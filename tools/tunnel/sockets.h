/*
 * The listening sockets of a configuration: opened before root is given up, kept over reloads as
 * long as an address stays, shared by the workers or one for each.
 *
 * The supervisor keeps a worker's sockets open too, so that what waits in one of them is served by
 * the next worker if this one dies.
 */
#ifndef DUET_TUNNEL_SOCKETS_H
#define DUET_TUNNEL_SOCKETS_H

#include "listen.h"
#include "settings.h"

#include <stddef.h>

/** The sockets of one address. */
struct socket_entry {
    char *address;
    struct listener listener;
    int lent; /* 1: another set owns the descriptors, which closes and removes them */
};

struct sockets {
    struct socket_entry *entries;
    size_t count;
};

/** Open what the settings name and the set lacks. With several workers each has a socket of its own
 * for a port of first (NULL: there is no such set); what cannot be opened twice is taken from
 * first. Returns an exit code, and leaves the set as it was on failure. */
int sockets_open(struct sockets *sockets, const struct settings *settings, enum listen_mode mode,
                 const struct sockets *first);

/** Add sockets (owned) that the process before had at an address. Its files stay that process's
 * until sockets_own(). Returns an exit code. */
int sockets_take(struct sockets *sockets, const char *address, const int *fds, unsigned count);

/** That process has left: the files of Unix sockets are this set's, to be removed at the end, and
 * get the rights of the settings. */
void sockets_own(struct sockets *sockets, const struct settings *settings);

/** Could workers listen on what these settings name and the old ones do not, and keep the rest?
 * Returns an exit code. */
int sockets_check(const struct settings *settings, const struct settings *old);

/** Close those that the settings do not name, and those that a new one has taken the place of. */
void sockets_keep(struct sockets *sockets, const struct settings *settings);

/** Close what sockets_open() added for a configuration that is not taken over: these settings are
 * still those in use. */
void sockets_return(struct sockets *sockets, const struct settings *settings);

/** The sockets of an address, on which this tunnel may listen; NULL: there are none, or it may not,
 * which is logged. */
const struct listener *sockets_for(const struct sockets *sockets,
                                   const struct tunnel_settings *tunnel, const char *address);

/** Close all but those of UDP. */
void sockets_keep_udp(struct sockets *sockets);

/** Close those that another set does not share. */
void sockets_leave(struct sockets *sockets, const struct sockets *borrower);

/** Close all; owner 1: and remove the files of Unix sockets. */
void sockets_close(struct sockets *sockets, int owner);

#endif
