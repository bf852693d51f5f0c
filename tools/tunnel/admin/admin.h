/*
 * What a process of the service offers to who watches over it: the control socket, the metrics
 * file, and the sign of life that systemd asks for.
 */
#ifndef DUET_TUNNEL_ADMIN_H
#define DUET_TUNNEL_ADMIN_H

#include <uv.h>

struct control;
struct metrics;
struct service;

struct oversight {
    struct control *control; /* NULL: none */
    struct metrics *metrics; /* NULL: none */
    uv_timer_t watchdog;
};

/** Could every process have its control socket? Removes those that dead ones left. Returns an exit
 * code, the cause told. */
int oversight_check(const struct service *service);

/** Begin all that the service's settings ask for. Returns an exit code; what was begun before a
 * failure is there, and oversight_stop() ends it. A worker that can have no control socket, though
 * it could when the service began, goes on without: it would be started anew for ever. */
int oversight_start(struct oversight *oversight, struct service *service);

/** End it; the loop releases it. */
void oversight_stop(struct oversight *oversight);

#endif
