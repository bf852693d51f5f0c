/*
 * What a process of the service offers to who watches over it: the control socket, the metrics
 * file, and the sign of life that systemd asks for.
 */
#ifndef DUET_TUNNEL_OVERSIGHT_H
#define DUET_TUNNEL_OVERSIGHT_H

#include <uv.h>

struct control;
struct metrics;
struct service;

struct oversight {
    struct control *control; /* NULL: none */
    struct metrics *metrics; /* NULL: none */
    uv_timer_t watchdog;
};

/** Begin all that the service's settings ask for. Returns an exit code; what was begun before a
 * failure is there, and oversight_stop() ends it. */
int oversight_start(struct oversight *oversight, struct service *service);

/** End it; the loop releases it. */
void oversight_stop(struct oversight *oversight);

#endif
