/*
 * The admin parts of a process: its control socket, the metrics file, HTTP for monitoring, and
 * systemd's watchdog.
 */
#ifndef DUET_TUNNEL_ADMIN_H
#define DUET_TUNNEL_ADMIN_H

#include "view.h"

struct control;
struct http;
struct metrics;

struct admin {
    struct control *control; /* NULL: none */
    struct metrics *metrics; /* NULL: none */
    struct http *http;       /* NULL: none */
    uv_timer_t watchdog;
};

/** Could each of the workers have its control socket? Removes those that dead processes left.
 * takes_over 1: the process before serves some still. Returns an exit code, the cause logged. */
int admin_check(const struct settings *settings, unsigned workers, int takes_over);

/** Begin what the settings ask for. Returns an exit code; admin_stop() in any case. A worker that
 * cannot have its control socket goes on without: otherwise it would be restarted forever. */
int admin_start(struct admin *admin, struct admin_view *view);

/** A reload: serve HTTP where the settings say now, and make a control socket anew whose file was
 * removed. */
void admin_renew(struct admin *admin, struct admin_view *view);

/** The sockets that HTTP listens on will be closed. */
void admin_drain(struct admin *admin);

/** Another process has taken over: leave the metrics file and HTTP to it. Its control socket takes
 * the place of this one, where nobody finds this process any more. */
void admin_leave(struct admin *admin);

/** End it; the loop releases it. */
void admin_stop(struct admin *admin);

#endif
