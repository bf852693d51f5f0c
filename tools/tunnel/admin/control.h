/*
 * The control socket: a Unix socket that only its owner can use, served on the service's loop. One
 * request for each connection (see answer.h); few at a time, short, and with little time.
 */
#ifndef DUET_TUNNEL_CONTROL_H
#define DUET_TUNNEL_CONTROL_H

#include "view.h"

struct control;

/** Listen at a path, in a folder where nobody else may write, or that is root's. A socket that a
 * dead process left there is removed; one that is served is not, unless the view takes over:
 * then this one takes its place. Returns an exit code, the cause logged; *control is NULL unless
 * it is EXIT_DONE. */
int control_open(struct control **control, const char *path, struct admin_view *view);

/** 1 when its file was removed, as by what cleans a folder: nobody can connect any more. */
int control_is_removed(const struct control *control);

/** Could control_open() work? Removes what a dead process left. Returns an exit code, the cause
 * logged. */
int control_check(const char *path, int takes_over);

/** Remove a socket that a dead process left. */
void control_remove_dead(const char *path);

/** Stop, and remove the socket, unless it is another process's now; the loop releases it. NULL is
 * fine. */
void control_close(struct control *control);

#endif
