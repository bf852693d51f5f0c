/*
 * The admin parts of a process: its control socket, the metrics file, and systemd's watchdog.
 */
#ifndef DUET_TUNNEL_ADMIN_H
#define DUET_TUNNEL_ADMIN_H

#include "view.h"

struct control;
struct metrics;

struct admin {
    struct control *control; /* NULL: none */
    struct metrics *metrics; /* NULL: none */
    uv_timer_t watchdog;
};

/** Could each of the workers have its control socket? Removes those that dead processes left.
 * Returns an exit code, the cause logged. */
int admin_check(const struct settings *settings, unsigned workers);

/** Begin what the settings ask for. Returns an exit code; admin_stop() in any case. A worker that
 * cannot have its control socket goes on without: otherwise it would be restarted forever. */
int admin_start(struct admin *admin, struct admin_view *view);

/** End it; the loop releases it. */
void admin_stop(struct admin *admin);

#endif
