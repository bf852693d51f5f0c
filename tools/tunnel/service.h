/*
 * The service: one or several processes that serve the tunnels of one configuration.
 */
#ifndef DUET_TUNNEL_SERVICE_H
#define DUET_TUNNEL_SERVICE_H

#include "settings.h"

/** Serve until SIGTERM or SIGINT, with as many processes as the settings say. Owns the settings.
 * Returns an exit code. */
int service_run(struct settings *settings);

#endif
