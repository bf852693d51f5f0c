/*
 * Which sources a tunnel takes connections from: `allow` and `deny`.
 */
#ifndef DUET_TUNNEL_SOURCE_ADMIT_H
#define DUET_TUNNEL_SOURCE_ADMIT_H

#include <sys/socket.h>

struct tunnel_settings;

#define SOURCE_NOT_ADMITTED "its source is not allowed; see allow and deny"

/** 1 when connections from there are taken. A Unix socket's always are. */
int source_admitted(const struct tunnel_settings *tunnel, const struct sockaddr_storage *from);

#endif
