/*
 * The upgrade of the program, in the new process (see upgrade.h for the old one): it takes the
 * listening sockets and the replay cache over, makes ready to serve, says so, and serves once the
 * old process has stopped accepting.
 */
#ifndef DUET_TUNNEL_TAKEOVER_H
#define DUET_TUNNEL_TAKEOVER_H

#include "settings.h"
#include "sockets.h"

/** What the old process handed over. */
struct takeover {
    int answer; /* -1: there is no old process */
    unsigned workers;
    int replay_fd;
    unsigned replay_entries;
    struct sockets sets[WORKERS_MOST]; /* of each worker; whoever takes one empties it here */
};

/** 1 when this process was started to take the place of another. */
int takeover_is_due(void);

/** Before anything is read or opened: go on in a child, whose parent waits for it until it is
 * ready, and ends as it does if it ends before. Returns an exit code. */
int takeover_detach(void);

/** Read what was handed over, if this process was started so, and check that the settings allow it.
 * Returns an exit code. */
int takeover_begin(struct takeover *takeover, const struct settings *settings);

/** Report that this process is ready, and wait until it may serve; nothing if there is no old one.
 * Returns an exit code: otherwise the old process goes on, and this one must end. */
int takeover_finish(struct takeover *takeover);

/** Close what nobody has taken. */
void takeover_close(struct takeover *takeover);

#endif
