/*
 * Whose the files of Unix sockets are: `socket-mode`, `socket-owner` and `socket-group`.
 */
#ifndef DUET_TUNNEL_SOCKET_RIGHTS_H
#define DUET_TUNNEL_SOCKET_RIGHTS_H

#include <sys/types.h>

struct tunnel_settings;

/** What a tunnel's settings ask for. */
struct socket_rights {
    int has_mode;
    mode_t mode;
    uid_t owner; /* -1: as it is */
    gid_t group; /* the same */
};

/** Find it out. Returns NULL, or the fault as a sentence that names the setting. Room: for it. */
const char *socket_rights_find(struct socket_rights *rights, const struct tunnel_settings *tunnel,
                               char room[256]);

/** Before a socket is made: let its file have the mode from its first moment. Returns the umask
 * from before, for umask(2). */
mode_t socket_rights_mask(const struct socket_rights *rights);

/** Give a socket's file its owner and mode. Returns 0, or -1 with errno. */
int socket_rights_set(const struct socket_rights *rights, const char *path);

#endif
