/*
 * The upgrade of the program without a lost connection, in the old process: it starts the program
 * again from the same path, hands over its listening sockets and its replay cache, and waits until
 * the new process is ready to serve. What the new process does is in takeover.h; what follows in
 * this one, in handover.c and workers.c.
 *
 * The two talk over a pair of sockets, a message each way: the new process is ready, and then the
 * old one has stopped accepting. A new process that fails or does not answer in time changes
 * nothing. What is started here is the parent of the process that serves, and ends once that one is
 * ready: so the latter becomes a child of systemd, which must notice its end, and not of this one.
 */
#ifndef DUET_TUNNEL_UPGRADE_H
#define DUET_TUNNEL_UPGRADE_H

#include "sockets.h"

#include <stdint.h>
#include <sys/types.h>

/* The variable by which a new process knows: the descriptor of the list of what it is handed over,
 * and that of its end of the pair. */
#define UPGRADE_VARIABLE "DUET_UPGRADE"

/* Records of the list, each ended by a zero byte: */
#define UPGRADE_LIST   "duet-upgrade 1"
#define UPGRADE_FIRST  UPGRADE_LIST " %u %d %u" /* workers; the cache: descriptor, entries */
#define UPGRADE_SOCKET "%u %u" /* worker, count; then descriptors and the address */

enum { UPGRADE_GO_BYTE = 'g', UPGRADE_MS = 30000 };

/** One that is under way. */
struct upgrade {
    pid_t pid;     /* what was started, in a process group of that number; 0: none is under way */
    int32_t ready; /* the process that is ready to serve, which is what it answers; 0: not yet */
    int answer;
    uint64_t end_ms;
};

/** What is handed over. */
struct upgrade_parts {
    const struct sockets *const *sets; /* of each worker */
    unsigned workers;
    int replay_fd; /* -1: this system cannot hand the cache over */
    unsigned replay_entries;
};

enum upgrade_state { UPGRADE_WAITS, UPGRADE_IS_READY, UPGRADE_FAILED };

/** Start the new process. Returns an exit code, the cause logged; EXIT_DONE: upgrade->answer
 * becomes readable, or the time is over. */
int upgrade_start(struct upgrade *upgrade, const struct upgrade_parts *parts);

/** What has become of it, also of one that was ready before. When it has failed, it is logged, and
 * none is under way. */
enum upgrade_state upgrade_look(struct upgrade *upgrade);

/** It is ready and this process accepts nothing more: let it serve, and tell systemd. None is under
 * way then. */
void upgrade_go(struct upgrade *upgrade);

/** End the new process, if there is one, and log why. */
void upgrade_cancel(struct upgrade *upgrade, const char *why);

#endif
