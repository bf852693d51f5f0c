/*
 * The control socket: a Unix socket that is its owner's alone, served on the service's loop. One
 * request for each connection (see answer.h); few at a time, short, and with little time.
 */
#ifndef DUET_TUNNEL_CONTROL_H
#define DUET_TUNNEL_CONTROL_H

#include "service.h"

#include <uv.h>

struct control;

/** Listen at a path, in a folder where nobody else may write. What an earlier process left there is
 * removed; what a living one serves is not. Returns an exit code, the cause told; *control is NULL
 * unless it is EXIT_DONE. */
int control_open(struct control **control, uv_loop_t *loop, const char *path,
                 struct service *service);

/** Could a socket be had at a path? What an earlier process left there is removed. Returns an exit
 * code, the cause told. */
int control_check(const char *path);

/** Remove a socket that a dead process left at a path that a service had with another number of
 * workers: duet ctl would ask there. */
void control_sweep(const char *path);

/** Stop, and remove the socket; the loop releases it. NULL is fine. */
void control_close(struct control *control);

#endif
