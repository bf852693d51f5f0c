/*
 * Notifying systemd: the documented protocol of sd_notify(3) in a few lines, without its library.
 * Sockets that systemd passes are listen.h's matter (systemd:NAME).
 */
#ifndef DUET_TUNNEL_SYSTEMD_H
#define DUET_TUNNEL_SYSTEMD_H

#include <stdint.h>

/** Send the service's state, such as "READY=1"; RELOADING=1 gets the time that goes with it. Does
 * nothing where $NOTIFY_SOCKET is not set. Returns 0, or -1 with errno. */
int systemd_notify(const char *state);

/** How often this process has to send WATCHDOG=1, in milliseconds: half of $WATCHDOG_USEC; 0:
 * never. */
uint64_t systemd_watchdog_ms(void);

#endif
