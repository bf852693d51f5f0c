/*
 * Lines for the system's log daemon, over a socket of one's own: syslog(3) waits for a daemon that
 * does not read, and a log must not stop a tunnel.
 */
#ifndef DUET_TUNNEL_SYSTEM_LOG_H
#define DUET_TUNNEL_SYSTEM_LOG_H

/** Send the lines of the next calls to the socket at path; NULL: to the system's own. */
void system_log_use(const char *path);

/** Send a line of a priority such as LOG_ERR. Returns 0, or -1: nobody took it. Never waits. */
int system_log_write(int priority, const char *text);

#endif
