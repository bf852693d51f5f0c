/*
 * What systemd is told and asked: the documented protocol of sd_notify(3) in a few lines, without
 * its library. Sockets that it passes are address_listen()'s matter (systemd:NAME).
 */
#ifndef DUET_TUNNEL_SYSTEMD_H
#define DUET_TUNNEL_SYSTEMD_H

#include <stdint.h>

/** Tell the service's state, as "READY=1\nSTATUS=…"; RELOADING=1 gets the time that goes with it.
 * Does nothing where nobody asked to be told. Returns 0; -1: it could not be told, see errno. */
int systemd_notify(const char *state);

/** How often this process is to say WATCHDOG=1, in milliseconds: half of what it is given; 0:
 * never. */
uint64_t systemd_watchdog_ms(void);

#endif
