/*
 * The service: one or several processes that serve the tunnels of one configuration.
 */
#ifndef DUET_TUNNEL_SERVICE_H
#define DUET_TUNNEL_SERVICE_H

#include "settings.h"

/** Before the settings are read: a process that takes another's place asks nobody for a passphrase,
 * and is nobody's child. Returns an exit code. */
int service_prepare(void);

/** Serve until SIGTERM or SIGINT, with as many processes as the settings say. Owns the settings.
 * Returns an exit code. */
int service_run(struct settings *settings);

#endif
