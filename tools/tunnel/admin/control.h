/*
 * The control socket: a Unix socket that only its owner can use, served on the service's loop. One
 * request for each connection (see answer.h); few at a time, short, and with little time.
 */
#ifndef DUET_TUNNEL_CONTROL_H
#define DUET_TUNNEL_CONTROL_H

#include "view.h"

struct control;

/** Listen at a path, in a folder where nobody else may write. A socket that a dead process left
 * there is removed; one that is served is not. Returns an exit code, the cause logged; *control is
 * NULL unless it is EXIT_DONE. */
int control_open(struct control **control, const char *path, struct admin_view *view);

/** Could control_open() work? Removes what a dead process left. Returns an exit code, the cause
 * logged. */
int control_check(const char *path);

/** Remove a socket that a dead process left. */
void control_remove_dead(const char *path);

/** Stop, and remove the socket; the loop releases it. NULL is fine. */
void control_close(struct control *control);

#endif
